"""Dotenv documents, changed in place: comments, order, `export` and quotes stay; a value never becomes a second line.

There is no standard. Values are written so that POSIX shells, python-dotenv, node's dotenv and docker compose read the
same: bare where only harmless characters are in it, else in single quotes, else in double quotes without anything that
is expanded there. What needs an escape in double quotes (a line break as `\n`) python-dotenv and docker compose read
back, shells or node's dotenv do not. The rest is refused, above all `${`, which python-dotenv expands in any quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rotator.domain.failures import Permanent
from rotator.domain.times import quoted

_HEAD = re.compile(r"[^\S\r\n]*(?:export[^\S\r\n]+)?(?P<key>[^=#\s'\"]+)[^\S\r\n]*=(?P<gap>[^\S\r\n]*)")
_QUOTED = {"'": re.compile(r"'(?:\\.|[^'\\])*'", re.DOTALL), '"': re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)}
_AFTER_QUOTES = re.compile(r"[^\S\r\n]*(?:#[^\r\n]*)?(?=\r|\n|\Z)")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_END_OF_LINE = re.compile(r"\r\n|\n|\r|\Z")
_COMMENT = re.compile(r"\s+#.*")
_ESCAPED = {"'": re.compile(r"\\([\\'])"), '"': re.compile(r"\\([\\'\"abfnrtv])")}
_MEANT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WRITTEN = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


@dataclass(frozen=True, slots=True)
class _Binding:
    """One `NAME=value`, by its offsets in the text. `quote` is None where nobody can say what the value is."""

    key: str
    start: int
    value_start: int
    value_end: int
    end: int
    quote: str | None


def values(text: str) -> dict[str, str]:
    """The values by name as python-dotenv reads them, nothing expanded; of a name that stands twice the last."""
    return {each.key: _decoded(text, each) for each in _bindings(text) if each.quote is not None}


def edited(text: str | None, changes: Mapping[str, str | None]) -> str | None:
    """The text with these names set, or removed where the change is None; None when nothing is left of it.

    Raises Permanent for a value that cannot be written so that it is read back.
    """
    text = text or ""
    before = values(text)
    for name, value in changes.items():
        text = _removed(text, name) if value is None else _set(text, name, value)
    wanted = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if values(text) != wanted:
        raise Permanent("the document has a quote that is never closed", "mend it: what follows is read as one value")
    return text if text.strip() else None


def _set(text: str, name: str, value: str) -> str:
    same = [each for each in _bindings(text) if each.key == name]
    if any(each.quote is None for each in same):
        raise Permanent(f"the line of {quoted(name)} cannot be understood", "mend its quotes")
    for each in reversed(same):
        text = text[: each.value_start] + _encoded(name, value, each.quote) + text[each.value_end :]
    if same:
        return text
    if not _NAME.fullmatch(name):
        raise Permanent(f"{quoted(name)} is no name of a variable", "letters, digits and _ alone")
    line_break = "\r\n" if "\r\n" in text else "\n"
    joint = "" if not text or text.endswith(("\n", "\r")) else line_break
    return f"{text}{joint}{name}={_encoded(name, value, None)}{line_break}"


def _removed(text: str, name: str) -> str:
    for each in reversed([each for each in _bindings(text) if each.key == name]):
        text = text[: each.start] + text[each.end :]
    return text


def _encoded(name: str, value: str, quote: str | None) -> str:
    """The value as it is written, in the quotes that were there if they will do."""
    single = not (_CONTROL.search(value) or "'" in value or r"\\" in value or value.endswith("\\"))
    double = not (_CONTROL.search(value) or any(character in value for character in '"\\$`'))
    if "${" not in value:
        if _BARE.fullmatch(value) and not quote:
            return value
        if single and not (quote == '"' and double):
            return f"'{value}'"
        if double:
            return f'"{value}"'
        written = "".join(_WRITTEN.get(character, character) for character in value)
        if not (_CONTROL.search(written) or "$" in value or "`" in value):
            return f'"{written}"'
    message = f"no dotenv file can hold the value of {quoted(name)} so that everybody reads it back"
    raise Permanent(message, "use a JSON document, or a file for each field")


def _decoded(text: str, binding: _Binding) -> str:
    raw = text[binding.value_start : binding.value_end]
    if not binding.quote:
        return raw
    return _ESCAPED[binding.quote].sub(lambda found: _MEANT.get(found[1], found[1]), raw[1:-1])


def _bindings(text: str) -> Iterator[_Binding]:
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        head = _HEAD.match(text, at)
        binding = _binding(text, head) if head is not None else None
        if binding is not None:
            yield binding
        at = binding.end if binding is not None else _line_end(text, _rest(text, at))


def _binding(text: str, head: re.Match[str]) -> _Binding:
    start, at, quote = head.start(), head.end(), text[head.end() : head.end() + 1]
    if quote in _QUOTED:
        found = _QUOTED[quote].match(text, at)
        after = _AFTER_QUOTES.match(text, found.end()) if found is not None else None
        if found is not None and after is not None:
            return _Binding(head["key"], start, at, found.end(), _line_end(text, after.end()), quote)
        rest = _rest(text, found.end() if found is not None else at)
        return _Binding(head["key"], start, at, rest, _line_end(text, rest), None)
    rest = _rest(text, at)
    raw = "" if head["gap"] and quote == "#" else _COMMENT.sub("", text[at:rest]).rstrip()
    return _Binding(head["key"], start, at, at + len(raw), _line_end(text, rest), "")


def _rest(text: str, at: int) -> int:
    found = _REST_OF_LINE.match(text, at)
    assert found is not None
    return found.end()


def _line_end(text: str, at: int) -> int:
    found = _END_OF_LINE.match(text, at)
    assert found is not None
    return found.end()
