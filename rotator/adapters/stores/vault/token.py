"""The token in use, shared by all threads: kept alive by whoever needs it, fetched by one thread while the others wait.

There is no thread of its own: a token that nobody uses may die, and the next call fetches another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rotator.adapters.stores.vault.auth import Auth
from rotator.adapters.stores.vault.lease import Channel, Lease, look_up, renewed
from rotator.domain.failures import Failure, Transient

LEAST_PAUSE = 1.0
"""Seconds between two attempts to prolong a token that failed."""


class Token:
    """One token, or none yet. Safe for many threads."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._not_before = 0.0

    def get(self, channel: Channel) -> tuple[str, bool]:
        """The token, and whether it was fetched just now. Raises what the login raises once the last one is over."""
        lease = self._lease
        if lease is not None and not self._wanting(lease):
            return lease.token, False
        with self._alone(channel):
            lease = self._lease
            if lease is None or lease.over(time.monotonic()):
                self._lease = lease = self._fetched(channel)
                return lease.token, True
            if self._auth.changed():
                with suppress(Failure):  # half written: the one at hand still lives
                    self._lease = lease = self._fetched(channel)
            elif self._wanting(lease):
                lease = self._prolong(lease, channel)
            return lease.token, False

    def instead_of(self, refused: str, channel: Channel) -> str | None:
        """The token to use after one was refused: that very one when it lives, so that a policy forbids what was asked;

        None when it does not and there is no other.
        """
        with self._alone(channel):
            lease = self._lease
            if lease is None or lease.token == refused:
                if look_up(refused, channel) is not None:
                    return refused
                self._lease = None
                self._lease = lease = self._fetched(channel)
            return lease.token if lease.token != refused else None

    def _wanting(self, lease: Lease) -> bool:
        now = time.monotonic()
        return (lease.due(now) and now >= self._not_before) or lease.over(now) or self._auth.changed()

    def _fetched(self, channel: Channel) -> Lease:
        self._not_before = 0.0
        return self._auth.fetch(channel)

    def _prolong(self, lease: Lease, channel: Channel) -> Lease:
        """The same token for longer, or another one; while neither is to be had the one at hand, for it still lives."""
        found = lease
        with suppress(Failure):
            self._lease = found = renewed(lease, channel) or self._fetched(channel)
        now = time.monotonic()
        if found is lease or found.due(now):
            left = found.since + (found.ttl or 0) - now
            self._not_before = now + max(LEAST_PAUSE, left / 4)
        return found

    @contextmanager
    def _alone(self, channel: Channel) -> Iterator[None]:
        if not self._lock.acquire(timeout=channel.remaining()):
            raise Transient(f"{channel.where}: another thread still waits for a token", "look at its load")
        try:
            yield
        finally:
            self._lock.release()

    def __repr__(self) -> str:
        return "Token()"
