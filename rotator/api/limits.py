"""How much anybody may ask of the API, so that nobody can stop the daemon with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is more is refused.

    `connections`: at the same time, each also while it says nothing. `request`: until a request is whole. `reading`:
    while a reader takes nothing. `idle`: between two requests. `head`: bytes of a request's line and headers.
    `at_once`: commands, of which `for_responders` are kept for those who handle emergencies.
    """

    connections: int = 256
    of_one_address: int = 128
    request: timedelta = timedelta(seconds=30)
    reading: timedelta = timedelta(seconds=30)
    idle: timedelta = timedelta(seconds=15)
    head: int = 16 * KIB
    body: int = 1 * MIB
    inventories: int = 24 * MIB
    commands: int = 12 * MIB
    leaks: int = 4 * MIB
    form: int = 24 * KIB  # a JWT is at most 16
    at_once: int = 8
    for_responders: int = 4
    of_one_caller: int = 2
    of_one_responder: int = 4
    failed_logins: int = 10  # of one address in a minute
    failed_in_all: int = 200  # of all; then an address is not listened to after its first

    def body_of(self, path: str) -> int:
        """Bytes of a body to this path."""
        own = {"/v1/inventories": self.inventories, "/v1/commands": self.commands, "/v1/leaks/github": self.leaks}
        return own.get(path, self.body)
