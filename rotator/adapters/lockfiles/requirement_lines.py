"""The lines of a requirements.txt as pip joins them: continued by a backslash, without comments, options apart."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from rotator.adapters.lockfiles.form import Document
from rotator.adapters.lockfiles.pins import pins
from rotator.domain.times import quoted

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTIONS = re.compile(r"\s(?=--|-C\b)")
_HASH = re.compile(r"--hash[= ]\s*(\S+)")
_OF_A_FILE = {"-r", "--requirement", "-c", "--constraint", "-e", "--editable"}
_LONG = (
    *("index-url", "extra-index-url", "no-index", "find-links", "no-binary", "only-binary", "prefer-binary"),
    *("require-hashes", "pre", "trusted-host", "use-feature", "config-settings", "global-option", "pypi-url"),
    *("no-deps", "uploaded-prior-to"),
)
_OTHERS = {"-i", "-f", *(f"--{name}" for name in _LONG)}
LONGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement, or an option with its value as `text`."""

    number: int
    text: str
    option: str = ""
    hashes: tuple[str, ...] = ()


def lines_of(document: Document) -> Iterator[Line]:
    """Each line that says anything. Raises `Unreadable`."""
    for number, joined in _joined(document):
        text = _COMMENT.sub("", joined).strip() if len(joined) <= LONGEST else joined
        if not text:
            continue
        if len(text) > LONGEST or not text.replace("\t", " ").isprintable():
            raise document.error("a line is no text", "write NAME==VERSION, as `pip freeze` does", number)
        yield _option(document, number, text) if text.startswith("-") else _requirement(number, text)


def _joined(document: Document) -> Iterator[tuple[int, str]]:
    begun, parts = 0, list[str]()
    for number, line in enumerate(document.text.splitlines(), 1):
        begun = begun or number
        if line.endswith("\\") and not _is_comment(line):
            parts.append(line[:-1])
            continue
        yield begun, "".join([*parts, " " + line if parts and _is_comment(line) else line])
        begun, parts = 0, []
    if parts:
        yield begun, "".join(parts)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _requirement(number: int, text: str) -> Line:
    wanted, *options = _OPTIONS.split(text)
    return Line(number, wanted.strip(), hashes=pins([found[1] for each in options if (found := _HASH.match(each))]))


def _option(document: Document, number: int, text: str) -> Line:
    name, _, value = text.partition(" ")
    if "=" in name and name.startswith("--"):
        name, _, value = text.partition("=")
    elif not name.startswith("--") and len(name) > 2:
        name, value = text[:2], text[2:]
    if name not in _OF_A_FILE | _OTHERS:
        raise document.error(f"{quoted(name)} is no option of pip", "see `pip install --help`", number)
    return Line(number, _unquoted(value), option=name)


def _unquoted(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError:
        return value.strip()
    return words[0] if words else ""
