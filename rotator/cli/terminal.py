"""Colours, tables and a live region, for terminals and for logs alike. Plain text where nobody looks."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_RESET = "\x1b[0m"
NARROWEST = 12
"""Columns in which text may still be wrapped."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where text goes. `live`: lines may be written over; `color`: escapes are understood."""

    stream: TextIO
    color: bool
    live: bool

    def style(self, text: str, *names: str) -> str:
        """The text in these styles, or as it is."""
        if not self.color or not names:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}{_RESET}"

    @property
    def width(self) -> int:
        """Columns."""
        return self._size[0] if self.live else 100

    @property
    def height(self) -> int:
        """Lines."""
        return self._size[1]

    @property
    def _size(self) -> tuple[int, int]:
        """Columns and lines as they are now, of this very stream: standard output may go elsewhere."""
        try:
            real = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            real = os.terminal_size((0, 0))
        told = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
        wide, high = (int(each) if each.isdecimal() else 0 for each in told)
        return wide or real.columns or 100, high or real.lines or 24

    def line(self, text: str = "") -> None:
        """One line; on a terminal one that is too long goes on below, a little further in."""
        if self.live and "\n" not in text and columns(text) > self.width:
            text = wrapped(text, self.width, hanging=len(text) - len(text.lstrip()) + 2)
        print(text, file=self.stream, flush=True)


def terminal(stream: TextIO, *, no_color: bool = False) -> Terminal:
    """What a stream can do: colour on a terminal, unless `NO_COLOR`, `TERM=dumb` or the option say no."""
    tty = stream.isatty()
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    color = tty and not dumb and not no_color and not os.environ.get("NO_COLOR")
    return Terminal(stream, color, tty and not dumb)


def clean(text: str) -> str:
    """Text from elsewhere, without control characters."""
    return "".join(character if character.isprintable() else "·" for character in text)


def count(number: int, thing: str) -> str:
    """`1 credential`, `2 credentials`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def columns(text: str) -> int:
    """How many columns a text takes, escapes not counted."""
    taken, escape = 0, False
    for character in text:
        if escape:
            escape = character != "m"
        elif character == "\x1b":
            escape = True
        else:
            taken += _columns_of(character)
    return taken


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def table(head: Sequence[str], rows: Sequence[Sequence[str]], out: Terminal, *, wrap: bool = False) -> list[str]:
    """Lines of a table without borders, cut to the width of a terminal; elsewhere nothing is cut.

    `wrap`: the last column goes on below itself instead; then a row may be several lines of one text.
    """
    cells = [list(map(str, row)) for row in rows]
    widths = [max([columns(name), *(columns(row[i]) for row in cells)]) for i, name in enumerate(head)]
    lines = [_joined([out.style(name, "dim") for name in head], widths), *(_joined(row, widths) for row in cells)]
    if not out.live:
        return lines
    hanging = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if wrap and out.width - hanging >= NARROWEST:
        return [wrapped(line, out.width, hanging=hanging) for line in lines]
    return [cut(line, out.width) for line in lines]


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def wrapped(text: str, width: int, *, hanging: int) -> str:
    """The text with line breaks between words; each further line begins with `hanging` blanks."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    first, *words = text.lstrip(" ").split(" ")
    lines, line = [], indent + first
    for word in words:
        if not word or columns(line) + 1 + columns(word) <= width:
            line += f" {word}"
        else:
            lines.append(line.rstrip())
            line = " " * hanging + word
    return "\n".join([*lines, line])


class Region:
    """Lines at the bottom of a terminal that are drawn over in place."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._drawn: tuple[int, ...] = ()  # the columns of each line

    @property
    def _height(self) -> int:
        """Lines that it takes: a terminal that has become narrower breaks those that were drawn."""
        width = max(1, self._out.width)
        return sum(max(1, -(-taken // width)) for taken in self._drawn)

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what was drawn, in one write: half of it is never seen."""
        shown = [cut(line, self._out.width - 1) for line in lines]
        up = f"\x1b[{self._height}A" if self._drawn else ""
        text = "".join(f"\x1b[2K{line}\n" for line in shown) + "\x1b[0J"
        self._out.stream.write(up + text)
        self._out.stream.flush()
        self._drawn = tuple(columns(line) for line in shown)

    def above(self, line: str) -> None:
        """Print a line for good, above the region."""
        self._wipe()
        self._out.line(line)

    def record(self, line: str) -> None:
        """The same for a line that a program may read: however long, it stays one."""
        self._wipe()
        print(line, file=self._out.stream, flush=True)

    def _wipe(self) -> None:
        if self._drawn:
            self._out.stream.write(f"\x1b[{self._height}A\x1b[0J")
            self._drawn = ()


def cut(text: str, width: int) -> str:
    """At most so many columns; what is cut off shows as `…`, and styles end where they must."""
    if columns(text) <= width:
        return text
    kept, taken, escape, styled = "", 0, False, False
    for character in text:
        if escape or character == "\x1b":
            escape, styled = character != "m", True
            kept += character
        elif taken + _columns_of(character) < width:
            kept += character
            taken += _columns_of(character)
        else:
            break
    return kept + "…" + (_RESET if styled else "")
