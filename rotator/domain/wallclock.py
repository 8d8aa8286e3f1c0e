"""From what a clock on a wall reads to the instant at which it does so.

Clocks are set forward (readings that never come) and back (readings that come twice). One rule decides every case: a
reading stands for the instant at which the wall clock *first reaches or passes* it. So a reading that is skipped stands
for the instant of the skip, one that comes twice for its first time, and later readings never for earlier instants.
"""

import difflib
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from rotator.domain.times import UnreadableError, quoted

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9800, 1, 1, tzinfo=UTC)

_SECOND = timedelta(seconds=1)


def believable(instant: datetime) -> datetime:
    """Bring an instant into `EARLIEST`…`LATEST`, where no sum of ours overflows, however wrong a clock is."""
    return min(max(instant, EARLIEST), LATEST)


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Find a time zone by its IANA name; `UTC` needs no data.

    The data are the system's or, where it has none, the `tzdata` package's. Raises `UnreadableError`.
    """
    if name == "UTC":
        return UTC
    try:
        # "localtime" is a file beside the others on some machines and differs from one to the next.
        if name.isascii() and name.isprintable() and name != "localtime":
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise UnreadableError(f"no time zone is called {quoted(name)}", _zone_hint(name))


def _zone_hint(name: str) -> str:
    known = available_timezones()
    if not known:
        return "this machine has no time zone data: install the Python package tzdata"
    lower = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"did you mean {lower[near[0]]}?" if near else "use a name like Europe/Berlin or UTC"


def wall(instant: datetime, tz: tzinfo) -> datetime:
    """Read the wall clock at an instant: a naive `datetime`."""
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def first_reading(reading: datetime, tz: tzinfo) -> datetime:
    """Find the instant, in UTC, at which the wall clock first reaches or passes a naive reading.

    Exact to a second around a skip. Later readings never give earlier instants.
    """
    instant = reading.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if wall(instant, tz) == reading:
        return instant
    # PEP 495: for a skipped reading, fold=0 lies behind the skip and fold=1 before it.
    return _skip_between(reading.replace(tzinfo=tz, fold=1).astimezone(UTC), instant, reading, tz)


def _skip_between(before: datetime, after: datetime, reading: datetime, tz: tzinfo) -> datetime:
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (before, middle) if wall(middle, tz) >= reading else (middle, after)
    return after
