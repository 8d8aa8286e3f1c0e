"""A page of all credentials, the worst first, as somebody looks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.app.seeing import Scope
from rotator.app.surveying import SOON, Standing, State, Survey

MOST_OWNERS = 500
"""Owners that can be chosen among."""
MOVED = 0.05
"""A share by which no key ages while somebody reads a page; whatever moved further was rotated or adopted."""
SOONER = "soon"
"""What is no state of its own: due within 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for: a part of a name or of a provider, an owner, a state. Empty: any."""

    text: str = ""
    owner: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.owner or self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page. `number`: how many fit; `first`: the place of the first one shown, from 1; `after`: to go on; None: end.

    `owners` and `states`: of all that somebody sees, for choosing among them.
    """

    at: datetime
    shown: Sequence[Standing]
    number: int
    first: int
    after: str | None
    total: int
    owners: Sequence[str]
    states: Mapping[str, int]


def listing(survey: Survey, scope: Scope, wanted: Wanted, *, after: str = "", limit: int = 100) -> Listing:
    """`after`: the mark of the last one on the page before; what is no mark leads to the beginning."""
    seen = survey.seen(scope)
    fitting = list(_fitting(seen, wanted, survey.at)) if wanted else seen
    start = _start(fitting, after) if after else 0
    page = fitting[start : start + limit]
    states = survey.counts(scope).of
    owners = survey.owners if scope.owners is None else sorted(scope.owners & frozenset(survey.owners))
    return Listing(
        at=survey.at,
        shown=page,
        number=len(fitting),
        first=start + 1,
        after=_mark(page[-1]) if start + limit < len(fitting) else None,
        total=len(seen),
        owners=owners[:MOST_OWNERS],
        states={state.value: states[state] for state in State if states.get(state)},
    )


def _mark(last: Standing) -> str:
    """Its place and its name: one that moved meanwhile still says how far somebody came."""
    return f"{last.rank[0]:.6f} {last.name}"


def _start(fitting: Sequence[Standing], after: str) -> int:
    """Behind the one of that name where it still is about there; else behind where it was."""
    text, _, name = after.partition(" ")
    try:
        place = float(text)
    except ValueError:
        return 0  # of no list of ours: from the beginning
    if not 0 <= place <= 3:
        return 0
    for at, each in enumerate(fitting):
        if each.name == name and abs(each.rank[0] - place) < MOVED:
            return at + 1
    return next((at for at, each in enumerate(fitting) if each.rank[0] > place), len(fitting))


def every(survey: Survey, scope: Scope, wanted: Wanted) -> Iterator[Standing]:
    """All that fit, the worst first."""
    return _fitting(survey.seen(scope), wanted, survey.at)


def _fitting(seen: Sequence[Standing], wanted: Wanted, at: datetime) -> Iterator[Standing]:
    text, until = wanted.text.casefold(), at + SOON
    for each in seen:
        if text and text not in each.name.casefold() and text not in each.provider.casefold():
            continue
        if wanted.owner and each.owner != wanted.owner:
            continue
        if wanted.state == SOONER:
            if each.due is None or each.due > until or each.state not in (State.FRESH, State.DUE, State.OLD):
                continue
        elif wanted.state and each.state.value != wanted.state:
            continue
        yield each
