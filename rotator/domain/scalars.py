"""The single values that JSON holds for the codec: each is checked here, on the way out and on the way in.

Every function takes the value and where it stands, gives the value, and raises `CodecError`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar

from rotator.domain.times import LONGEST, UnreadableError, parse_time

MOST_TEXT = 131_072
"""Characters of one text: above what any store of ours takes for one document."""
MOST_ITEMS = 100_000
"""Members of one list or object."""
MOST_OF_A_MESSAGE = 1_000
"""Characters of a failure's text that are kept."""
LARGEST = 2**63 - 1

C = TypeVar("C", bound=Collection[Any])


class CodecError(ValueError):
    """Something at `where` does not have the form it must have; what stands there is not told."""

    def __init__(self, where: str, wrong: str) -> None:
        super().__init__(f"{where} {wrong}")
        self.where = where


def few(data: C, where: str) -> C:
    if len(data) > MOST_ITEMS:
        raise CodecError(where, f"has more than {MOST_ITEMS} members")
    return data


def text(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise CodecError(where, "is no text")
    if len(data) > MOST_TEXT:
        raise CodecError(where, f"is longer than {MOST_TEXT} characters")
    if not data.isascii() and any("\ud800" <= each <= "\udfff" for each in data):
        raise CodecError(where, "holds half of a character")  # it could be written nowhere
    return data


def line(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise CodecError(where, "is no text")
    return "".join(each if each.isprintable() else " " for each in data[:MOST_OF_A_MESSAGE])


def nothing(data: Any, where: str) -> None:
    if data is not None:
        raise CodecError(where, "is not nothing")


def flag(data: Any, where: str) -> bool:
    if not isinstance(data, bool):
        raise CodecError(where, "is neither true nor false")
    return data


def whole(data: Any, where: str) -> int:
    if not isinstance(data, int) or isinstance(data, bool) or abs(data) > LARGEST:
        raise CodecError(where, "is no whole number of 64 bits")
    return data


def number(data: Any, where: str, *, most: float = math.inf) -> float:
    if isinstance(data, int) and not isinstance(data, bool):
        data = float(whole(data, where))
    if not isinstance(data, float) or not math.isfinite(data) or abs(data) > most:
        raise CodecError(where, "is no number in range")
    return data


def instant(data: Any, where: str) -> datetime:
    try:
        return parse_time(text(data, where))
    except UnreadableError:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise CodecError(where, "is no instant")


def duration(data: Any, where: str) -> timedelta:
    return timedelta(seconds=number(data, where, most=LONGEST.total_seconds()))
