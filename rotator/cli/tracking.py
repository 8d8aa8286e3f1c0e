"""What is known of a run while it runs: what was expected, every row as committed last, when each one arrived."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rotator.app.bounds import Bounds, bounds_of
from rotator.app.planning import Planned
from rotator.cli.overview import View
from rotator.cli.words import NEVER
from rotator.domain.headway import Stand, headway, stand_of
from rotator.domain.pace import Course, Estimate, NotYet, end_of_all
from rotator.domain.rotation import Phase, Rotation, WaitFor

HANDFUL = 5
"""Above so many credentials a run has a summary."""
ARRIVED = {
    True: frozenset({Stand.DEAD, Stand.PROVEN}),
    False: frozenset({Stand.DYING, Stand.DEAD, Stand.PROVEN}),
}
"""Where a credential has come to its end: in an emergency, and else."""
Standing = Mapping[str, tuple[Stand, Rotation | None]]
"""Every credential by name, where it stands, and its rotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run is about. `name`: the incident; empty where there is none.

    `providers`: of every credential. `keys`: how many old ones each is planned to lose; None: nobody has looked.
    `refused`: what could not be begun, with message and hint; it may grow.
    """

    name: str = ""
    since: datetime
    providers: Mapping[str, str]
    keys: Mapping[str, int | None] = field(default_factory=dict)
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    bounds: Bounds | None = None

    @property
    def emergency(self) -> bool:
        """Whether the old keys are taken for stolen."""
        return bool(self.name)


def expected(
    plans: Sequence[Planned],
    refused: Mapping[str, tuple[str, str]],
    parallel: int,
    since: datetime,
    incident: str = "",
) -> Expected:
    """What is expected of what was planned."""
    return Expected(
        name=f"incident {incident}" if incident else "",
        since=since,
        providers={each.credential: each.provider for each in plans},
        keys={each.credential: len(each.old_keys) if each.looked else None for each in plans},
        refused=refused,
        bounds=bounds_of(plans, parallel),
    )


class Tracking:
    """One run so far. Not safe for several threads."""

    def __init__(self, began: datetime) -> None:
        self.began = began
        self.expected: Expected | None = None
        self.begun: Mapping[str, Rotation] = {}  # what somebody else begins, or had ended before; it may grow
        self.rows: dict[str, Rotation] = {}
        self._arrived: dict[str, list[datetime]] = {}
        self._there: set[str] = set()

    def note(self, row: Rotation, now: datetime) -> Stand:
        """A row was committed; where it stands."""
        self.rows[row.credential] = row
        stand, expected = stand_of(row), self.expected
        if expected is not None and row.credential not in self._there and stand in ARRIVED[expected.emergency]:
            self._there.add(row.credential)
            insort(self._arrived.setdefault(expected.providers.get(row.credential, ""), []), now)
        return stand

    def standing(self) -> Standing:
        """Everybody who is known."""
        rows = {**dict(self.begun), **self.rows}
        refused = self.expected.refused if self.expected is not None else {}
        names = (*self.expected.providers, *refused, *rows) if self.expected is not None else tuple(rows)
        return {name: (_stand(name, rows.get(name), refused), rows.get(name)) for name in dict.fromkeys(names)}

    def view(self, standing: Standing, now: datetime) -> View | None:
        """The summary of what was expected; None where nothing was."""
        expected = self.expected
        if expected is None:
            return None
        counted = headway((stand, row, expected.keys.get(name)) for name, (stand, row) in standing.items())
        return View(
            name=expected.name,
            since=expected.since,
            now=now,
            headway=counted,
            bounds=expected.bounds,
            end=self._end(expected, standing, now),
            over=_over(row for stand, row in standing.values() if stand is Stand.DEAD),
        )

    def _end(self, expected: Expected, standing: Standing, now: datetime) -> Estimate | NotYet | None:
        left: dict[str, list[Rotation | None]] = {}
        for name, (stand, row) in standing.items():
            if stand.moves and stand not in ARRIVED[expected.emergency]:
                left.setdefault(expected.providers.get(name, ""), []).append(row)
        courses = (
            Course(
                began=self.began,
                arrived=self._arrived.get(provider, ()),
                left=len(rows),
                ending=[row.waiting.until for row in rows if row is not None and row.waiting and _last_step(row)],
                waits=[row.waiting.until for row in rows if row is not None and row.waiting and _timed(row)],
            )
            for provider, rows in left.items()
        )
        return end_of_all(courses, now)


def _stand(name: str, row: Rotation | None, refused: Mapping[str, object]) -> Stand:
    return Stand.REFUSED if row is None and name in refused else stand_of(row)


def _over(looking: Iterable[Rotation | None]) -> datetime | None:
    """When the last of these looks for more is over."""
    ends = (row.waiting.until for row in looking if row is not None and row.waiting is not None and _timed(row))
    return max(ends, default=None)


def _timed(row: Rotation) -> bool:
    """Whether it waits for nothing but the time."""
    return row.waiting is not None and row.waiting.for_ is WaitFor.TIME and row.waiting.until.year < NEVER


def _last_step(row: Rotation) -> bool:
    """Whether the last look at its old keys is all that it waits for."""
    unproven = [old for old in row.old_keys if old.proof is None]
    seen = bool(unproven) and all(old.first_refused_at is not None for old in unproven)
    return row.phase is Phase.RETIRING and seen and row.problem is None and _timed(row)
