"""Everything in a text that may be a key's value: fields, words, what stands between separators, and all of it decoded.

A value is compared by its fingerprint, so that it must be cut out exactly. Where several cuts are possible all of them
are tried. What stands in the middle of a longer word is not found.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar
from urllib.parse import unquote, unquote_plus

T = TypeVar("T")

SHORTEST, LONGEST = 6, 64 * 1024
"""Characters of a value that is looked for."""
DEPTH = 5
"""So many codings may lie around each other, e.g. JSON in base64 in YAML."""
MANY = 10
"""Up to so many separators in a word every run between two of them is tried."""
LARGEST = 16 * 1024 * 1024
"""Characters that one coded text may become."""
_LONG_WORD = 4096
_WORDS, _REMEMBERED = 200_000, 200
"""How many words without a find are remembered, and how long ones."""
_FIELDS = 8
"""So many separators of a line are taken for the one behind which a field's value begins."""

_SEPARATOR = re.compile(r"""[=:/@&?#,;|()\[\]{}<>"'`\\+!$%.]""")
_STRONG = re.compile(r"""[=:/@&?#,;|()\[\]{}<>"'`\\]""")
_QUOTED = {
    '"': re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.|'')*+", re.DOTALL),
    "`": re.compile(r"[^`]*+"),
}
_ASSIGNED = re.compile(r"(?:^|(?<=\s))[A-Za-z_][A-Za-z0-9_]*=")
_AFTER = re.compile(r"[=:]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://(\S+)")
_TAGGED = re.compile(r">([^<>]+)<")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_AROUND = "\"'`()[]{}<>,;.:!?*"
_COMMENT = re.compile(r"[ \t]#.*$")


def candidates(text: str) -> Iterator[str]:
    """Each once, for a line or a whole small document. Takes time about linear in the text."""
    return _expanded(text, _no_word_is_idle)


class Seeker(Generic[T]):
    """Finds what is known among the candidates of many texts. Most words come again and again, and are cut up once."""

    def __init__(self, match: Callable[[str], T | None]) -> None:
        """`match`: what is known of a candidate, None for nothing; always the same for the same text."""
        self._match = match
        self._idle: set[str] = set()

    def found(self, text: str) -> list[tuple[str, T]]:
        """The candidates of a text that are known, each with what is known of it."""
        known = []
        for each in _expanded(text, self._is_idle):
            matched = self._match(each)
            if matched is not None:
                known.append((each, matched))
        return known

    def _is_idle(self, word: str) -> bool:
        if word in self._idle:
            return True
        if len(word) < SHORTEST:
            return True
        if any(self._match(each) is not None for each in _expanded(word, _no_word_is_idle)):
            return False
        if len(word) <= _REMEMBERED:
            if len(self._idle) >= _WORDS:
                self._idle.clear()
            self._idle.add(word)
        return True


def _no_word_is_idle(word: str) -> bool:
    return False


def _expanded(text: str, idle: Callable[[str], bool]) -> Iterator[str]:
    """All candidates but those that are in idle words."""
    seen: set[str] = set()
    entered: set[str] = set()
    waiting = [(text, 0)]
    while waiting:
        now, depth = waiting.pop()
        if now in entered:
            continue
        entered.add(now)
        for each in _pieces(now, idle):
            if len(each) < SHORTEST or each in seen:
                continue
            seen.add(each)
            if len(each) <= LONGEST:
                yield each
            if depth < DEPTH:
                waiting += [(decoded, depth + 1) for decoded in decodings(each) if decoded not in entered]


def _pieces(text: str, idle: Callable[[str], bool]) -> Iterator[str]:
    if "\n" in text:
        yield text
        yield text.strip()
        for line in text.splitlines():
            yield from _of_line(line, idle)
        return
    yield from _of_line(text, idle)


def _of_line(line: str, idle: Callable[[str], bool]) -> Iterator[str]:
    line = line.strip()
    yield line
    words = line.split()
    if len(words) > 1 or not idle(line):
        yield from _fields(line)
        for quote in _QUOTED:
            for quoted in _within(quote, line):
                yield quoted
                yield quoted.strip()
    for word in words:
        if not idle(word):
            yield from _of_word(word)
    for tagged in _TAGGED.finditer(line) if ">" in line else ():
        yield tagged[1].strip()
    for url in _URL.finditer(line) if "://" in line else ():
        yield from _login(url[1])


def _within(quote: str, line: str) -> Iterator[str]:
    """What stands in quotes, one after the other, up to one that is never closed."""
    begin = line.find(quote)
    while begin >= 0:
        inside = _QUOTED[quote].match(line, begin + 1)
        if inside is None or inside.end() == len(line):
            return
        yield inside[0]
        begin = line.find(quote, inside.end() + 1)


def _fields(line: str) -> Iterator[str]:
    """What stands behind the separators of a line, up to its end or up to the next assignment."""
    for number, found in enumerate(_AFTER.finditer(line)):
        if number == _FIELDS or (number and len(line) - found.end() > LONGEST):
            break
        yield from _bare(line[found.end() :])
    assigned = list(_ASSIGNED.finditer(line))
    ends = [*(found.start() for found in assigned[1:]), len(line)]
    for found, end in zip(assigned, ends, strict=False):
        yield line[found.end() : end].strip()


def _bare(value: str) -> Iterator[str]:
    """A field's value with and without what belongs to the document: quotes, a comma, a comment."""
    value = value.strip()
    yield value
    without = _COMMENT.sub("", value).rstrip(",;").rstrip()
    yield without
    if len(without) > 1 and without[0] == without[-1] and without[0] in "\"'`":
        yield without[1:-1]
    else:
        yield without.lstrip("\"'`>= ")


def _of_word(word: str) -> Iterator[str]:
    yield word
    bare = word.strip(_AROUND)
    yield bare
    yield word.rstrip(_AROUND)
    yield word.lstrip(_AROUND)
    if len(word) > _LONG_WORD:
        yield from re.split(r"[\"'`=:,;<>(){}\[\]]", word)
        return
    yield from _runs(word, _STRONG)
    yield from _runs(bare, _SEPARATOR)


def _runs(word: str, separator: re.Pattern[str]) -> Iterator[str]:
    """What stands between any two separators; in a word of very many between neighbours, and from each to the end."""
    cuts = [found.start() for found in separator.finditer(word)]
    if not cuts:
        return
    begins, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(word)]
    if len(cuts) <= MANY:
        for at, begin in enumerate(begins):
            for end in ends[at:]:
                yield word[begin:end]
        return
    for begin, end in zip(begins, ends, strict=True):
        yield word[begin:end]
    for begin in begins[:MANY]:
        yield word[begin:]
    for end in ends[-MANY:]:
        yield word[:end]


def _login(rest: str) -> Iterator[str]:
    """Both readings of a login in a URL whose password may hold any letter."""
    for userinfo in {rest.rpartition("@")[0], rest.partition("@")[0], rest.partition("/")[0].rpartition("@")[0]}:
        if userinfo:
            yield userinfo
            yield userinfo.partition(":")[2]


def decodings(text: str) -> Iterator[str]:
    """What the text says where it is coded; nothing where it is not."""
    if "\\" in text:
        yield _ESCAPE.sub(_escaped, text)
    if "''" in text:
        yield text.replace("''", "'")
    if "'\"'\"'" in text:
        yield text.replace("'\"'\"'", "'")  # as shells are told of a quote in quotes
    if "%" in text:
        yield unquote(text)
        if "+" in text:
            yield unquote_plus(text)
    if "&" in text and ";" in text:
        yield html.unescape(text)
    if _BASE64.fullmatch(text):
        yield from _from_base64(text)


def _escaped(found: re.Match[str]) -> str:
    escape = found[1]
    if escape[0] in "ux" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    return _ESCAPED.get(escape, escape)


def _from_base64(text: str) -> Iterator[str]:
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1:
        return
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4))
        if data[:2] == b"\x1f\x8b":  # as Helm keeps its releases
            data = zlib.decompressobj(wbits=31).decompress(data, LARGEST)
        decoded = data.decode()
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        return
    if all(each.isprintable() or each in "\n\r\t" for each in decoded):
        yield decoded
