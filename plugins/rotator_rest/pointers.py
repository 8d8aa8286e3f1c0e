"""JSON pointers (RFC 6901) into what an API answers, and what is found there as bounded, plain values.

One step beyond the RFC: `*` is each member of a list or of a table, for keys that are listed within something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rotator.sdk import SettingsError, Transient, UnreadableError, parse_time

MOST_ID = 512
MOST_TEXT = 256
MILLISECONDS = 10**11
"""From here on a number of an epoch counts milliseconds: as seconds it would be the year 5138."""

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_NUMBER = re.compile(r"[0-9]{9,16}(?:\.[0-9]+)?")
_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?")
_NEVER = ("", "0", "never")
_OLDEST = datetime(1970, 1, 2, tzinfo=UTC)
"""Some languages write the year 1 for "never", others the epoch."""


def checked_pointer(text: str, where: str) -> str:
    """Raises `SettingsError` for what is no JSON pointer."""
    if not _POINTER.fullmatch(text):
        raise SettingsError(f"{where} is no JSON pointer", "write it like /data/id, or '' for the whole answer")
    return text


def pointed(tree: Any, pointer: str) -> Any:
    """What a pointer names; None where there is nothing."""
    return next(all_pointed(tree, pointer), None)


def all_pointed(tree: Any, pointer: str) -> Iterator[Any]:
    """All that a pointer names, more than one thing where it has a `*`."""
    if not pointer:
        yield tree
        return
    step, _, rest = pointer[1:].partition("/")
    rest = f"/{rest}" if "/" in pointer[1:] else ""
    for inner in _members(tree, step.replace("~1", "/").replace("~0", "~")):
        yield from all_pointed(inner, rest)


def _members(tree: Any, name: str) -> list[Any]:
    if isinstance(tree, list):
        if name == "*":
            return tree
        return [tree[int(name)]] if name.isdecimal() and int(name) < len(tree) else []
    if not isinstance(tree, Mapping):
        return []
    return [tree[name]] if name in tree else list(tree.values()) if name == "*" else []


def spelled(value: Any) -> str | None:
    """A plain value as JSON spells it, without quotes; None for tables, lists and what is not there."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def identifier(value: Any) -> str:
    """An id, which may be a number. Raises `Transient` for none."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text or len(text) > MOST_ID or not text.isprintable():
        raise Transient("an id is missing or strange", "see where the description looks for it")
    return text


def shown(value: Any) -> str | None:
    """A text of somebody else's, bounded and without control characters; None where there is none."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(each if each.isprintable() else "·" for each in value[:MOST_TEXT])


def instant(value: Any, *, utc: bool) -> datetime | None:
    """An instant: RFC 3339, or an epoch's seconds or milliseconds; None for never.

    `utc`: a time without a zone is meant in UTC. Raises `Transient` for what is no time.
    """
    if value is None or value in _NEVER or (isinstance(value, int | float) and value == 0):
        return None
    try:
        found = _read(value, utc=utc)
    except (UnreadableError, ValueError, OverflowError, OSError):
        found = None
    if found is None:  # beneath a handler the error would carry what was read as its context
        raise Transient("a time is listed in a strange form", "times: utc is for those without a zone")
    return found if found >= _OLDEST else None


def _read(value: Any, *, utc: bool) -> datetime | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS else value, UTC)
    if not isinstance(value, str):
        return None
    return parse_time(value.replace(" ", "T", 1) + "Z" if utc and _NAIVE.fullmatch(value) else value)
