"""A RabbitMQ with an admin who may do exactly what the driver says that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rotator_rabbitmq import Rabbitmq

from rotator.sdk import Principal
from tests.providers.logins import ADMIN_PASSWORD
from tests.servers.rabbitmq import RabbitmqServer

PERMISSIONS = ("/ ^app ^app .*",)
TIMEOUT = timedelta(seconds=15)
"""On a busy machine it takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The server, and the driver as its installation would configure it."""

    server: RabbitmqServer

    @property
    def principal(self) -> Principal:
        return Principal(name="app", settings={"users": ("app_a", "app_b"), "permissions": PERMISSIONS})

    def driver(
        self, *, admin: str = ADMIN_PASSWORD, timeout: timedelta = TIMEOUT, port: int | None = None, **changes: object
    ) -> Rabbitmq:
        base_url = f"http://{self.server.host}:{port or self.server.port}"
        windows = dict.fromkeys(("propagation", "death_window", "login_window"), "1s")
        settings = {"base_url": base_url, "user": "rotator", **windows, **changes}
        return Rabbitmq.from_settings("mq", settings, admin, timeout)


def arena(server: RabbitmqServer) -> Arena:
    """With the admin and the virtual host that `LEAST` makes."""
    server.ask("PUT", "users", "rotator", body={"password": ADMIN_PASSWORD, "tags": "administrator"})
    server.ask("PUT", "vhosts", "rotator")
    permission = {"configure": "^rotator\\.", "write": "^$", "read": "^$"}
    server.ask("PUT", "permissions", "rotator", "rotator", body=permission)
    return Arena(server=server)
