"""Three in the morning: a dozen credentials at three providers in two stores, and everything that can be wrong is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rotator.config.installation import new_installation
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene
from tests.testing.keyserver_client import call_as

PROVIDERS = {"llm": 6, "mail": 3, "pay": 3}
"""How many credentials each has."""
STORES = ("files", "vault")
CREDENTIALS = {f"{provider}-{number}": provider for provider, count in PROVIDERS.items() for number in range(count)}
OVERLAPPING, ONLY_AWAY = "llm-0", "llm-5"
CROWDED, SHARED = "mail-0", "mail-1"
"""Whose cap is filled by a second key of its own, and by somebody else's."""
BOTH = ("llm-0", "llm-1", "llm-2", "mail-2")
"""Published to the store that is down as well as to the one that is not."""


@dataclass(slots=True, kw_only=True)
class Night:
    """The scene, its keyservers by provider, and what was stolen by credential: ids and values of keys."""

    scene: Scene
    keyservers: dict[str, Keyserver]
    stolen: dict[str, set[str]] = field(default_factory=dict)
    read: dict[str, set[str]] = field(default_factory=dict)
    foreign: str = ""

    def alive(self, name: str) -> set[str]:
        """The ids of the living keys of this credential's principal, whatever a list says."""
        return {key.id for key in self.keyservers[CREDENTIALS[name]].live(name)}

    def steal(self) -> None:
        """Somebody reads everything that there is, and makes a key of his own where he may.

        Of the crowded one he knows the second key as well.
        """
        self.read.update({name: set(self.documents(name).values()) for name in CREDENTIALS})
        self.read[CROWDED].add(self.keyservers["mail"].seed_key(CROWDED)[1])
        self.stolen.update({name: self.alive(name) for name in CREDENTIALS})
        self.foreign, _ = self.keyservers["mail"].seed_key(SHARED)

    def documents(self, name: str) -> dict[str, str]:
        """What consumers of this credential read, by store."""
        paths = {store: self.scene.folder / store / f"{name}.json" for store in STORES}
        return {store: str(json.loads(path.read_text())["API_KEY"]) for store, path in paths.items() if path.exists()}

    def accepted(self, name: str, value: str) -> bool:
        """Whether the provider knows this value."""
        status = call_as(self.keyservers[CREDENTIALS[name]].url, value)
        assert status in (200, 401), status
        return status == 200

    @property
    def clean(self) -> set[str]:
        """The credentials of which every stolen key is dead."""
        return {name for name, stolen in self.stolen.items() if not self.alive(name) & stolen}

    def private(self) -> list[str]:
        """The values that lie in the stores where consumers cannot read."""
        kept = (self.scene.folder / store / ".rotator" / kind for store in STORES for kind in ("pending", "previous"))
        return [str(path.relative_to(self.scene.folder)) for each in kept for path in each.rglob("*") if path.is_file()]

    def admin_is_there(self, provider: str, *, there: bool) -> None:
        """Take a provider's admin key away, or put it there."""
        here, gone = self.scene.folder / f"{provider}-admin", self.scene.folder / f"{provider}-gone"
        gone.rename(here) if there else here.rename(gone)

    def vault_is_up(self, *, up: bool) -> None:
        """Let the store go away, or come back with what it held."""
        here, gone = self.scene.folder / "vault", self.scene.folder / "vault-gone"
        gone.rename(here) if up else here.rename(gone)


@contextmanager
def night(folder: Path) -> Iterator[Night]:
    """The world as it was in the evening: everything works."""
    with ExitStack() as ending:
        keyservers = {name: ending.enter_context(Keyserver(Behaviour())) for name in PROVIDERS}
        keyservers["mail"].tell(cap=2)
        for number, keyserver in enumerate(keyservers.values()):
            for other in range(50 * number):  # so that no two providers call two keys alike
                keyserver.seed_key(f"other-{other}")
        yield Night(scene=_scene(folder, keyservers), keyservers=keyservers)


def _scene(folder: Path, keyservers: dict[str, Keyserver]) -> Scene:
    for store in STORES:
        (folder / store).mkdir(mode=0o700)
    providers: dict[str, dict[str, object]] = {}
    for name, keyserver in keyservers.items():
        _write(folder / f"{name}-admin", keyserver.admin)
        providers[name] = {"driver": "keyserver", "admin": f"file:{name}-admin", "base_url": keyserver.url}
    providers["mail"]["cap"] = 2
    policy = {"every": "30d", "overlap": "24h", "quiet_for": "0s", "max_overlap": "7d", "compromise_grace": "0s"}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "defaults": {"lease": "4s", "isolation": "off"},
        "providers": providers,
        "stores": {store: {"driver": "file", "root": store, "format": "json"} for store in STORES},
        "policies": {"slow": policy},
        "credentials": {
            name: _credential(folder, keyservers[provider], name) for name, provider in CREDENTIALS.items()
        },
    }
    _write(folder / "installation.key", new_installation().text())
    _write(folder / "rotator.yaml", json.dumps(config))
    return Scene(folder=folder, keyserver=keyservers["llm"])


def _credential(folder: Path, keyserver: Keyserver, name: str) -> dict[str, object]:
    stores = ["vault"] if name == ONLY_AWAY else ["files", "vault"] if name in BOTH else ["files"]
    secret = keyserver.seed_key(name)[1]
    for store in stores:
        _write(folder / store / f"{name}.json", json.dumps({"API_KEY": secret}))
    return {
        "provider": CREDENTIALS[name],
        "principal": {"principal": name, **({"exclusive": True} if name != SHARED else {})},
        "publish": [{"store": store, "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}} for store in stores],
        "policy": "slow",
    }


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
