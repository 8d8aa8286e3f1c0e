"""Looks for secrets in bytes, in every form that software gives a text on its way into a file or a message.

Whole values are not looked for but every twelve bytes of every form: a leak may be cut, escaped or split over pages.
A find names the secret and the form, never the value.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, quote_plus

WINDOW = 12
"""Bytes of a form that, found in one piece, are a leak."""


class TooShort(ValueError):
    """A secret of fewer bytes than a window cannot be told from chance."""


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """Where which secret was found, and how it was written."""

    where: str
    secret: str
    form: str


def forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Everything that a value may be written as. Several forms may be the same bytes."""
    yield "plain", value
    yield "hex", value.hex().encode()
    yield "hex", value.hex().upper().encode()
    yield from (("base64", each) for each in _base64(value))
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    for name, written in (("plain", text), *_escaped(text)):
        # a log line in JSON may hold an error that holds a value which was escaped already
        for again in (written, *(each for form, each in _escaped(written) if form == "json")):
            yield name, again.encode()
            yield name, _other_case(again).encode()


def _escaped(text: str) -> tuple[tuple[str, str], ...]:
    return (
        ("url", quote(text, safe="")),
        ("url", quote(text)),
        ("url", quote_plus(text)),
        ("json", json.dumps(text)[1:-1]),
        ("json", json.dumps(text, ensure_ascii=False)[1:-1]),
        ("repr", repr(text)[1:-1]),
        ("html", escape(text)),
    )


def _base64(value: bytes) -> Iterator[bytes]:
    """Standard and URL-safe, as it looks behind any number of other bytes; without the ends, which those change."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            written = encode(b"\0" * before + value)
            whole = (before + len(value)) // 3 * 4
            yield written[-(-before * 8 // 6) : whole]


def _other_case(written: str) -> str:
    """Escapes may be `%2F` or `%2f`, `\\u00E4` or `\\u00e4`; nothing else changes."""
    out, at = [], 0
    while at < len(written):
        length = 3 if written[at] == "%" else 6 if written[at : at + 2] == "\\u" else 0
        out.append(written[at : at + length].lower() if length else written[at])
        at += length or 1
    return "".join(out)


class Hunt:
    """Knows secrets by name and looks for them."""

    def __init__(self, secrets: Mapping[str, str] | Mapping[str, str | bytes]) -> None:
        """Raises `TooShort`, naming the secret."""
        self._windows: dict[bytes, tuple[str, str]] = {}
        for name, secret in secrets.items():
            value = secret if isinstance(secret, bytes) else secret.encode()
            if len(value) < WINDOW:
                raise TooShort(name)
            for form, written in forms(value):
                for at in range(len(written) - WINDOW + 1):
                    self._windows.setdefault(written[at : at + WINDOW], (name, form))

    def look(self, where: str, data: bytes) -> set[Leak]:
        """What is in these bytes."""
        known = self._windows.keys()
        # a set's intersection walks the bytes without a line of Python for each of them
        seen = known & {data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1)}
        return {Leak(where, *self._windows[each]) for each in seen}

    def search(self, sinks: Iterable[tuple[str, bytes]]) -> list[Leak]:
        """What is in all of them, sorted."""
        return sorted({leak for where, data in sinks for leak in self.look(where, data)})
