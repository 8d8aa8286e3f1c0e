"""Durations, instants and shares as people write them: `90s`, `2026-11-23T10:00:00Z`, `10%`.

An instant is an aware `datetime` in UTC, a duration a `timedelta`, a share a `float` from 0 to 1. Text that can be
read two ways (a naive time, a bare number) is refused, never guessed.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

LONGEST = timedelta(days=36_500)
"""No duration is longer, so that an instant of this age plus a duration is always an instant."""

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"([0-9]{1,10})([smhd])")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_PERCENTAGE = re.compile(r"(100|[0-9]{1,2}(?:\.[0-9]{1,6})?)%")
_SHOWN = 60


class UnreadableError(ValueError):
    """Text that is no duration, time or share; `hint` says how one is written."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def quoted(value: object) -> str:
    """Quote what somebody else wrote: bounded, one line, no control characters."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `24h` or `30d`; one number, one unit, at most `LONGEST`.

    Raises `UnreadableError`.
    """
    match = _DURATION.fullmatch(text)
    if not match:
        raise UnreadableError(f"{quoted(text)} is not a duration", "write a number and s, m, h or d, like 90s or 30d")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise UnreadableError(f"{quoted(text)} is too long", f"a duration is at most {format_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it, so that `parse_duration` gives the same one back.

    Raises `ValueError` for a negative one and for fractions of a second, which have no such form.
    """
    seconds, rest = divmod(duration, timedelta(seconds=1))
    if rest or seconds < 0:
        raise ValueError(f"{duration!r} is not a number of whole seconds")
    unit = next(unit for unit, size in _SECONDS.items() if seconds % size == 0 and (seconds or unit == "s"))
    return f"{seconds // _SECONDS[unit]}{unit}"


def roughly(duration: timedelta) -> str:
    """Write a distance in time for people, in its two largest units, without a sign: `29d 18h`, `3m`, `0s`."""
    seconds = int(abs(duration).total_seconds())
    for (unit, size), (smaller, small) in pairwise(_SECONDS.items()):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{unit}" + (f" {rest}{smaller}" if rest else "")
    return f"{seconds}s"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time and give it in UTC; digits beyond microseconds are cut off.

    Raises `UnreadableError`, also for a time without an offset and for a leap second.
    """
    match = _TIME.fullmatch(text)
    hint = "write it like 2026-11-23T10:00:00Z"
    if match and not match["offset"]:
        raise UnreadableError(f"{quoted(text)} names no time zone", f"{hint} or with an offset, +01:00")
    try:
        if match:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise UnreadableError(f"{quoted(text)} is not a time", hint)


def format_time(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, with microseconds only where there are any.

    Raises `ValueError` for a naive one.
    """
    if instant.tzinfo is None:
        raise ValueError("a time without a time zone is no instant")
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse_percentage(text: str) -> float:
    """Read `10%` as 0.1; from 0 % to 100 %, at most six decimals.

    Raises `UnreadableError`, also for a bare number, which could mean either of two things.
    """
    match = _PERCENTAGE.fullmatch(text)
    if not match:
        raise UnreadableError(f"{quoted(text)} is not a percentage", "write it like 10%, from 0% to 100%")
    return float(match[1]) / 100


def format_percentage(share: float) -> str:
    """Write a share from 0 to 1 so that `parse_percentage` gives the same one back, to six decimals of a percent."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"
