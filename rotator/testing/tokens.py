"""Tokens in a plain list: for tests of other people's code. Forgets everything at exit, and keeps no trail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import RLock

from rotator.domain.records import Event
from rotator.domain.tokens import Token


class MemoryTokens:
    """`rotator.ports.Tokens` without a file. One lock around each method: safe for threads, not for processes.

    `told`: the events, in order.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._tokens: dict[str, Token] = {}
        self.told: list[Event] = []

    def add(self, token: Token, event: Event) -> bool:
        """Keep a new one. Twice: False."""
        with self._lock:
            if token.name in self._tokens:
                return False
            self._tokens[token.name] = token
            self.told.append(event)
            return True

    def find(self, digest: str) -> Token | None:
        """The one with this hash."""
        return next((each for each in self.every() if each.digest == digest), None)

    def every(self) -> tuple[Token, ...]:
        """All, the oldest first."""
        with self._lock:
            return tuple(self._tokens.values())

    def revoke(self, name: str, now: datetime, event: Event) -> bool:
        """End it. Twice: False."""
        with self._lock:
            found = self._tokens.get(name)
            if found is None or found.revoked_at is not None:
                return False
            self._tokens[name] = replace(found, revoked_at=now)
            self.told.append(event)
            return True

    def used(self, name: str, now: datetime) -> None:
        """Remember when it was used last. Twice: the later time."""
        with self._lock:
            found = self._tokens.get(name)
            if found is not None and (found.last_used_at is None or found.last_used_at < now):
                self._tokens[name] = replace(found, last_used_at=now)
