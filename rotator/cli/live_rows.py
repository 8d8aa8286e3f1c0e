"""The rows of the live view: who needs a person first, with the command, then what is stuck, then what moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rotator.cli import words
from rotator.cli.overview import COLORS
from rotator.cli.terminal import Terminal, clean, columns, cut, wrapped
from rotator.cli.tracking import Standing
from rotator.domain.headway import ENDLESS, ORDER, Stand
from rotator.domain.rotation import Phase, Rotation

NAME = 28
"""Columns of a credential's name at most."""
HEAD = ("credential", "phase")
NARROWEST = 24
"""Columns in which more than a word is said beside a name."""


def rows(
    standing: Standing, refused: Mapping[str, tuple[str, str]], room: int, now: datetime, out: Terminal
) -> tuple[list[str], int]:
    """As many credentials as there is room for lines, at least one; and how many those are."""
    ordered = sorted(standing.items(), key=lambda each: ORDER[each[1][0]])[:room]
    cells = [(_shortened(clean(name)), _phase(stand, row, out)) for name, (stand, row) in ordered]
    wide = [max(columns(head), *(columns(each[at]) for each in cells)) for at, head in enumerate(HEAD)]
    lines = [out.style(f"{_padded(HEAD[0], wide[0])}  {HEAD[1]}", "dim")]
    for number, ((name, (stand, row)), (shown, phase)) in enumerate(zip(ordered, cells, strict=True)):
        first = f"{_padded(shown, wide[0])}  {_padded(phase, wide[1])}  "
        told = list(_told(name, stand, row, refused, now, out))
        more = _beside(first, told, out.width - 1) if stand in ENDLESS else [first + "".join(told)]
        if number and len(lines) - 1 + len(more) > room:
            return lines, number
        lines += [each.rstrip() for each in more]
    return lines, len(ordered)


def _shortened(name: str) -> str:
    """Without its middle where it is too long: names of one kind begin alike, and those of one stage end alike."""
    if columns(name) <= NAME:
        return name
    first = cut(name, NAME // 2)
    return first + next(name[at:] for at in range(len(name)) if columns(first + name[at:]) <= NAME)


def _beside(first: str, told: Sequence[str], width: int) -> list[str]:
    """Each thing told begins a line and is broken, not cut: it may end in a command. Where it is narrow, below."""
    indent = columns(first)
    if width - indent < NARROWEST:
        return [first, *(line for each in told for line in wrapped(f"  {each}", width, hanging=4).split("\n"))]
    lines = [line for each in told for line in wrapped(" " * indent + each, width, hanging=indent).split("\n")]
    return [first + lines[0][indent:], *lines[1:]] if lines else [first]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _phase(stand: Stand, row: Rotation | None, out: Terminal) -> str:
    if stand is Stand.PERSON:
        return out.style("waits for a person", COLORS[stand])
    if row is None:
        return out.style("cannot be begun" if stand is Stand.REFUSED else "not begun", COLORS[stand])
    return words.phase(row, out)


def _told(
    name: str, stand: Stand, row: Rotation | None, refused: Mapping[str, tuple[str, str]], now: datetime, out: Terminal
) -> Iterator[str]:
    """What is said of one credential; of what has no end each thing has a line, so that no command is cut off."""
    if row is None:
        yield from (clean(each) for each in refused.get(name, ()) if each)
        return
    details = words.details(row, now)
    if stand is Stand.PERSON:
        note = clean(row.waiting.note) if row.waiting is not None else ""
        if row.phase is Phase.MINTING:
            command = f"rotator provide {name}"
            yield out.style(command, "bold")
            note = note.removesuffix(f", then `{command}`")
        yield note
    elif stand in ENDLESS:
        yield from (each.removeprefix("hint: ") for each in details)
    elif details:
        yield out.style(" — ".join(details), "dim")
