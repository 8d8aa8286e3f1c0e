"""Crontab lines, by APScheduler's `CronTrigger` where it agrees with crontab(5), by us where it does not.

APScheduler 3.11 counts weekdays from Monday as 0 (its `from_crontab` warns of it), wants day of month *and* weekday to
match where crontab takes either, and does not say what becomes of times that clocks skip or repeat. So weekdays are
handed to it by name, a line that restricts both is two triggers, and both are asked about readings of the wall clock,
which `rotator.domain.wallclock` turns into instants: a skipped time fires at the skip, a repeated one fires once.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Protocol

from rotator.domain.policy import PolicyError
from rotator.domain.times import quoted
from rotator.domain.wallclock import LATEST, believable, first_reading, wall

_FIELDS = 5
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = f"{'|'.join(_WEEKDAYS)}|[0-7]"
_WEEKDAY = re.compile(rf"(?:\*|({_DAY})(?:-({_DAY}))?)(?:/([1-7]))?")
_MICROSECOND = timedelta(microseconds=1)
_HINT = 'write five fields as in crontab(5), like cron: "0 10 * * 1" for Mondays at ten'


class CronCalendar:
    """The calendar port over APScheduler, which is imported when the first line is asked about."""

    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        """Find the first time of a crontab line, read in `tz`, strictly after an instant; in UTC.

        None: there is none before the year 9800. Raises `PolicyError` for a line that is not understood.
        """
        after = believable(after)
        # Cron's times are whole minutes, so that the time after 10:00:30 is the one after 10:00.
        reading = wall(after, tz).replace(second=0, microsecond=0)
        while (following := _next_reading(expression, reading)) is not None:
            instant = first_reading(following, tz)
            if instant > after:
                return instant if instant < LATEST else None
            reading = following
        return None


class _Trigger(Protocol):
    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None: ...


# Credentials that share a policy ask for the same readings again and again.
@lru_cache(maxsize=4096)
def _next_reading(expression: str, reading: datetime) -> datetime | None:
    earliest = reading.replace(tzinfo=UTC) + _MICROSECOND
    times = (trigger.get_next_fire_time(None, earliest) for trigger in _triggers(expression))
    return min((each.replace(tzinfo=None) for each in times if each is not None and each < LATEST), default=None)


@lru_cache(maxsize=1024)
def _triggers(expression: str) -> tuple[_Trigger, ...]:
    fields = expression.lower().split()
    if len(fields) != _FIELDS or not expression.isascii():
        raise PolicyError(f"{quoted(expression)} is not a crontab line", _HINT)
    try:
        return _either_day(*fields)
    except (ValueError, TypeError) as error:
        raise PolicyError(f"{quoted(expression)} is not a crontab line: {quoted(error)}", _HINT) from error


def _either_day(minute: str, hour: str, day: str, month: str, weekday: str) -> tuple[_Trigger, ...]:
    # Most commands need no cron, and the import takes 0.1 s.
    from apscheduler.triggers.cron import CronTrigger

    def trigger(day: str, weekday: str) -> _Trigger:
        made: _Trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=UTC)
        return made

    names = _by_name(weekday)
    if day.startswith("*") or weekday.startswith("*"):
        return (trigger(day, names),)
    return trigger(day, "*"), trigger("*", names)


def _by_name(field: str) -> str:
    days: set[int] = set()
    for part in field.split(","):
        match = _WEEKDAY.fullmatch(part)
        if not match:
            raise ValueError(f"{part} is no day of the week")
        first, last, step = match.groups()
        days.update(_range(first, last, int(step or 1)))
    return ",".join(_WEEKDAYS[day] for day in sorted(days))


def _range(first: str | None, last: str | None, step: int) -> set[int]:
    start = _number(first) if first else 0
    end = _number(last) if last else start if first and step == 1 else 6
    # Sunday is both 0 and 7: fri-sun and 5-0 end on the latter.
    end = end if end >= start else end + 7
    return {day % 7 for day in range(start, end + 1, step)}


def _number(name: str) -> int:
    return int(name) if name.isdigit() else _WEEKDAYS.index(name)
