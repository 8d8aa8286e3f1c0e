"""Room for asking the identity provider: nobody without a login takes it from those who had one.

Whoever begins to sign in is anybody, and behind a proxy everybody has one address. So an answer counts once, answers
that are worth nothing are bounded, and a browser that somebody signed in with before has room of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rotator.api.problems import Problem
from rotator.ports import Clock

AT_ONCE: Final = 4
"""Exchanges at the same time: one waits for the provider, and holds a thread of ours."""
WAITING: Final = 8
"""Those that wait for room, which holds a thread, too."""
PATIENCE: Final = 3.0
FAILING: Final = 120
"""Exchanges of strangers that may come to nothing within a minute, wherever they come from."""
MINUTE: Final = 60.0
MOST: Final = 10_000


class Room:
    """For so many at once. Safe for many threads."""

    def __init__(self) -> None:
        self._at_once = threading.BoundedSemaphore(AT_ONCE)
        self._waiting = threading.BoundedSemaphore(WAITING)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises `Problem` where there is none, nor soon will be."""
        if not self._soon():
            raise _too_many("too many sign in at this moment", 5)
        try:
            yield
        finally:
            self._at_once.release()

    def _soon(self) -> bool:
        if self._at_once.acquire(blocking=False):
            return True
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._at_once.acquire(timeout=PATIENCE)
        finally:
            self._waiting.release()


class Failing:
    """Exchanges that came to nothing. Safe for many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=FAILING)

    def one(self) -> None:
        """One more."""
        self._times.append(self._clock.boottime())

    def refuse(self) -> None:
        """Raises `Problem` where there were too many just now."""
        times = tuple(self._times)
        rest = times[0] + MINUTE - self._clock.boottime() if len(times) == FAILING else 0.0
        if rest > 0:
            raise _too_many("too many sign-ins fail at this moment", int(rest) + 1)


class Spent:
    """What counts once; of a great many the latest are remembered. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()

    def spend(self, text: str) -> bool:
        """Whether it was not spent before."""
        with self._lock:
            new = text not in self._known
            self._known[text] = None
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return new

    def __contains__(self, text: str) -> bool:
        with self._lock:
            return text in self._known


def _too_many(message: str, seconds: int) -> Problem:
    return Problem(503, message, "a little later; a token can be pasted", headers={"Retry-After": str(seconds)})
