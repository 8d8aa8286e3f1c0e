"""What becomes of a request to a provider or a store: an outage, a throttle, a request or an answer that got lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TypeVar

from rotator.domain.failures import Failure, Transient
from tests.simulation.year.life import Life
from tests.simulation.year.truth import Truth

T = TypeVar("T")
SPAN = 0.02
"""Seconds that a request takes."""


class Weather:
    """What becomes of a request to somebody: an outage, a throttle, or a request or answer that got lost."""

    def __init__(self, name: str, truth: Truth, life: Life, random: Random) -> None:
        self.name, self.truth, self.life, self._random = name, truth, life, random
        self._spans = truth.down[name]
        self._next = 0
        self.rate = 0.002

    def look(self) -> None:
        """A request that changes nothing."""
        self.life.point()
        self.truth.time.seconds += SPAN
        self._may_fail()

    def effect(self, do: Callable[[], T], lost: type[Failure] = Transient) -> T:
        """A request that changes something."""
        self.look()
        done = do()
        self.life.point()
        if self._random.random() < self.rate:
            self.truth.counts["answers lost"] += 1
            raise lost(f"the answer of {self.name} got lost")
        return done

    def _may_fail(self) -> None:
        if self._down():
            self.truth.counts["refused by an outage"] += 1
            raise Transient(f"{self.name} is down")
        drawn = self._random.random()
        if drawn < self.rate:
            self.truth.counts["requests lost"] += 1
            raise Transient(f"the request to {self.name} got lost")
        if drawn < 3 * self.rate:
            self.truth.counts["throttled"] += 1
            raise Transient(f"{self.name} throttles", throttled=True, retry_after=timedelta(seconds=5))

    def _down(self) -> bool:
        now = self.truth.time.seconds
        while self._next < len(self._spans) and self._spans[self._next].end <= now:
            self._next += 1
        return self._next < len(self._spans) and self._spans[self._next].begin <= now
