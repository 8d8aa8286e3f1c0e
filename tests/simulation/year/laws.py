"""Policies, as they are written into the config, and what follows from the words of their documentation.

Nothing of `rotator.policy` is used: windows, blackouts and cron are worked out here once more, slowly, by trying every
quarter of an hour. So every time in a policy here is a multiple of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from tests.simulation.year.time import START

QUARTER = timedelta(minutes=15)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WORKDAYS, WEEKEND, ALL = frozenset(range(5)), frozenset({5, 6}), frozenset(range(7))
HORIZON = timedelta(days=500)


@dataclass(frozen=True, kw_only=True)
class Law:
    """One policy. `every` in days; `cron`: minute, hour, and a day of the month or of the week (0 is Monday).

    `window`: days, and the minutes of the day at which it opens and closes; None: the whole of these days.
    """

    name: str
    every: float | None = None
    cron: tuple[int, int, int | None, int | None] | None = None
    jitter: float | None = None
    zone: str | None = None
    days: frozenset[int] = ALL
    window: tuple[int, int] | None = None
    blackouts: tuple[tuple[date, date], ...] = ()
    overlap: timedelta = timedelta(hours=24)

    def __hash__(self) -> int:
        return hash((self.name, self.every, self.cron))

    # -- as it is written ----------------------------------------------------------------------------------------

    def written(self) -> str:
        """The policy in YAML's flow style."""
        parts = [f"overlap: {round(self.overlap.total_seconds() / 3600)}h", "max_overlap: 10d"]
        if self.every is not None:
            parts.append(f"every: {round(self.every * 24)}h")
        if self.cron is not None:
            minute, hour, of_month, of_week = self.cron
            weekday = "*" if of_week is None else str((of_week + 1) % 7)
            parts.append(f'cron: "{minute} {hour} {"*" if of_month is None else of_month} * {weekday}"')
        if self.jitter is not None:
            parts.append(f"jitter: {round(self.jitter * 100)}%")
        if self.zone is not None:
            parts.append(f'window: "{self._window()}"')
        if self.blackouts:
            spans = ", ".join(f'"{first}/{last}"' for first, last in self.blackouts)
            parts.append(f"blackout: [{spans}]")
        return "{" + ", ".join(parts) + "}"

    def _window(self) -> str:
        days = ",".join(DAYS[day] for day in sorted(self.days))
        if self.window is None:
            return f"{days} {self.zone}"
        opens, closes = (f"{each // 60 % 24:02}:{each % 60:02}" for each in self.window)
        return f"{days} {opens}-{closes} {self.zone}"

    # -- what it means -------------------------------------------------------------------------------------------

    @property
    def spread(self) -> float:
        """The share of its period over which credentials are spread."""
        if self.jitter is not None:
            return self.jitter
        return 0.1 if self.every is not None else 0.0

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone or "UTC")

    def open(self, instant: datetime) -> bool:
        """Whether something scheduled may begin at this instant."""
        tz = self.zone or "UTC"
        for first, last in self.blackouts:
            if reached(tz, first, 0) <= instant < reached(tz, last + timedelta(days=1), 0):
                return False
        if self.zone is None:
            return True
        opens, closes = self.window or (0, 24 * 60)
        today = instant.astimezone(self.tz).date()
        return any(
            day.weekday() in self.days and reached(tz, day, opens) <= instant < reached(tz, day, closes)
            for day in (today - timedelta(days=1), today)
        )

    def next_open(self, instant: datetime) -> datetime:
        """The first open instant from there on."""
        if self.open(instant):
            return instant
        instant = START + (instant - START) // QUARTER * QUARTER
        while not self.open(instant):
            instant += QUARTER
        return instant

    @cached_property
    def ticks(self) -> tuple[datetime, ...]:
        """The times of its cron."""
        assert self.cron is not None
        minute, hour, of_month, of_week = self.cron
        first = (START - timedelta(days=100)).date()
        days = (first + timedelta(days=n) for n in range((HORIZON + timedelta(days=100)).days))
        met = (day for day in days if day.day == of_month or day.weekday() == of_week)
        return tuple(reached(self.zone or "UTC", day, hour * 60 + minute) for day in met)

    def earliest(self, since: datetime) -> datetime:
        """Before that no key is due that went live at `since`."""
        if self.every is not None:
            return since + timedelta(days=self.every) * (1 - self.spread)
        return next(tick for tick in self.ticks if tick > since)

    def latest(self, since: datetime) -> datetime:
        """By then it is due, and the window open."""
        if self.every is not None:
            return self.next_open(since + timedelta(days=self.every))
        first, following = [tick for tick in self.ticks if tick > since][:2]
        return self.next_open(first + (following - first) * self.spread)

    def leeway(self, since: datetime) -> timedelta:
        """How long after it was due a key is too old: a twentieth of its period, from an hour to three days.

        The longest that it can be: a cron's period is that of the longest month.
        """
        period = timedelta(days=self.every) if self.every is not None else self._longest()
        return min(max(period / 20, timedelta(hours=1)), timedelta(days=3))

    def _longest(self) -> timedelta:
        return max(later - tick for tick, later in zip(self.ticks, self.ticks[1:], strict=False))


@lru_cache(maxsize=100_000)
def reached(zone: str, day: date, minutes: int) -> datetime:
    """The instant at which the wall clock of a zone first reads so many minutes after a day's midnight, or more."""
    tz, reading = ZoneInfo(zone), datetime.combine(day, time()) + timedelta(minutes=minutes)
    instant = reading.replace(tzinfo=tz).astimezone(UTC) - timedelta(hours=3)
    while instant.astimezone(tz).replace(tzinfo=None) < reading:
        instant += QUARTER
    return instant


FREEZE = ((date(2027, 12, 18), date(2028, 1, 2)),)
SUMMER = ((date(2027, 8, 2), date(2027, 8, 15)),)
LAWS: Mapping[str, Law] = {
    law.name: law
    for law in (
        Law(name="monthly", every=30),
        Law(name="fortnight", every=14, jitter=0.0, overlap=timedelta(hours=2)),
        Law(
            name="office",
            every=90,
            jitter=0.2,
            zone="Europe/Berlin",
            days=WORKDAYS,
            window=(9 * 60, 16 * 60),
            blackouts=FREEZE,
        ),
        Law(name="sundays", cron=(30, 2, None, 6), zone="Europe/Berlin", overlap=timedelta(hours=12)),
        Law(name="mondays", cron=(0, 10, None, 0), jitter=0.1, zone="America/New_York", blackouts=FREEZE),
        Law(name="lord-howe", cron=(15, 2, 1, None), zone="Australia/Lord_Howe", blackouts=SUMMER),
        Law(
            name="nights",
            every=7,
            zone="America/New_York",
            window=(22 * 60, 28 * 60),
            days=frozenset({2, 5}),
            overlap=timedelta(hours=48),
        ),
        Law(
            name="quarterly",
            every=60,
            jitter=0.05,
            zone="Asia/Kolkata",
            days=WEEKEND,
            window=(0, 6 * 60),
            overlap=timedelta(days=7),
        ),
        Law(name="skipped", every=21, zone="Europe/Berlin", window=(60, 150), blackouts=SUMMER),
    )
}
