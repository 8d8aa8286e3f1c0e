"""What keeps rotators apart: a queue of ours that only one of them can have declared.

The management API has no condition on a change. Declaring a queue is the one thing of RabbitMQ's that is refused when
somebody else has done it in another way: with another `x-message-ttl` it is a 400, "inequivalent arg" (documentation,
"Queues", declaration and property equivalence). `x-expires` removes a queue that nobody gave back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from rotator.sdk import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.sdk.http import Client, path

PREFIX = "rotator.lock."
LONGEST_TTL = 2**31
PAUSE = 0.05
GRANT = 'rabbitmqctl set_permissions -p {vhost} ADMIN "^rotator\\." "^$" "^$"'


@dataclass(frozen=True, slots=True)
class Lock:
    """Held until `until`, by the monotonic clock; what is sent later may meet another holder."""

    name: str
    until: float

    def check(self) -> None:
        """Raises `Transient` when there is no time left for a change."""
        if time.monotonic() > self.until:
            raise Transient(f"the lock of {self.name} was held for too long")


@contextmanager
def held(client: Client, vhost: str, name: str, timeout: timedelta) -> Iterator[Lock]:
    """Have the lock of a user, or raise `Transient` because another rotator has it for as long as a call may take.

    It outlasts what is sent in the last moment: the queue lives for two requests longer than `until` says. Where an
    answer was lost, its request may still come to the server; so the lock is not given back then and ends by itself.
    """
    queue, seconds = path("api", "queues", vhost, PREFIX + name), timeout.total_seconds()
    arguments = {"x-expires": int(4000 * seconds) + 1000, "x-message-ttl": secrets.randbelow(LONGEST_TTL)}
    # A refusal of a request with a body may be lost, because the server ends the connection without reading it; that of
    # a look is heard, and looks are repeated.
    client.get(path("api", "whoami"))
    began = asked = time.monotonic()
    while not _declared(client, queue, arguments, name, vhost):
        if asked > began + seconds:
            raise Transient(f"another rotator holds the lock of {name}")
        time.sleep(PAUSE)
        asked = time.monotonic()
    under_way = False
    try:
        yield Lock(name, asked + 2 * seconds)
    except (Ambiguous, Transient):
        under_way = True
        raise
    finally:
        if not under_way:
            with suppress(Failure):  # it ends by itself
                client.send("DELETE", queue, expect=(204, 404))


def _declared(client: Client, queue: str, arguments: Mapping[str, int], name: str, vhost: str) -> bool:
    """Whether it is ours now; False while it is another's. Raises `Failure`.

    204 is ours as much as 201. The server looks whether there is a queue before it declares it (RabbitMQ 3.10); where
    one expires in between, ours is made and answered with 204. No other holder has our arguments.
    """
    body = {"durable": False, "auto_delete": False, "arguments": arguments}
    problem: Failure
    try:
        client.send("PUT", queue, body, expect=(201, 204))
        return True
    except Denied as denied:
        why, permission = f"the lock of {name} is refused; {denied.message}", f"configure in {vhost}"
        problem = Denied(why, GRANT.format(vhost=vhost), permission=permission)
    except Permanent as refused:
        if "inequivalent arg" in refused.message:
            return False
        hint = f"make the virtual host: rabbitmqctl add_vhost {vhost}"
        problem = Permanent(f"the lock of {name} is refused; {refused.message}", hint)
    raise problem
