"""When we may act: windows and blackouts, by the wall clock of their zone, in instants of UTC.

An opening lasts from the instant at which the wall clock first reaches its start until it first reaches its end. It
follows that an opening within skipped hours does not take place and one that a skip cuts is shorter; that an hour that
comes twice is one opening, which a clock set back neither closes nor opens again; that a skipped day has none.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache

from rotator.domain.policy import Blackout, Policy, Window
from rotator.domain.wallclock import believable, first_reading, wall

_DAY = timedelta(days=1)
# Back for openings over midnight and for a date line crossed, ahead for weekly openings that are skipped twice running.
_DAYS_TO_LOOK = range(-2, 24)


class Closure(StrEnum):
    """What keeps us from acting."""

    BLACKOUT = "blackout"
    WINDOW = "outside_window"


@dataclass(frozen=True, slots=True)
class Allowed:
    """We may act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """We may not act before `until`; `why` is half a sentence."""

    by: Closure
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Opening:
    """From `starts` on, up to but not including `ends`; empty where a skipped hour swallowed it."""

    starts: datetime
    ends: datetime

    def __bool__(self) -> bool:
        return self.starts < self.ends


def may_act(policy: Policy, now: datetime) -> Allowed | Closed:
    """Say whether window and blackouts let us act now, and if not, from when on."""
    instant = believable(now)
    if span := _blackout_at(policy, instant):
        why = f"in the blackout {span[0]}"
        return Closed(by=Closure.BLACKOUT, until=next_open(policy, instant), why=why)
    if policy.window and _next_in_window(policy.window, instant) > instant:
        why = f"outside the window {policy.window}"
        return Closed(by=Closure.WINDOW, until=next_open(policy, instant), why=why)
    return Allowed()


def next_open(policy: Policy, instant: datetime) -> datetime:
    """Find the first instant, at or after the given one, that is in the window and in no blackout.

    Ends always: every turn leaves a blackout behind. Instants beyond `EARLIEST` and `LATEST` count as those.
    """
    instant = believable(instant)
    while True:
        if policy.window:
            instant = _next_in_window(policy.window, instant)
        span = _blackout_at(policy, instant)
        if span is None:
            return instant
        instant = span[1].ends


@lru_cache(maxsize=4096)
def opening_on(window: Window, day: date) -> Opening:
    """Give the opening that begins on a day of the zone's calendar, whether or not the window has that weekday."""
    return _between(_reading(day, window.opens), _reading(day, window.closes), window.tz)


def _next_in_window(window: Window, instant: datetime) -> datetime:
    today = wall(instant, window.tz).date()
    for days in _DAYS_TO_LOOK:
        day = today + days * _DAY
        if day.weekday() in window.days and (opening := opening_on(window, day)) and opening.ends > instant:
            return max(instant, opening.starts)
    raise AssertionError(f"no opening of {window} within three weeks of {instant}")


def _blackout_at(policy: Policy, instant: datetime) -> tuple[Blackout, Opening] | None:
    spans = ((blackout, _span(blackout, policy.tz)) for blackout in policy.blackouts)
    return next(((blackout, span) for blackout, span in spans if span.starts <= instant < span.ends), None)


@lru_cache(maxsize=4096)
def _span(blackout: Blackout, tz: tzinfo) -> Opening:
    return _between(_reading(blackout.first, 0), _reading(blackout.last + _DAY, 0), tz)


def _between(first: datetime, last: datetime, tz: tzinfo) -> Opening:
    return Opening(first_reading(first, tz), first_reading(last, tz))


def _reading(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)
