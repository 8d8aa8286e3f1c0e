"""Calls at the same time: each in an actor of its own, so that the seed says who goes on and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from rotator.domain.failures import Failure
from rotator.testing.simulator.schedule import Schedule

T = TypeVar("T")


class SimulatedTogether:
    """Implements `rotator.ports.Together`."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def run(self, calls: Sequence[Callable[[], T]]) -> tuple[T | Failure, ...]:
        made: dict[int, T | Exception] = {}

        def make(number: int) -> None:
            try:
                made[number] = calls[number]()
            except Exception as error:  # noqa: BLE001 - raised when all are over
                made[number] = error

        if len(calls) > 1:
            self._schedule.side_by_side([partial(make, number) for number in range(len(calls))])
        elif calls:
            make(0)
        return tuple(_unless_defect(made[number]) for number in range(len(calls)))


def _unless_defect(made: T | Exception) -> T | Failure:
    if isinstance(made, Exception) and not isinstance(made, Failure):
        raise made
    return made
