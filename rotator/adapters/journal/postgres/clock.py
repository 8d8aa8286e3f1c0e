"""The clock of an engine whose journal is on PostgreSQL: the database's, so that all replicas have the same one."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from rotator.adapters.journal.rows import instant
from rotator.ports import Clock


class DatabaseClock:
    """The clock port. What the database said last, and the time that has passed since; until then the machine's.

    It is off by no more than half the time that the answer took. Safe for many threads.
    """

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._said: tuple[float, datetime] | None = None  # replaced as a whole

    def now(self) -> datetime:
        """The instant, in UTC."""
        said = self._said
        if said is None:
            return self._machine.now()
        at, then = said
        return then + timedelta(seconds=self._machine.boottime() - at)

    def boottime(self) -> float:
        """The machine's."""
        return self._machine.boottime()

    @property
    def silent(self) -> float:
        """Seconds since the database said what time it is; endless where it never did."""
        said = self._said
        return math.inf if said is None else self._machine.boottime() - said[0]

    def learn(self, micros: int, asked_at: float) -> None:
        """The database said so in answer to what was sent at `asked_at`, by `boottime`."""
        self._said = ((asked_at + self._machine.boottime()) / 2, instant(micros))
