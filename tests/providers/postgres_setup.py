"""A fresh database with an admin who may do exactly what the driver needs, on two versions of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pg8000.dbapi
from pg8000.exceptions import DatabaseError, InterfaceError
from rotator_postgres import Postgres

from rotator.sdk import Minted, MintRequest, Principal, Secret, slot_of
from tests.providers.logins import until
from tests.servers.postgres import Database, PostgresServer

ADMIN_PASSWORD = "AdminOfTheTests4711"
ROLES = ("app_a", "app_b")
OWNER = "app"
TIMEOUT = timedelta(seconds=60)


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
        **tls: str,
    ) -> Postgres:
        settings = self.settings(port=port, user=user, database=database, **tls)
        return Postgres.from_settings("pg", settings, admin, timeout)

    def settings(
        self, *, port: int | None = None, user: str = "rotator", database: str | None = None, **tls: str
    ) -> dict[str, object]:
        """The driver's own words in a config."""
        return {
            "host": self.database.host,
            "port": port or self.database.port,
            "database": database or self.database.name,
            "user": user,
            **(tls or {"tls": "off"}),
        }

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


def alive(session: pg8000.dbapi.Connection) -> bool:
    """Whether the server still answers; a session that is not alive is closed."""
    try:
        with closing(session.cursor()) as cursor:
            cursor.execute("select 1")
    except (DatabaseError, InterfaceError, OSError):
        with suppress(InterfaceError, OSError):
            session.close()
        return False
    return True


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


@contextmanager
def pg_hba(pg: Arena, line: str) -> Iterator[None]:
    """Put a line before all others of pg_hba.conf for as long as the context lasts."""
    [[path]] = pg.execute("select setting from pg_settings where name = 'hba_file'")
    file = Path(str(path))
    text = file.read_text()
    try:
        rewrite(pg, file, f"{line}\n{text}")
        yield
    finally:
        rewrite(pg, file, text)


def rewrite(pg: Arena, file: Path, text: str) -> None:
    """Returns when new connections are judged by it: each has inherited the postmaster's load time."""
    load_time = "select pg_conf_load_time()"
    before = pg.execute(load_time)
    file.write_text(text)
    pg.execute("select pg_reload_conf()")
    until(lambda: pg.execute(load_time) != before)
