"""A throwaway MariaDB: the system's where there is one, else Debian's packages (`tests.servers.debian`)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql

from tests.servers import started
from tests.servers.debian import find, home, surroundings
from tests.servers.process import Kept, Order, new_directory, on_a_free_port

NAME = "MariaDB"
ROOT = "root"
SYSTEM_TABLES = ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data")
SMALL = (
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-log-bin",
    "--performance-schema=off",
)


class MariadbServer:
    """A running server that writes down every statement. Stopping it twice is harmless."""

    def __init__(self, kept: Kept, port: int, password: str) -> None:
        """Wait until it answers. Raises `StartFailed`."""
        self._kept = kept
        self.host = "127.0.0.1"
        self.port = port
        self.password = password
        kept.wait_until(self._answers)
        [[version]] = self.run("select version()")
        self.version = str(version).partition("-")[0]
        started[NAME] = self.version

    @property
    def directory(self) -> Path:
        """Its files: `log`, and `statements`, each statement as the server got it."""
        return self._kept.directory

    def connect(self, user: str = ROOT, password: str | None = None) -> pymysql.Connection[Any]:
        """A session of the one who may do everything, or of another."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=password or self.password,
            ssl_disabled=True,
            autocommit=True,
        )

    def run(self, statement: str, *values: object) -> list[list[Any]]:
        """One statement as the one who may do everything."""
        with closing(self.connect()) as session, session.cursor() as cursor:
            cursor.execute(statement, values or None)
            return [list(row) for row in cursor.fetchall()]

    def empty(self) -> None:
        """Remove every user but our own, and every database but the system's."""
        for user, host in self.run("select user, host from mysql.global_priv"):
            if user not in (ROOT, "mariadb.sys"):
                self.run("drop user %s@%s", user, host)
        for [name] in self.run("show databases"):
            if name not in ("mysql", "information_schema", "performance_schema"):
                self.run(f"drop database `{name}`")

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except pymysql.MySQLError:
            return False
        return True


def start(*, options: Sequence[str] = ()) -> MariadbServer:
    """Start one; takes 1.5 s, most of it for the system's tables. Raises `Unavailable`, `StartFailed`."""
    program = find("mariadbd")
    return on_a_free_port(lambda port: _start(program, port, options))


def _start(program: Path, port: int, options: Sequence[str]) -> MariadbServer:
    directory, password = new_directory("maria"), secrets.token_hex(16)
    (directory / "data").mkdir()
    share = home(program) / "usr" / "share" / "mysql"
    (directory / "tables.sql").write_text(
        "create database mysql;\nuse mysql;\nset @auth_root_socket=null;\n"
        + "".join((share / f"{name}.sql").read_text() for name in SYSTEM_TABLES)
    )
    (directory / "users.sql").write_text(
        f"delete from mysql.global_priv where user in ('', 'root');\nflush privileges;\n"
        f"create user {ROOT}@'127.0.0.1' identified by '{password}';\n"
        f"grant all on *.* to {ROOT}@'127.0.0.1' with grant option;\n"
    )
    common = [str(program), "--no-defaults", f"--datadir={directory}/data", f"--lc-messages-dir={share}", "--user=root"]
    common += [f"--character-sets-dir={share}/charsets", *SMALL]
    server = [*common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={directory}/socket"]
    server += [f"--init-file={directory}/users.sql", "--skip-name-resolve", f"--tmpdir={directory}"]
    server += ["--general-log", f"--general-log-file={directory}/statements", f"--pid-file={directory}/pid", *options]
    bootstrap = " ".join([*common, "--bootstrap", f"< {directory}/tables.sql"])
    kept = Kept(
        Order(
            directory=str(directory),
            prepare=[["sh", "-c", bootstrap]],
            command=server,
            env={**surroundings(program), "LC_ALL": "C", "TZ": "UTC", "HOME": str(directory)},
        )
    )
    try:
        return MariadbServer(kept, port, password)
    except BaseException:
        kept.close()
        raise
