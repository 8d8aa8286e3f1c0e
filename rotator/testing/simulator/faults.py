"""What can become of one effect, and what becomes of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from rotator.domain.failures import Failure, Transient
from rotator.testing.simulator.schedule import Crash, Schedule

T = TypeVar("T")


class Fate(StrEnum):
    """One effect's."""

    WELL = "well"
    CRASH_BEFORE = "crash before"
    REQUEST_LOST = "request lost"  # nothing happened
    REQUEST_LATE = "request late"  # it lands after the caller went on
    RESPONSE_LOST = "response lost"  # it happened
    THROTTLED = "throttled"
    CRASH_AFTER = "crash after"


FAULTS = tuple(fate for fate in Fate if fate is not Fate.WELL)
HOT = 4.0
"""How many times as likely a fault is where much depends on one effect: a mint, a write of a current value."""
NEAR = 12
"""For so many steps from there on, an event is as much more likely."""
Cell = tuple[str, str, str, str]
"""Strategy, mode, phase, fate."""


class Faults:
    """Draws fates, and counts what was drawn where."""

    def __init__(self, schedule: Schedule, strategy: str, *, rate: float, focus: str | None = None) -> None:
        """`rate`: the share of effects that go wrong; `focus`: the phase in which more do."""
        self.focus = focus
        self.schedule = schedule
        self.strategy = strategy
        self.rate = rate
        self.met: Counter[Cell] = Counter()

    def look(self, what: str) -> None:
        """Before something is only read: it may be lost, and nothing else matters."""
        schedule = self.schedule
        schedule.pause()
        actor = schedule.current
        if actor.faulty and not schedule.calm and schedule.random.random() < self.rate / 8:
            schedule.tell("sees nothing", what)
            raise Transient(f"no answer: {what}")

    def effect(
        self, what: str, act: Callable[[], T], *, lost: type[Failure] = Transient, late: bool = True, hot: bool = False
    ) -> T:
        """`act`, as far as its fate lets it. `lost`: what the caller is told when no answer comes.

        `hot`: a moment on which much depends, so that faults, stalls and emergencies are aimed at it.
        """
        schedule = self.schedule
        weight = HOT if hot or (self.focus is not None and schedule.current.phase == self.focus) else 1.0
        if hot:
            schedule.hot_until = schedule.steps + NEAR
        schedule.pause(weight)
        fate = self._draw(late, weight)
        actor = schedule.current
        self.met[(self.strategy, actor.mode, actor.phase, fate.value)] += 1
        if fate is not Fate.WELL:
            schedule.tell(fate.value, what)
        if fate is Fate.CRASH_BEFORE:
            raise Crash
        if fate is Fate.THROTTLED:
            raise Transient("too many requests", throttled=True)
        if fate is Fate.REQUEST_LOST:
            raise lost(f"no answer: {what}")
        if fate is Fate.REQUEST_LATE:
            self._land_later(what, act)
            raise lost(f"no answer: {what}")
        result = act()
        if fate is Fate.RESPONSE_LOST:
            raise lost(f"no answer: {what}")
        schedule.pause(weight)
        if fate is Fate.CRASH_AFTER:
            raise Crash
        return result

    def _draw(self, late: bool, weight: float) -> Fate:
        schedule = self.schedule
        if not schedule.current.faulty or schedule.calm or schedule.random.random() >= self.rate * weight:
            return Fate.WELL
        fate = schedule.random.choice(FAULTS)
        return Fate.REQUEST_LOST if fate is Fate.REQUEST_LATE and not late else fate

    def _land_later(self, what: str, act: Callable[[], object]) -> None:
        sender = self.schedule.current

        def land() -> None:
            self.schedule.current = sender
            try:
                act()
                self.schedule.tell("lands late", what)
            except Failure as failure:
                self.schedule.tell("refused late", what, failure.message)
            finally:
                self.schedule.current = self.schedule.script

        delay = self.schedule.random.random() * self.schedule.random.choice((20.0, 60.0, 110.0))
        self.schedule.later(delay, land)
