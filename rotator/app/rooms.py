"""Which providers have use for one more rotation in hand: beyond that it only stands in line, on a thread of others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Protocol

LINE = 0.5
"""Seconds of a provider's turns that are in hand in any case: what is in hand waits no longer for its turn."""
LEAST = 2


class Line(Protocol):
    """The turns of a provider that allows so many requests a second."""

    @property
    def interval(self) -> float:
        """Seconds between two turns; 0: no limit."""
        ...

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        ...


class Rooms:
    """Used by one thread; `leave` by any. `line_of`: a provider's line."""

    def __init__(self, line_of: Callable[[str], Line], clock: Callable[[], float] = time.monotonic) -> None:
        self._line_of = line_of
        self._clock = clock
        self._in_hand: Counter[str] = Counter()
        self._last: dict[str, float] = {}

    def free(self, provider: str) -> bool:
        """Whether it has use for one more: few are in hand, or nobody stands in line, for longer than a turn takes.

        How long a call takes decides how many it takes to use every turn, and nobody knows that before.
        """
        line, in_hand = self._line_of(provider), self._in_hand[provider]
        if not line.interval or in_hand < max(LEAST, ceil(LINE / line.interval)):
            return True
        return not line.waiting and self._clock() - self._last[provider] >= line.interval

    def enter(self, provider: str) -> None:
        """One more is in hand."""
        self._in_hand[provider] += 1
        self._last[provider] = self._clock()

    def leave(self, provider: str) -> None:
        """One less is."""
        self._in_hand[provider] -= 1
