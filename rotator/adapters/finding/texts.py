"""Bytes as texts that may hold keys: lines, entries between NULs, printable runs of what is binary."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

BLOCK = 256 * 1024
LINE = 1024 * 1024
"""Characters of a line that are looked at together; what is longer is cut, with an overlap."""
OVERLAP = 64 * 1024
LINES = 500
"""Of a value over several lines."""
NESTED = 2
"""So many documents may lie within each other as values over several lines."""
_RUN = re.compile(rb"[\x20-\x7e\t]{6,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){6,}")
_STRANGE = re.compile(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f]")
_END = re.compile(r"\r\n|[\n\r\0]")
_BLOCK_SCALAR = re.compile(r"[:-][ \t][|>][+-]?[0-9]?[+-]?\Z")
_OPEN_QUOTE = re.compile(r"[=:][ \t]*(\"(?:[^\"\\]|\\.){6,65536}\"|'[^']{6,65536}')")
_CODED = re.compile(r"[ \t]*([A-Za-z0-9+/_-]+={0,2})[ \t]*")
SHORTEST_WRAP = 16
"""Characters of a line of base64 that goes on in the next one."""
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----[^-]{1,65536}-----END [A-Z0-9 ]{1,40}-----\n?")


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A piece and where it begins: `line` from 1, or in what is binary the offset of its first `byte`.

    `whole`: it is one value as it stands, such as a field of several lines, and its lines come by themselves, too.
    """

    text: str = field(repr=False)
    line: int | None = None
    byte: int | None = None
    whole: bool = False


def texts(stream: Readable) -> Iterator[Text]:
    """Every piece, in order. Memory is bounded whatever comes."""
    first = stream.read(BLOCK)
    coding = _coding(first)
    if coding is None:
        yield from _binary(first, stream)
    else:
        yield from _lines(first, stream, coding)


def _coding(first: bytes) -> str | None:
    """How the text is coded; None where it is none."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = first.count(0)
    if zeros > len(first) * 3 // 10:
        letters = first[::2]
        plain = sum(0x20 <= each < 0x7F or each in b"\t\r\n" for each in letters[:4096])
        wide = first[1::2].count(0) > zeros * 9 // 10 and plain * 10 > len(letters[:4096]) * 9
        return "utf-16-le" if wide else None
    return "utf-8-sig" if _all_text(first) else None


def _all_text(data: bytes) -> bool:
    """Whether there is hardly a control character besides NUL: environments are text with NULs in between."""
    if len(_STRANGE.findall(data)) * 200 > len(data):
        return False
    if 0 not in data:
        return True
    return sum(each >= 0x80 for each in data[:4096]) * 10 <= len(data[:4096]) and b"\0\0\0\0" not in data


def _lines(first: bytes, stream: Readable, coding: str) -> Iterator[Text]:
    decoder = codecs.getincrementaldecoder(coding)(errors="replace")
    number, rest, block, began = 1, "", first, True
    while True:
        last = not block
        rest += decoder.decode(block, final=last)
        window, rest, cut = _window(rest, last=last)
        if window:
            yield from _of_window(window, number, whole=began and last)
        if cut:
            rest = window[-OVERLAP:] + rest
        else:
            number += _count(window)
        began = began and not window
        if last and not rest:
            return
        block = stream.read(BLOCK) if not last else b""
        if last:
            yield from _of_window(rest, number, whole=False)
            return


def _window(text: str, *, last: bool) -> tuple[str, str, bool]:
    """What can be looked at now, what stays, and whether a line was cut because it has no end."""
    if last:
        return text, "", False
    if len(text) < LINE:
        return "", text, False
    at = max(text.rfind("\n"), text.rfind("\0"), text.rfind("\r", 0, -1))
    if at < 0:
        return text, "", True
    return text[: at + 1], text[at + 1 :], False


def _count(window: str) -> int:
    return sum(1 for _ in _END.finditer(window))


def _of_window(window: str, number: int, *, whole: bool) -> Iterator[Text]:
    """The lines, and what goes over several of them."""
    at, line = 0, number
    for found in _END.finditer(window):
        if found.start() > at:
            yield Text(window[at : found.start()], line=line)
        at, line = found.end(), line + 1
    if at < len(window):
        yield Text(window[at:], line=line)
    if "\n" not in window.rstrip("\n"):
        return
    plain = window.replace("\r\n", "\n")
    if whole and len(plain) <= OVERLAP:
        yield Text(plain, line=number, whole=True)
        yield Text(plain.strip(), line=number, whole=True)
    for begin, text in _over_lines(plain):
        yield Text(text, line=number + plain.count("\n", 0, begin), whole=True)


def _over_lines(window: str) -> Iterator[tuple[int, str]]:
    yield from _block_scalars(window)
    for found in _OPEN_QUOTE.finditer(window):
        if "\n" in found[1]:
            yield found.start(), found[1][1:-1]
    yield from _wrapped(window)
    for found in _PEM.finditer(window):
        yield found.start(), found[0]
        yield found.start(), found[0].rstrip("\n")


def _wrapped(window: str) -> Iterator[tuple[int, str]]:
    """Lines of base64 that are as long as each other, and what goes on in one that is no longer, as one text."""
    at, begin, parts = 0, 0, list[str]()
    for line in [*window.split("\n"), ""]:
        found = _CODED.fullmatch(line)
        coded = found[1] if found is not None else ""
        if parts and 0 < len(coded) <= len(parts[0]):
            parts.append(coded)
        if parts and len(coded) != len(parts[0]):
            if len(parts) > 1:
                yield begin, "".join(parts)
            parts = []
        if not parts and len(coded) >= SHORTEST_WRAP:
            begin, parts = at, [coded]
        at += len(line) + 1


def _block_scalars(window: str, depth: int = 0) -> Iterator[tuple[int, str]]:
    """YAML's `key: |` and `key: >` with what is further in below, and those within them, as in a ConfigMap."""
    lines, outer, number = window.split("\n"), 0, 0
    while number < len(lines):
        line, number = lines[number], number + 1
        if _BLOCK_SCALAR.search(line[-8:].rstrip()):
            body = list(_further_in(line, lines[number : number + LINES]))
            indent = min((len(each) - len(each.lstrip()) for each in body if each.strip()), default=0)
            text = "\n".join(each[indent:] for each in body).strip("\n")
            if text:
                yield from ((outer, each) for each in dict.fromkeys((text, text + "\n", " ".join(text.split("\n")))))
                if depth < NESTED:
                    yield from ((outer, each) for _, each in _block_scalars(text, depth + 1))
            outer += sum(len(each) + 1 for each in body)
            number += len(body)
        outer += len(line) + 1


def _further_in(line: str, below: list[str]) -> Iterator[str]:
    outside = len(line) - len(line.lstrip())
    for each in below:
        if each.strip() and len(each) - len(each.lstrip()) <= outside:
            return
        yield each


def _binary(first: bytes, stream: Readable) -> Iterator[Text]:
    """Printable runs, of one byte a letter and of two."""
    offset, rest, block = 0, b"", first
    while block or rest:
        data, last = rest + block, not block
        keep = 0 if last else _open_run(data)
        for pattern, coding in ((_RUN, "ascii"), (_WIDE, "utf-16-le")):
            for found in pattern.finditer(data, 0, len(data) - keep):
                yield Text(found[0].decode(coding), byte=offset + found.start())
        offset += len(data) - keep
        rest = data[len(data) - keep :] if keep else b""
        block = b"" if last else stream.read(BLOCK)


def _open_run(data: bytes) -> int:
    """How many bytes at the end may go on in the next block."""
    end = re.search(rb"[\x20-\x7e\t\x00]*\Z", data[-OVERLAP:])
    return len(end[0]) if end is not None and len(end[0]) < OVERLAP else 0
