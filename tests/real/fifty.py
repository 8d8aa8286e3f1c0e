"""Fifty credentials: logins of a real PostgreSQL and keys of a keyserver, all published to a real OpenBao."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rotator.config.installation import new_installation
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.providers.postgres_setup import ADMIN_PASSWORD, OWNER, Arena, arena
from tests.real.scene import Real
from tests.servers.openbao import OpenBaoServer, Refused
from tests.servers.postgres import PostgresServer
from tests.testing.keyserver_client import call_as

LOGINS = tuple(f"db-{number:02}" for number in range(35))
KEYS = tuple(f"key-{number:02}" for number in range(15))
NAMES = (*LOGINS, *KEYS)
FILES = ("pg-admin", "ks-admin", "token", "installation.key", "rotator.yaml")
OURS = "select rolname from pg_authid where rolname ~ '^db_'"
WORDS = ("--all", "--assume-compromise", "--contained", "--yes", "--store-wait", "20s", "--parallel", "8")
"""What is typed, each time the same."""


@dataclass(frozen=True, kw_only=True)
class Fifty(Real):
    """The scene. `stolen`: what consumers read at first, by credential."""

    keyserver: Keyserver
    stolen: dict[str, str]

    def elsewhere(self) -> Fifty:
        """Another machine, with the config and without the journal."""
        folder = self.folder / f"elsewhere-{secrets.token_hex(2)}"
        folder.mkdir()
        for name in FILES:
            shutil.copy(self.folder / name, folder / name)
        return replace(self, folder=folder)

    def value(self, name: str) -> str:
        """What consumers of this credential read now: a URL, or a key."""
        answer = self.bao.request("GET", f"{self.mount}/data/app/{name}")
        assert answer["data"]["data"]["other"] == "theirs"
        return str(answer["data"]["data"]["value"])

    def works(self, name: str, value: str) -> bool:
        """Whether the provider takes it."""
        if name in KEYS:
            status = call_as(self.keyserver.url, value)
            assert status in (200, 401), status
            return status == 200
        parts = urlsplit(value)
        return self.opens(parts.username or "", parts.password or "")

    def roles(self) -> set[str]:
        """Every role that is, or could be, a login of these."""
        return {str(name) for [name] in self.arena.execute(OURS)}

    def logins(self) -> set[str]:
        """Roles that may log in and have a password."""
        able = f"{OURS} and rolcanlogin and rolpassword is not null"
        return {str(name) for [name] in self.arena.execute(able)}

    def kept(self) -> list[str]:
        """Every place of ours in OpenBao where consumers cannot read, that holds anything.

        A removal empties a document and then forgets it: killed in between, with the journal lost, an empty one stays.
        """
        return [path for path in self._beneath("rotator/") if self._holds(path)]

    def _holds(self, path: str) -> bool:
        with suppress(Refused):
            return bool(self.bao.request("GET", f"{self.mount}/data/{path}")["data"]["data"])
        return False

    def _beneath(self, path: str) -> Iterator[str]:
        with suppress(Refused):
            for key in self.bao.request("GET", f"{self.mount}/metadata/{path}?list=true")["data"]["keys"]:
                if key.endswith("/"):
                    yield from self._beneath(path + key)
                else:
                    yield path + key


def roles(name: str) -> tuple[str, str]:
    """The two roles of a login."""
    return f"{name.replace('-', '_')}_a", f"{name.replace('-', '_')}_b"


@contextmanager
def fifty(folder: Path, postgres: PostgresServer, bao: OpenBaoServer, mount: str) -> Iterator[Fifty]:
    """Fresh ones, each in use and never rotated."""
    with arena(postgres) as pg, Keyserver(Behaviour()) as keyserver:
        stolen = _logins(pg) | {name: keyserver.seed_key(name)[1] for name in KEYS}
        for name, value in stolen.items():
            bao.request("POST", f"{mount}/data/app/{name}", {"data": {"value": value, "other": "theirs"}})
        texts = (
            ADMIN_PASSWORD,
            keyserver.admin,
            bao.token,
            new_installation().text(),
            _config(pg, keyserver, bao, mount),
        )
        for file, text in zip(FILES, texts, strict=True):
            (folder / file).touch(mode=0o600)
            (folder / file).write_text(text)
        yield Fifty(folder=folder, arena=pg, bao=bao, mount=mount, keyserver=keyserver, stolen=stolen)
        made = ", ".join(str(name) for [name] in pg.execute(OURS))
        pg.execute(f"drop owned by {made}; drop role {made}")  # together, which is ten times as fast as one by one


def _logins(pg: Arena) -> dict[str, str]:
    passwords = {name: f"FirstPasswordOf{secrets.token_hex(6)}" for name in LOGINS}
    first = {name: roles(name)[0] for name in LOGINS}
    made = [f"create role {first[name]} login in role {OWNER} password '{passwords[name]}'" for name in LOGINS]
    if pg.major >= 16:
        made += [f"grant {role} to rotator with admin option" for role in first.values()]
    pg.execute("; ".join(made))
    return {name: _url(pg).format(user=first[name], password=passwords[name]) for name in LOGINS}


def _url(pg: Arena) -> str:
    return f"postgresql://{{user}}:{{password}}@{pg.database.host}:{pg.database.port}/{pg.database.name}"


def _config(pg: Arena, keyserver: Keyserver, bao: OpenBaoServer, mount: str) -> str:
    login = {"method": "token", "token": "file:token"}

    def credential(name: str) -> dict[str, Any]:
        pair: dict[str, Any] = {"roles": list(roles(name)), "owner_role": OWNER}
        of_keys = name in KEYS
        template = "{secret}" if of_keys else _url(pg)
        return {
            "provider": "ks" if of_keys else "pg",
            "principal": {**({"principal": name} if of_keys else pair), "exclusive": True},
            "publish": [{"store": "bao", "ref": f"app/{name}", "fields": {"value": template}}],
            "policy": "quick",
        }

    return json.dumps(
        {
            "state": "sqlite:///rotator.db",
            "installation": {"key": "file:installation.key"},
            "defaults": {"lease": "4s", "isolation": "off"},
            "providers": {
                "pg": {"driver": "postgres", "admin": "file:pg-admin", "user": "rotator", "tls": "off"}
                | {"host": pg.database.host, "port": pg.database.port, "database": pg.database.name},
                "ks": {"driver": "keyserver", "admin": "file:ks-admin", "base_url": keyserver.url},
            },
            "stores": {"bao": {"driver": "vault", "address": bao.address, "mount": mount, "auth": login}},
            "policies": {"quick": {"every": "30d", "overlap": "1s", "quiet_for": "0s", "compromise_grace": "0s"}},
            "credentials": {name: credential(name) for name in NAMES},
        }
    )
