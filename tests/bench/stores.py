"""One credential in five stores, each as fast as it is: how long consumers are divided, over the slowest write.

The stores are file stores, so every write is one and is durable, held up by what a write and a read of a store take.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.config.installation import new_installation
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.ports import Store, StoreCapabilities, Stored
from rotator.testing.keyserver import Behaviour, KeyserverProcess
from tests.bench.figures import Figure

WRITES = {"one": 0.1, "two": 0.15, "three": 0.2, "four": 0.25, "five": 0.3}
"""Seconds that a write takes, by store; a read takes a fifth of it."""

ROTATIONS = 7
NAME = "key"


@dataclass(slots=True)
class Writes:
    """When each store's current value was written last: the beginning and the end of the write."""

    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, store: str, began: float, ended: float) -> None:
        """Note one."""
        with self.lock:
            self.spans[store] = (began, ended)


@dataclass(frozen=True, slots=True)
class Slow:
    """A store whose answers take their time."""

    name: str
    store: Store
    seconds: float
    writes: Writes

    def capabilities(self) -> StoreCapabilities:
        return self.store.capabilities()

    def read(self, place: Place) -> Stored:
        time.sleep(self.seconds / 5)
        return self.store.read(place)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        began = time.monotonic()
        time.sleep(self.seconds)
        version = self.store.write(place, fields, expected)
        if place.kind is PlaceKind.CURRENT:
            self.writes.add(self.name, began, time.monotonic())
        return version

    def remove(self, place: Place, expected: str) -> None:
        time.sleep(self.seconds)
        self.store.remove(place, expected)

    def places(self, ref: str) -> tuple[Place, ...]:
        time.sleep(self.seconds / 5)
        return self.store.places(ref)


@dataclass(kw_only=True)
class Slowly(Assembly):
    """The rotator as it is, over slow stores."""

    writes: Writes = field(default_factory=Writes)

    def store(self, name: str) -> Store:
        return Slow(name, super().store(name), WRITES[name], self.writes)


def run() -> Iterator[Figure]:
    """Rotate several times, one after the other."""
    divided, seen, walls, slowest = [], [], [], []
    with tempfile.TemporaryDirectory() as name, KeyserverProcess(Behaviour()) as server:
        assembly = Slowly(config=load_config(_write_config(Path(name), server)))
        adopt(assembly, assembly.config.credentials[NAME])
        for _ in range(ROTATIONS):
            assembly.writes.spans.clear()
            began = time.monotonic()
            _rotate(assembly)
            walls.append(time.monotonic() - began)
            spans = assembly.writes.spans.values()
            assert len(spans) == len(WRITES)
            slowest.append(max(ended - began for began, ended in spans))
            divided.append((max(ended for _, ended in spans) - min(began for began, _ in spans)) / slowest[-1])
            seen.append((max(ended for _, ended in spans) - min(ended for _, ended in spans)) / slowest[-1])
    note = f"median of {ROTATIONS}; the slowest of {len(WRITES)} takes {statistics.median(slowest) * 1000:.0f} ms"
    yield Figure(
        name="stores: first promotion to last, over the slowest write",
        value=statistics.median(divided),
        unit="×",
        aim=1.5,
        note=note,
    )
    yield Figure(
        name="stores: consumers divided, over the slowest write", value=statistics.median(seen), unit="×", aim=1.5
    )
    yield Figure(name="stores: a whole rotation without overlap", value=statistics.median(walls), unit="s")


def _rotate(assembly: Assembly) -> None:
    spec = assembly.config.credentials[NAME]
    row = starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="bench")
    assert row is not None
    Run(assembly=assembly, owner="bench", parallel=8).until(lambda: assembly.journal.next_wake() is None)
    ended = assembly.journal.rotation(row.id)
    assert ended is not None
    assert ended.phase is Phase.DONE, ended.problem


def _write_config(folder: Path, server: KeyserverProcess) -> Path:
    secret = server.seed_key(NAME)[1]
    stores, publish = {}, []
    for name in WRITES:
        root = folder / name
        root.mkdir(mode=0o700)
        _write(root / "key.json", json.dumps({"API_KEY": secret}))
        stores[name] = {"driver": "file", "root": name, "format": "json"}
        publish.append({"store": name, "ref": "key.json", "fields": {"API_KEY": "{secret}"}})
    policy = {"every": "30d", "overlap": "0s", "quiet_for": "0s", "max_overlap": "1h"}
    principal = {"principal": NAME}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": server.url, "usage": False}},
        "stores": stores,
        "policies": {"at-once": policy},
        "credentials": {NAME: {"provider": "ks", "principal": principal, "publish": publish, "policy": "at-once"}},
    }
    _write(folder / "admin", server.admin)
    _write(folder / "installation.key", new_installation().text())
    _write(folder / "rotator.yaml", json.dumps(config))
    return folder / "rotator.yaml"


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
