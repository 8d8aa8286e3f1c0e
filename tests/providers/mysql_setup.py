"""A MariaDB with an admin who may do exactly what the driver says that it needs, and two accounts that are locked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymysql
from rotator_mysql import Mysql
from rotator_mysql.accounts import LEAST

from rotator.sdk import Principal
from tests.providers.logins import ADMIN_PASSWORD, TIMEOUT
from tests.servers.mariadb import MariadbServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The server, and the driver as its installation would configure it."""

    server: MariadbServer

    @property
    def principal(self) -> Principal:
        return Principal(name="app", settings={"users": ("app_a", "app_b")})

    def driver(self, *, admin: str = ADMIN_PASSWORD, timeout: timedelta = TIMEOUT, **changes: object) -> Mysql:
        settings = {"host": self.server.host, "port": self.server.port, "user": "rotator", "tls": "off", **changes}
        return Mysql.from_settings("db", settings, admin, timeout)

    def priv(self, name: str) -> dict[str, Any]:
        """An account as the server keeps it."""
        [[text]] = self.server.run("select priv from mysql.global_priv where user = %s", name)
        found: dict[str, Any] = json.loads(text)
        return found

    def notes(self) -> list[str]:
        return [str(note) for [note] in self.server.run("select note from rotator.slots order by note")]

    def sessions(self, name: str) -> int:
        [[number]] = self.server.run("select count(*) from information_schema.processlist where user = %s", name)
        return int(number)


def arena(server: MariadbServer) -> Arena:
    """With the admin and the table that `LEAST` makes, word for word but for TLS."""
    for statement in LEAST.partition("for MySQL")[0].split(";\n"):
        if statement.strip():
            server.run(statement.replace("…", ADMIN_PASSWORD).replace(" REQUIRE SSL", ""))
    for name in ("app_a", "app_b"):
        server.run("create user %s@'%%' account lock", name)
    return Arena(server=server)


def alive(session: pymysql.Connection[Any]) -> bool:
    """Whether a session is still open; one that is not is closed on our side too."""
    try:
        session.ping(reconnect=False)
    except pymysql.MySQLError:
        return False
    return True
