"""A Redis with an admin who may do exactly what the driver says that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis
from rotator_redis import Redis
from rotator_redis.users import LEAST

from rotator.sdk import Principal
from tests.providers.logins import ADMIN_PASSWORD, TIMEOUT
from tests.servers.redis import RedisServer

RULES = ("~app:*", "+@read", "+@write", "+ping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The server, and the driver as its installation would configure it."""

    server: RedisServer

    @property
    def principal(self) -> Principal:
        return Principal(name="app", settings={"users": ("app_a", "app_b"), "rules": RULES})

    def driver(self, *, admin: str = ADMIN_PASSWORD, timeout: timedelta = TIMEOUT, **changes: object) -> Redis:
        settings = {"host": self.server.host, "port": self.server.port, "user": "rotator", "tls": "off", **changes}
        return Redis.from_settings("cache", settings, admin, timeout)

    def log_in(self, user: str, password: str) -> redis.Redis:
        """A session that is open."""
        return self.server.client(user, password)

    def rules(self, name: str) -> str:
        """A user as the server would write it into its file."""
        [line] = [line for line in self.server.run("ACL", "LIST") if line.startswith(f"user {name} ")]
        return str(line)


def arena(server: RedisServer) -> Arena:
    """With the admin that `LEAST` makes, word for word."""
    words = LEAST.splitlines()[0].replace(">…", f">{ADMIN_PASSWORD}").split()
    server.run(*words)
    return Arena(server=server)


def alive(session: redis.Redis) -> bool:
    """Whether a session is still open; the client would open another, so its connection is asked."""
    connection: Any = session.connection
    try:
        connection.send_command("PING")
        return bool(connection.read_response() == "PONG")
    except redis.ConnectionError:
        return False
