"""TOML, with the lines of its tables: `tomllib` tells none."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from rotator.adapters.lockfiles.form import Document

LONGEST_LINE = 16 * 1024
"""Characters: one file of a package stands in a line. The parser's time grows with the square of the dots in a key."""
_AT = re.compile(r"(.*?) \(at line (\d+), column \d+\)")
_HEADER = re.compile(r"^\[\[[ \t]*(packages?)[ \t]*\]\]", re.MULTILINE)
HINT = "lock it anew, or restore it"


def parse(document: Document) -> tuple[Any, dict[Any, int]]:
    """Its value, and the line of the nth package by its number. Raises `Unreadable`."""
    text = document.text
    _check_lines(document)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT.fullmatch(str(error))
        line = int(found[2]) if found else text.count("\n") + 1
        problem = (found[1] if found else str(error)).lower()
        raise document.error(f"this is no TOML: {problem}", HINT, line) from None
    except RecursionError:
        raise document.error("this is nested too deep", HINT) from None
    return value, _lines(text, value)


def _check_lines(document: Document) -> None:
    for number, line in enumerate(document.text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise document.error(f"a line is longer than {LONGEST_LINE} characters", HINT, number)


def _lines(text: str, value: dict[str, Any]) -> dict[Any, int]:
    """None at all where a text in several lines holds what looks like a header."""
    packages = value.get("package", value.get("packages"))
    lines, line, before = [], 1, 0
    for header in _HEADER.finditer(text):
        line += text.count("\n", before, header.start())
        before = header.start()
        lines.append(line)
    if not isinstance(packages, list) or len(lines) != len(packages):
        return {}
    return dict(enumerate(lines))


def packages(document: Document, name: str = "package") -> list[dict[str, Any]]:
    """The tables of all packages. Raises `Unreadable`."""
    found = document.value.get(name)
    if found is None:
        raise document.error(f"there is no [[{name}]]", HINT)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise document.error(f"{name} is no list of tables", HINT, document.line_of(name))
    return found


def table(value: Any) -> dict[str, Any]:
    """The table, or an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[dict[str, Any]]:
    """The tables in a list, or none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
