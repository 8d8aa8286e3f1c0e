"""The keys that sign our requests: fetched when needed, shared by all threads, never in a message or a repr."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.answers import Need
from rotator.domain.failures import Failure, Transient

EARLY = timedelta(minutes=5)
"""How long before they expire keys are fetched anew; those in use go on being used if that fails."""

PAUSE = timedelta(seconds=30)
"""How long such a failure is not tried again."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """An access key, and for a session its token and end."""

    access_key: str
    secret_key: str
    token: str | None = None
    expires: datetime | None = None

    def __repr__(self) -> str:
        return "Keys()"


class Source(Protocol):
    """Where keys come from: one place, and no other is looked at."""

    def fetch(self, deadline: Deadline) -> Keys:
        """Keys; asked again before they expire, and after AWS refused the last ones. Raises Denied and Transient."""
        ...

    def refused(self, need: Need, where: str) -> Failure:
        """What it means that AWS takes these keys for nothing at all."""
        ...


class Access:
    """The keys in use. Only one thread fetches."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._keys: Keys | None = None
        self._renew_at = self._ends_at = 0.0
        self._in_hand = threading.local()

    def get(self, deadline: Deadline) -> tuple[Keys, bool]:
        """The keys that this thread signs with from now on, and whether they were fetched just now."""
        with _Held(self._lock, deadline):
            keys, fresh = self._current(deadline)
        self._in_hand.keys = keys
        return keys, fresh

    def another(self, than: Keys, deadline: Deadline) -> bool:
        """Whether there are other keys than those that were refused; this thread signs with them from now on."""
        with _Held(self._lock, deadline):
            keys = self._fetch(deadline) if self._keys == than or self._keys is None else self._keys
        self._in_hand.keys = keys
        return keys != than

    def signing(self) -> Signing:
        """The keys as a client of botocore wants them."""
        return Signing(self._in_hand)

    def _current(self, deadline: Deadline) -> tuple[Keys, bool]:
        now = time.monotonic()
        if self._keys is not None and now < self._renew_at:
            return self._keys, False
        if self._keys is None or now >= self._ends_at:
            return self._fetch(deadline), True
        try:
            return self._fetch(deadline), True
        except Failure:
            self._renew_at = now + PAUSE.total_seconds()
            return self._keys, False

    def _fetch(self, deadline: Deadline) -> Keys:
        keys = self.source.fetch(deadline)
        now = time.monotonic()
        self._renew_at = self._ends_at = float("inf")
        if keys.expires is not None:
            left = keys.expires - datetime.now(UTC)
            self._ends_at = now + left.total_seconds()
            self._renew_at = now + max(left - EARLY, left / 2).total_seconds()
        self._keys = keys
        return keys

    def __repr__(self) -> str:
        return "Access()"


class Signing:
    """What botocore asks before each signature: the keys that the thread has in hand."""

    def __init__(self, in_hand: threading.local) -> None:
        self._in_hand = in_hand

    def get_frozen_credentials(self) -> Any:
        """As botocore's own credentials give them."""
        from botocore.credentials import ReadOnlyCredentials

        keys: Keys = self._in_hand.keys
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)

    def get_deferred_property(self, _: str) -> Callable[[], None]:
        """What else they may tell, which is the account: no endpoint of ours has it in its name."""
        return lambda: None


class _Held:
    """A lock that is waited for no longer than a call may take."""

    def __init__(self, lock: threading.Lock, deadline: Deadline) -> None:
        self._lock = lock
        self._deadline = deadline

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._deadline.remaining("fetching keys")):
            raise Transient("fetching keys took too long", "it is tried again")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
