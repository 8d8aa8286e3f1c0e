"""JSON documents, changed in place: the members of others, their order and the layout stay byte for byte.

`whole` and `whole_values` are for documents that nobody else writes: no layout is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.domain.failures import Permanent

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of the object, by its offsets in the text."""

    name: str
    start: int
    name_end: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    members: tuple[_Member, ...]
    inside: int
    outside: int  # offsets of what stands between the braces


def values(text: str) -> dict[str, str]:
    """The members by name; one that is no string is given as its JSON text. Raises Permanent for anything else."""
    found: dict[str, str] = {}
    for member in _parsed(text).members:
        raw = text[member.value_start : member.end]
        found[member.name] = json.loads(raw) if raw.startswith('"') else raw
    return found


def edited(text: str | None, changes: Mapping[str, str | None]) -> str | None:
    """The text with these members set, or removed where the change is None; None when nothing is left of it."""
    if text is None:
        document = {name: value for name, value in changes.items() if value is not None}
        return json.dumps(document, indent=2) + "\n" if document else None
    for name, value in changes.items():
        text = _removed(text, name) if value is None else _set(text, name, json.dumps(value))
    return text if _parsed(text).members else None


def whole_values(text: str) -> dict[str, str]:
    """The members by name, all of them strings. Raises Permanent for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _not_an_object()
    return found


def whole(text: str | None, changes: Mapping[str, str | None]) -> str | None:
    """A text with what it held and these changes; None when nothing is left."""
    document = {**(whole_values(text) if text is not None else {}), **changes}
    left = {name: value for name, value in document.items() if value is not None}
    return json.dumps(left) + "\n" if left else None


def _set(text: str, name: str, value: str) -> str:
    document = _parsed(text)
    same = [member for member in document.members if member.name == name]
    # Parsers disagree about a name that stands twice; with the same value everywhere they cannot.
    for member in reversed(same):
        text = text[: member.value_start] + value + text[member.end :]
    if same:
        return text
    if not document.members:
        return f"{text[: document.inside]}\n  {json.dumps(name)}: {value}\n{text[document.outside :]}"
    last = document.members[-1]
    if len(document.members) > 1:
        separator = text[document.members[-2].end : last.start]
    else:
        separator = "," + (text[document.inside : last.start] or " ")
    colon = text[last.name_end : last.value_start]
    return f"{text[: last.end]}{separator}{json.dumps(name)}{colon}{value}{text[last.end :]}"


def _removed(text: str, name: str) -> str:
    while True:
        document = _parsed(text)
        members = document.members
        at = next((index for index, member in enumerate(members) if member.name == name), None)
        if at is None:
            return text
        if at + 1 < len(members):
            text = text[: members[at].start] + text[members[at + 1].start :]
        elif at > 0:
            text = text[: members[at - 1].end] + text[members[at].end :]
        else:
            text = text[: document.inside] + text[document.outside :]


def _parsed(text: str) -> _Object:
    try:
        return _object(text)
    except (ValueError, IndexError, RecursionError):
        raise _not_an_object() from None


def _not_an_object() -> Permanent:
    return Permanent("the document is no JSON object", "mend it, or name another file")


def _object(text: str) -> _Object:
    members: list[_Member] = []
    inside = at = _expect(text, _skip(text, 0), "{")
    at = _skip(text, at)
    while text[at] != "}":
        if members:
            at = _skip(text, _expect(text, at, ","))
        start = at
        name, name_end = _DECODER.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("a member's name is a string")
        value_start = _skip(text, _expect(text, _skip(text, name_end), ":"))
        _, end = _DECODER.raw_decode(text, value_start)
        members.append(_Member(name, start, name_end, value_start, end))
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return _Object(tuple(members), inside, at)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _expect(text: str, at: int, character: str) -> int:
    if text[at] != character:
        raise ValueError(f"{character} is missing")
    return at + 1
