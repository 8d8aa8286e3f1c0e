"""How often and when a credential is rotated, as values that cannot contradict themselves.

What needs a calendar or a search (a cron that never fires, a window that never opens) `rotator.policy.checks` asks.
"""

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from enum import StrEnum

from rotator.domain.times import LONGEST, UnreadableError, format_duration, format_percentage, roughly
from rotator.domain.wallclock import EARLIEST, LATEST, zone

MINUTES = 24 * 60
"""Minutes of a day on the wall clock, whatever the day's real length."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_EVERY_JITTER = 0.1


class PolicyError(ValueError):
    """A policy that cannot be read or contradicts itself: `message` is what is wrong, `hint` what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class AtMaxOverlap(StrEnum):
    """What becomes of an old key that is still used when the longest overlap is over."""

    HOLD = "hold"
    """It stays alive, and that is an alert."""
    RETIRE = "retire"
    """It is retired all the same; whoever uses it then is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Weekly openings by the wall clock of a zone: `Mon-Fri 09:00-16:00 Europe/Berlin`.

    `days` are weekdays from 0, Monday, on which an opening begins. `opens` and `closes` are minutes since that day's
    midnight; `closes` lies beyond 1440 where the opening ends on the day after. Raises `PolicyError`.
    """

    days: frozenset[int]
    opens: int
    closes: int
    zone: str

    def __post_init__(self) -> None:
        if not self.days or not self.days <= set(range(len(DAYS))):
            raise PolicyError("a window needs days of the week", "name them from Mon to Sun")
        if not 0 <= self.opens < MINUTES or not self.opens < self.closes <= self.opens + MINUTES:
            raise PolicyError(
                "a window opens and closes within 24 hours", "write hours like 09:00-16:00 or 22:00-04:00"
            )
        if self.closes == self.opens + MINUTES and not self.whole_days:
            raise PolicyError("a window of 24 hours begins at midnight", "leave the hours out for whole days")
        _known_zone(self.zone)

    @property
    def whole_days(self) -> bool:
        return self.opens == 0 and self.closes == MINUTES

    @property
    def tz(self) -> tzinfo:
        return zone(self.zone)

    def __str__(self) -> str:
        """Give the text that reads as this window."""
        hours = "" if self.whole_days else f" {_hour(self.opens)}-{_hour(self.closes)}"
        return f"{_day_list(self.days)}{hours} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """Days in which nothing scheduled begins, both ends included: `2026-12-20/2027-01-03`. Raises `PolicyError`."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PolicyError(f"the blackout {self} ends before it begins", "write the earlier day first")
        if self.first.year < EARLIEST.year or self.last.year >= LATEST.year:
            raise PolicyError(f"the blackout {self} lies too far away", "hold a credential that nobody may rotate")

    def __str__(self) -> str:
        """Give the text that reads as this blackout."""
        return f"{self.first.isoformat()}/{self.last.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a credential is due, when we may act, and how long an old key outlives a new one.

    Exactly one of `every` and `cron` is given. Raises `PolicyError` for values that contradict each other.
    """

    every: timedelta | None = None
    """The longest time from one rotation to the next, closed windows aside; elapsed time, not days of the calendar."""
    cron: str | None = None
    """Five fields as in crontab(5), read in the zone of the window, without one in UTC."""
    jitter: float | None = None
    """Share of the period over which credentials are spread, from 0 up to but not 1. It pulls `every` earlier and puts
    `cron` later. None: 10 % for `every`, nothing for `cron`."""
    window: Window | None = None
    """None: always open."""
    blackouts: tuple[Blackout, ...] = ()
    """Days in the zone of the window, without one in UTC."""
    overlap: timedelta = timedelta(hours=24)
    """How long both keys work at least."""
    min_overlap: timedelta | None = None
    """How long both keys work at least once every declared consumer has acknowledged. None: as long as ever."""
    quiet_for: timedelta = timedelta(hours=1)
    """How long the old key must have been unused before it is retired."""
    max_overlap: timedelta = timedelta(days=7)
    """When `at_max_overlap` decides about an old key that is still used."""
    at_max_overlap: AtMaxOverlap = AtMaxOverlap.HOLD
    compromise_grace: timedelta = timedelta(seconds=60)
    """How long both keys work in an emergency."""

    def __post_init__(self) -> None:
        if (self.every is None) == (self.cron is None):
            raise PolicyError("a policy needs either every or cron", "write every: 30d or a crontab line, not both")
        if not 0 <= self.spread < 1:
            raise PolicyError("jitter is a share from 0% up to but not 100%", "write it like jitter: 10%")
        self._check_durations()
        self._check_period()

    @property
    def spread(self) -> float:
        """The jitter that counts, from 0 up to but not 1."""
        if self.jitter is None:
            return _EVERY_JITTER if self.every is not None else 0.0
        return self.jitter

    @property
    def tz(self) -> tzinfo:
        """The zone in which cron and blackouts are read."""
        return self.window.tz if self.window else zone("UTC")

    def _check_durations(self) -> None:
        for name in ("overlap", "min_overlap", "quiet_for", "max_overlap", "compromise_grace"):
            if getattr(self, name) is not None and not timedelta(0) <= getattr(self, name) <= LONGEST:
                raise PolicyError(f"{name} is out of range", f"write a duration from 0s to {format_duration(LONGEST)}")
        for name, length in (("overlap", self.overlap), ("quiet_for", self.quiet_for)):
            if length > self.max_overlap:
                what = f"{name}, {roughly(length)}, is longer than max_overlap, {roughly(self.max_overlap)}"
                raise PolicyError(what, f"shorten {name} or lengthen max_overlap")
        if self.min_overlap is not None and self.min_overlap > self.overlap:
            what = f"min_overlap, {roughly(self.min_overlap)}, is longer than overlap, {roughly(self.overlap)}"
            raise PolicyError(what, "acknowledgements only shorten an overlap")

    def _check_period(self) -> None:
        if self.every is None:
            return
        if not timedelta(0) < self.every <= LONGEST:
            raise PolicyError("every is out of range", f"write a duration from 1s to {format_duration(LONGEST)}")
        if self.every * (1 - self.spread) <= self.overlap:
            less = f" less its jitter of {format_percentage(self.spread)}" if self.spread else ""
            what = f"every, {roughly(self.every)}{less}, is not longer than overlap, {roughly(self.overlap)}"
            raise PolicyError(what, "rotate less often or shorten overlap")


STANDARD = Policy(every=timedelta(days=30))
"""For a credential that names no policy."""


def _known_zone(name: str) -> None:
    try:
        zone(name)
    except UnreadableError as error:
        raise PolicyError(error.message, error.hint) from error


def _hour(minutes: int) -> str:
    hours, minute = divmod(minutes if minutes <= MINUTES else minutes - MINUTES, 60)
    return f"{hours:02}:{minute:02}"


def _day_list(days: frozenset[int]) -> str:
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] + (f"-{DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs)
