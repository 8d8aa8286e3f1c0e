"""Policies as people write them, made into values."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rotator.domain.policy import DAYS, MINUTES, AtMaxOverlap, Blackout, Policy, PolicyError, Window
from rotator.domain.times import UnreadableError, parse_duration, parse_percentage, quoted

_DAY_NUMBERS = {name.lower(): number for number, name in enumerate(DAYS)}
_HOURS = re.compile(r"([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")
_WINDOW_HINT = 'write it like "Mon-Fri 09:00-16:00 Europe/Berlin"'
_BLACKOUT_HINT = 'write its first and last day in quotes, like "2026-12-20/2027-01-03"'


def read_policy(settings: Mapping[str, object]) -> Policy:
    """Make a policy of one entry under `policies:`; what is not said has the defaults of `Policy`.

    Raises `PolicyError`, whose message begins with the name of the setting at fault.
    """
    fields: dict[str, Any] = {}
    for name, value in settings.items():
        setting = _setting(name)
        try:
            fields[setting.field] = setting.read(value)
        except (UnreadableError, PolicyError) as error:
            raise PolicyError(f"{name}: {error.message}", error.hint) from error
    return Policy(**fields)


def read_window(text: str) -> Window:
    """Read `[days] [hours] zone`: `Mon-Fri 09:00-16:00 Europe/Berlin`, `Sat,Sun UTC`, `22:00-04:00 UTC`.

    Hours that end before they begin go over midnight. Raises `PolicyError`.
    """
    words = text.split()
    days = _days(words[0]) if words else None
    if days is not None:
        words = words[1:]
    hours = _hours(words[0], text) if words else None
    if hours is not None:
        words = words[1:]
    if not words and (days is not None or hours is not None):
        raise PolicyError(f"the window {quoted(text)} names no time zone", _WINDOW_HINT)
    if len(words) != 1 or (days is None and hours is None):
        raise PolicyError(f"{quoted(text)} is not a window", _WINDOW_HINT)
    opens, closes = hours or (0, MINUTES)
    return Window(days=days or frozenset(range(len(DAYS))), opens=opens, closes=closes, zone=words[0])


def read_blackout(text: str) -> Blackout:
    """Read `2026-12-20/2027-01-03`, both days included, or a single day. Raises `PolicyError`."""
    first, slash, last = text.partition("/")
    try:
        return Blackout(first=_date(first), last=_date(last if slash else first))
    except PolicyError:
        raise
    except ValueError:
        raise PolicyError(f"{quoted(text)} is not a range of days", _BLACKOUT_HINT) from None


def _days(word: str) -> frozenset[int] | None:
    days: set[int] = set()
    for part in word.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _DAY_NUMBERS or (dash and last not in _DAY_NUMBERS):
            return None
        start = _DAY_NUMBERS[first]
        length = (_DAY_NUMBERS[last] - start) % len(DAYS) if dash else 0
        days.update((start + step) % len(DAYS) for step in range(length + 1))
    return frozenset(days)


def _hours(word: str, window: str) -> tuple[int, int] | None:
    match = _HOURS.fullmatch(word)
    if not match:
        return None
    opens, closes = (int(match[i]) * 60 + int(match[i + 1]) for i in (1, 3))
    if opens >= MINUTES or closes > MINUTES:
        raise PolicyError(f"the window {quoted(window)} has hours that no clock shows", _WINDOW_HINT)
    if opens == closes:
        raise PolicyError(f"the window {quoted(window)} closes when it opens", "leave the hours out for whole days")
    return opens, closes if closes > opens else closes + MINUTES


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _text(read: Callable[[str], object]) -> Callable[[object], object]:
    def checked(value: object) -> object:
        if not isinstance(value, str):
            raise PolicyError(f"{quoted(value)} is not text", "put it in quotes")
        return read(value)

    return checked


def _blackouts(value: object) -> tuple[Blackout, ...]:
    if not isinstance(value, list | tuple):
        raise PolicyError(f"{quoted(value)} is not a list", 'write a list, like ["2026-12-20/2027-01-03"]')
    if not all(isinstance(each, str) for each in value):
        raise PolicyError("a blackout is not text", _BLACKOUT_HINT)
    return tuple(read_blackout(each) for each in value)


def _at_max_overlap(text: str) -> AtMaxOverlap:
    try:
        return AtMaxOverlap(text)
    except ValueError:
        raise PolicyError(f"{quoted(text)} is not known", "write " + " or ".join(AtMaxOverlap)) from None


@dataclass(frozen=True, slots=True)
class _Setting:
    field: str
    read: Callable[[object], object]


_SETTINGS = {
    "every": _Setting("every", _text(parse_duration)),
    "cron": _Setting("cron", _text(str)),
    "jitter": _Setting("jitter", _text(parse_percentage)),
    "window": _Setting("window", _text(read_window)),
    "blackout": _Setting("blackouts", _blackouts),
    "overlap": _Setting("overlap", _text(parse_duration)),
    "min_overlap": _Setting("min_overlap", _text(parse_duration)),
    "quiet_for": _Setting("quiet_for", _text(parse_duration)),
    "max_overlap": _Setting("max_overlap", _text(parse_duration)),
    "at_max_overlap": _Setting("at_max_overlap", _text(_at_max_overlap)),
    "compromise_grace": _Setting("compromise_grace", _text(parse_duration)),
}


def _setting(name: str) -> _Setting:
    if name in _SETTINGS:
        return _SETTINGS[name]
    near = difflib.get_close_matches(name, _SETTINGS, n=1)
    hint = f"did you mean {near[0]}?" if near else "a policy knows " + ", ".join(_SETTINGS)
    raise PolicyError(f"{quoted(name)} is no setting of a policy", hint)
