"""The last net: texts in which a value of a key stands that this process held. Nothing should ever be caught in it.

A value is not kept for that. Kept are keyed hashes (Python's own, whose key is made anew for each process) of pieces of
`PIECE` characters of it, as it is and in the forms that software gives a text, a few thousand values' worth, the
oldest forgotten first. What has fewer characters cannot be told from chance and is not looked for.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from urllib.parse import quote

HIDDEN = "<secret>"
"""What stands where a value stood."""
PIECE = 12
STEP = 4
"""Every so many characters a known piece begins, so any `PIECE + STEP - 1` in a row are found, in longer forms twice

`PIECE`; but for the first `PREFIX` of a long value.
"""
MOST = 100_000
"""Pieces of one generation; there are two, of about 70 bytes a piece."""
VARIED = 5
"""A piece of fewer different characters is chance, or a line of dashes."""
PREFIX = 8
"""A long value begins with what tells whose it is and is no secret."""
LONG = 32
_OPEN = frozenset({"user", "username", "login", "public", "id", "name", "host", "email"})
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+/=.%~")
_CLOSED = re.compile(r"key|secret|token|password|passphrase|credential", re.IGNORECASE)


class Held:
    """The net of one process. Safe for many threads; learns nothing until `begin`."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._on = False
        self._young: set[int] = set()
        self._old: frozenset[int] | set[int] = frozenset()

    def begin(self) -> None:
        """Learn from now on. Twice: nothing more."""
        self._on = True

    def parts(self, parts: Mapping[str, str]) -> None:
        """Learn the parts of a value that are secret: not its user, and not what is an id by its name."""
        if self._on:
            self._learn(text for name, text in parts.items() if not _is_open(name))

    def document(self, text: str) -> None:
        """Learn what is secret of an admin credential, which may be a value, a pair, a URL, a key in PEM or JSON."""
        if self._on:
            self._learn(_secrets_of(text))

    def without(self, text: str) -> str:
        """The text with `HIDDEN` for each word in which a piece of a value stands; the same object when none does."""
        young, old = self._young, self._old
        if len(text) < PIECE or not (young or old):
            return text
        found = []
        for at in range(len(text) - PIECE + 1):
            number = hash(text[at : at + PIECE])
            if number in young or number in old:
                found.append(at)
        return _cut(text, found) if found else text

    @property
    def size(self) -> int:
        """How many pieces are known."""
        return len(self._young) + len(self._old)

    def _learn(self, texts: Iterable[str]) -> None:
        for text in texts:
            if len(text) < PIECE:
                continue
            if (whole := hash(text)) in self._young:
                continue
            pieces = {hash(piece) for form, step in _forms(text) for piece in _pieces(form, step)}
            with self._lock:
                if len(self._young) > self._most:
                    self._young, self._old = set(), self._young
                self._young |= pieces
                self._young.add(whole)

    def __repr__(self) -> str:
        return "Held()"


HELD = Held()
"""This process's."""


def _is_open(name: str) -> bool:
    return name in _OPEN or (name.endswith("_id") and name != "secret_id")


def _secrets_of(text: str) -> Iterator[str]:
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        for name, each in found.items():
            if isinstance(each, str) and _CLOSED.search(str(name)) and not str(name).endswith("_id"):
                yield from _secrets_of(each)
    elif "://" in text:
        password = text.split("://", 1)[1].rpartition("@")[0].partition(":")[2]
        yield password
    elif len(words := text.split()) > 1:
        yield from (word for word in words if len(word) >= LONG)  # PEM, or a word before the secret
    else:
        yield text.rpartition(":")[2]


def _forms(text: str) -> set[tuple[str, int]]:
    """As it may be written, with the step between pieces: longer ones have so many that fewer are enough."""
    coded = text.encode("utf-8", "surrogatepass")
    plain = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], escape(text)}
    plain |= {quote(text, safe="", errors="replace"), quote(text, errors="replace")}
    other = {coded.hex(), coded.hex().upper()}
    for before in range(3):  # where in a triple of bytes it begins depends on what stands before it
        written = base64.b64encode(bytes(before) + coded).decode()
        inner = written[(0, 2, 3)[before] : (before + len(coded)) // 3 * 4]
        other |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {(form, STEP) for form in plain} | {(form, PIECE) for form in other}


def _pieces(form: str, step: int) -> Iterator[str]:
    """Pieces of a form, its very last one among them."""
    first = PREFIX if len(form) >= LONG else 0
    last = len(form) - PIECE
    for at in {*range(first, last + 1, step), last} if last >= first else ():
        piece = form[at : at + PIECE]
        if len(set(piece)) >= VARIED:
            yield piece


def _cut(text: str, found: list[int]) -> str:
    """Each find with the rest of its word: what was cut off before or behind it is too short to be found."""
    spans: list[tuple[int, int]] = []
    for at in found:
        behind = spans[-1][1] if spans else 0
        if spans and at <= behind:
            begin, end = spans.pop()[0], max(behind, at + PIECE)
        else:
            begin, end = at, at + PIECE
            while begin > behind and text[begin - 1] in _WORD:
                begin -= 1
        while end < len(text) and text[end] in _WORD:
            end += 1
        spans.append((begin, end))
    out, end = [], 0
    for begin, behind in spans:
        out += [text[end:begin], HIDDEN]
        end = behind
    return "".join(out) + text[end:]
