"""The handful of things that are done now and then; their clock is APScheduler's, the rotations have none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from rotator.app import standing
from rotator.app.ageing import ageing
from rotator.app.assembly import Assembly
from rotator.app.dry_starts import would_not_start
from rotator.app.housekeeping import enroll, tidy
from rotator.app.own_environment import keep_own
from rotator.config.errors import ConfigError
from rotator.daemon.reminders import Reminders
from rotator.domain.failures import Failure, JournalOlder
from rotator.domain.rotation import Rotation
from rotator.domain.times import format_time
from rotator.engine.outcomes import gives_up, lasts

T = TypeVar("T")
Stop = Callable[[], bool]

JUMP = 60.0
"""Seconds by which a clock is set that moves all duties to now: what was planned for a day ago or ahead is not."""
STILL = 3600.0
"""Seconds after which a duty hangs that did not even ask whether to stop: one that waits for a provider asks sooner."""
JITTER = 0.1
"""The share of its period by which a duty is moved, so that replicas do not do the same at the same moment."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What is done `every` so often, and at once when the service starts. `do` ends early once `Stop` says so.

    It asks that before each thing that it does, which is also how one sees that it moves.
    """

    name: str
    every: timedelta
    do: Callable[[Assembly, Reminders, Stop], None]


def _enroll(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """Adopt what is new in the config; a clock that ran ahead keeps nothing from its schedule."""
    begun = enroll(assembly, stop)
    for name, remark in begun.remarks:
        assembly.told.alert("adopted", name, remark)
    problems = tuple(_problems(begun.problems.items()))
    standing.keep(assembly.journal, "not adopted", problems, assembly.clock.now())
    reminders.true("not adopted", problems)


def _reconcile(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """Compare journal, stores and providers if it is time, and close the trail into a checkpoint."""
    try:
        for name, line in tidy(assembly, stop=stop):
            assembly.told.alert("reconciled", name, line)
    except JournalOlder:
        return  # said already, and the journal remembers it


def _start_dry(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """A driver that would not start is known before it has to."""
    found = tuple(until(stop, would_not_start(assembly)))
    if not stop():
        standing.keep(assembly.journal, "driver would not start", found, assembly.clock.now())
    reminders.true("driver would not start", found)


def _ages(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """Keys that are about to be too old, and those that are."""
    found = tuple(until(stop, ageing(assembly)))
    reminders.true("about to be too old", ((each.credential, each.said) for each in found if not each.missed))
    reminders.true("too old", ((each.credential, each.said) for each in found if each.missed))


def _failing(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """Rotations that fail since a day and are not given up, because there is no way back or no need of one."""
    now, timing = assembly.clock.now(), assembly.timing
    lasting = [row for row in assembly.opened.open_rotations() if lasts(row, now, timing)]
    found = [(row.credential, _lasting(row)) for row in lasting if not gives_up(row, now, timing)]
    reminders.true("does not get on", found)


def _lasting(row: Rotation) -> str:
    words = row.problem.message if row.problem is not None else row.phase.value
    since = f", since {format_time(row.failing_since.replace(microsecond=0))}" if row.failing_since is not None else ""
    return f"{words}{since}; it goes on trying"


def _own(assembly: Assembly, reminders: Reminders, stop: Stop) -> None:
    """What is installed here, with history: a package may turn out to have been bad."""
    keep_own(assembly)


DUTIES = (
    Duty("enroll", timedelta(hours=1), _enroll),
    Duty("reconcile", timedelta(minutes=10), _reconcile),
    Duty("start drivers dry", timedelta(hours=1), _start_dry),
    Duty("ages", timedelta(minutes=10), _ages),
    Duty("failing", timedelta(hours=1), _failing),
    Duty("own environment", timedelta(hours=24), _own),
)


class Clockwork:
    """Does the duties between `start` and `stop`; one that takes longer than its period is not begun twice."""

    def __init__(self, assembly: Assembly, reminders: Reminders, duties: Iterable[Duty] = DUTIES) -> None:
        self._assembly = assembly
        self._reminders = reminders
        self._duties = tuple(duties)
        self._moved: dict[str, float] = {}  # of each duty in hand, when it last showed that it moves
        self._ended = threading.Event()
        self._over = threading.Thread(target=self._shut_down, name="duties-end", daemon=True)
        self._ahead = _ahead()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(self._duties))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """All of them now, and then each in its time."""
        for duty in self._duties:
            self._scheduler.add_job(
                self._do,
                "interval",
                args=[duty],
                id=duty.name,
                seconds=duty.every.total_seconds(),
                jitter=int(duty.every.total_seconds() * JITTER),
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.start()

    @property
    def hangs(self) -> bool:
        """Whether a duty in hand has not moved for so long that it never will: only another process does it again."""
        return any(True for _ in self._not_moved(STILL))

    def look(self) -> None:
        """Do all of them now where the clock was set: APScheduler plans by it. Tell of those that do not move."""
        for name in self._not_moved(STILL / 2):
            self._reminders.also_true("duty failed", name, f"it has not moved for {STILL / 120:.0f} minutes")
        ahead, self._ahead = self._ahead, _ahead()
        if abs(self._ahead - ahead) >= JUMP:
            for duty in self._duties:
                self._scheduler.modify_job(duty.name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Begin none, and end early what is being done. Does not wait; twice: nothing more."""
        if not self._ended.is_set():
            self._ended.set()
            self._over.start()

    def wait(self, seconds: float) -> bool:
        """After `stop`: whether all are over, at most so much later."""
        self._over.join(seconds)
        return not self._over.is_alive()

    def _shut_down(self) -> None:
        self._scheduler.shutdown(wait=True)

    def _not_moved(self, seconds: float) -> Iterator[str]:
        now = time.monotonic()
        return (name for name, at in tuple(self._moved.items()) if now - at > seconds)

    def _shall_stop(self, duty: Duty) -> bool:
        self._moved[duty.name] = time.monotonic()
        return self._ended.is_set()

    def _do(self, duty: Duty) -> None:
        if self._shall_stop(duty):
            return
        try:
            duty.do(self._assembly, self._reminders, partial(self._shall_stop, duty))
        except (ConfigError, Failure) as failure:
            said = failure.message + (f" — {failure.hint}" if failure.hint else "")
            self._reminders.also_true("duty failed", duty.name, said)
        except Exception as error:  # noqa: BLE001 - a defect must not end the service; its text may hold anything
            self._assembly.defect(duty.name, error)
        else:
            self._reminders.over("duty failed", duty.name)
        finally:
            self._moved.pop(duty.name, None)


def until(stop: Stop, found: Iterable[T]) -> Iterator[T]:
    """As much of it as comes before somebody wants it to end."""
    for each in found:
        if stop():
            return
        yield each


def _ahead() -> float:
    """By how much the wall clock is ahead of one that nobody sets, in seconds."""
    return time.time() - time.monotonic()


def _problems(problems: Iterable[tuple[str, tuple[str, str]]]) -> Iterable[tuple[str, str]]:
    return ((name, message + (f" — {hint}" if hint else "")) for name, (message, hint) in problems)
