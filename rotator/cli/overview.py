"""A run of many rotations at a glance: what is done and left, both lower bounds, the estimate, who is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.app.bounds import Bounds
from rotator.cli import words
from rotator.cli.terminal import Terminal, columns, count, wrapped
from rotator.domain.headway import Headway, Stand
from rotator.domain.pace import Estimate, NotYet

WIDEST_BAR = 72
MINUTE = timedelta(minutes=1)
BAR: tuple[tuple[Stand, str, str], ...] = (
    # in the order in which they stand beside each other, with a sign that tells them apart without colour
    (Stand.PROVEN, "█", "green"),
    (Stand.DEAD, "█", "green"),
    (Stand.DYING, "▓", "yellow"),
    (Stand.UNDER_WAY, "▒", "cyan"),
    (Stand.NOT_BEGUN, "░", "dim"),
    (Stand.BACK, "<", "red"),
    (Stand.UNPROVEN, "!", "red"),
    (Stand.FAILING, "!", "red"),
    (Stand.STUCK, "×", "red"),
    (Stand.REFUSED, "×", "red"),
    (Stand.PERSON, "?", "magenta"),
)
COLORS = {stand: color for stand, _, color in BAR}
COUNTED: dict[Stand, str] = {
    Stand.DEAD: "dead, looked for more",
    Stand.DYING: "live, old key dying",
    Stand.UNDER_WAY: "being replaced",
    Stand.NOT_BEGUN: "not begun",
    Stand.BACK: "gone back",
    Stand.UNPROVEN: "over and not proven",
    Stand.FAILING: "failing",
    Stand.STUCK: "stuck",
    Stand.REFUSED: "cannot be begun",
}
UNHURRIED = {Stand.DEAD: "old key dead", Stand.DYING: "live, both keys work"}
"""The same where nothing is stolen."""
ENDINGS = {stand: COUNTED[stand] for stand in Stand if stand.endless and stand is not Stand.PERSON}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is drawn. `name`: the incident; empty where there is none. `end`: when the last is there; None: all are.

    `over`: when the last look is over that is under way; None: nobody can say.
    """

    name: str
    since: datetime
    now: datetime
    headway: Headway
    bounds: Bounds | None
    end: Estimate | NotYet | None
    over: datetime | None = None

    @property
    def emergency(self) -> bool:
        """Whether it is one."""
        return bool(self.name)


def summary(view: View, out: Terminal) -> list[str]:
    """Lines for a terminal, none wider than it."""
    width = out.width - 1
    lines = [*_flowing([out.style(view.name, "bold") if view.name else "", *_head(view)], width, "  ")]
    lines.append(_bar(view.headway, min(width, WIDEST_BAR), out))
    counted = [out.style(text, COLORS[stand]) for stand, text in _counted(view)]
    lines += _flowing(counted, width, " · ")
    if view.bounds is not None and view.end is not None:
        lines += [out.style(each, "dim") for each in _flowing(list(_bounded(view.bounds)), width, ", ")]
    lines += _flowing([out.style(text, "bold") for text in ends(view)], width, "; ")
    return lines


def one_line(view: View) -> str:
    """The same for a log."""
    parts = [", ".join(_head(view)), *(text for _, text in _counted(view)), *ends(view)]
    return (f"{view.name}: " if view.name else "") + "; ".join(parts)


def ends(view: View) -> list[str]:
    """When it will be over, and what will not be."""
    headway, said = view.headway, []
    rest = "the rest" if headway.endless else "all"
    done = "dead" if view.emergency else "live"
    if isinstance(view.end, Estimate):
        said.append(f"{rest} {done} {_between(view.end, view.now)}")
    elif isinstance(view.end, NotYet):
        certain = view.end.not_before
        floor = f", not before {certain:%H:%M:%S} UTC" if certain is not None else ""
        said.append(f"when {rest} will be {done}: cannot say yet{floor}")
    elif headway.at(Stand.DEAD) and view.emergency:
        over = view.over if view.over is not None and view.over > view.now else None
        until = f", until {over:%H:%M:%S} UTC" if over is not None else ""
        said.append(f"{rest} dead; the last look for more is under way{until}")
    elif headway.endless:
        said.append("nothing else moves by itself")
    if headway.endless:
        said.append(f"without an end: {', '.join(_without_end(headway))}")
    return said


def _without_end(headway: Headway) -> Iterator[str]:
    for stand, text in ENDINGS.items():
        number = headway.at(stand)
        if number:
            yield f"{number} {text}"
    waiting = headway.at(Stand.PERSON)
    if waiting:
        yield _waits(waiting)


def _waits(number: int) -> str:
    return f"{number} {'waits' if number == 1 else 'wait'} for a person"


def _between(end: Estimate, now: datetime) -> str:
    """A range, as exact as it is: never later than it is said, and to the second only where that is near."""
    near = end.latest - now < 2 * MINUTE
    form = "%H:%M:%S" if near else "%H:%M"
    latest = end.latest if near else end.latest + MINUTE - timedelta(microseconds=1)
    first, last = f"{end.earliest:{form}}", f"{latest:{form}}"
    left = f"in {words.span(max(timedelta(0), end.earliest - now))} to {words.span(end.latest - now)}"
    if latest - end.earliest > timedelta(hours=20):
        return f"in {words.span(max(timedelta(0), end.earliest - now))} to {words.span(end.latest - now)}"
    if first == last or end.latest - end.earliest < timedelta(seconds=3):
        return f"by about {last} UTC"
    return f"between {first} and {last} UTC, {left}"


def _head(view: View) -> Iterator[str]:
    headway = view.headway
    yield words.span(timedelta(seconds=int((view.now - view.since).total_seconds())))
    if not view.emergency:
        live = headway.at(Stand.DYING, Stand.DEAD, Stand.PROVEN)
        yield f"{live} of {headway.all} live with the new key"
        return
    yield f"{headway.at(Stand.PROVEN, Stand.DEAD)} of {headway.all} proven dead"
    keys = f"{count(headway.keys, 'old key')}" if headway.whole else f"at least {count(headway.keys, 'old key')}"
    yield f"{headway.dead} of {keys}" if headway.keys or headway.whole else "no old key known yet"


def _counted(view: View) -> Iterator[tuple[Stand, str]]:
    for stand, _, _ in BAR:
        number = view.headway.at(stand)
        if not number:
            continue
        if stand is Stand.PERSON:
            yield stand, _waits(number)
        elif stand is Stand.PROVEN:
            yield stand, f"{number} {'proven and over' if view.emergency else 'done'}"
        else:
            yield stand, f"{number} {COUNTED[stand] if view.emergency else UNHURRIED.get(stand, COUNTED[stand])}"


def _bounded(bounds: Bounds) -> Iterator[str]:
    yield f"not faster than {words.span(bounds.path)}: the longest path"
    if bounds.slowest is not None:
        yield f"nor than {words.span(bounds.limits[bounds.slowest])}: what {bounds.slowest} allows"


def _bar(headway: Headway, width: int, out: Terminal) -> str:
    """So many cells, shared out; whoever is there at all has one."""
    numbers = [(headway.at(stand), sign, color) for stand, sign, color in BAR if headway.at(stand)]
    cells = shares([number for number, _, _ in numbers], width)
    return "".join(out.style(sign * each, color) for each, (_, sign, color) in zip(cells, numbers, strict=True) if each)


def shares(numbers: Sequence[int], width: int) -> list[int]:
    """`width` cells shared out by these numbers, all above zero: at least one each as long as there is room."""
    everything = sum(numbers)
    cells = [max(1, number * width // everything) for number in numbers]
    while sum(cells) > width and max(cells) > 1:
        cells[cells.index(max(cells))] -= 1
    if cells and sum(cells) < width:
        cells[cells.index(max(cells))] += width - sum(cells)
    return cells


def _flowing(parts: Sequence[str], width: int, between: str) -> list[str]:
    """Parts side by side, as many on a line as fit; only one that is wider than a line is divided."""
    lines: list[str] = []
    for part in parts:
        if not part:
            continue
        if lines and columns(lines[-1]) + len(between) + columns(part) <= width:
            lines[-1] += between + part
        else:
            lines += wrapped(part, width, hanging=2).split("\n")
    return lines
