"""How far a run of many rotations is: where each one stands, and how many stand there. Pure: no clock, no journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rotator.domain.rotation import Phase, Proof, Rotation, WaitFor

DEAD_BY = (Proof.REFUSED, Proof.ABSENT)
FAILING = 3
"""Attempts of one phase that failed in a row, from which on nobody can say when it will work."""


class Stand(StrEnum):
    """Where one credential stands, in the order in which people want to see them."""

    PERSON = "person"  # it waits for somebody's hand
    REFUSED = "refused"  # it could not be begun
    STUCK = "stuck"
    FAILING = "failing"  # it tries again, and has failed several times
    UNPROVEN = "unproven"  # it is over, and an old key is not proven dead
    BACK = "back"  # it goes back to the old key, or went
    DYING = "dying"  # the new key is live, and an old one not proven dead yet
    UNDER_WAY = "under way"  # no new key is live yet
    NOT_BEGUN = "not begun"
    DEAD = "dead"  # every old key is proven dead; what may come to light late is looked for
    PROVEN = "proven"  # the same, and it is over

    @property
    def moves(self) -> bool:
        """Whether it comes to its end by itself, as far as anybody knows."""
        return self in MOVING

    @property
    def endless(self) -> bool:
        """Whether it has no end before somebody does something."""
        return self in ENDLESS


MOVING = frozenset({Stand.DYING, Stand.UNDER_WAY, Stand.NOT_BEGUN})
ENDLESS = frozenset({Stand.PERSON, Stand.REFUSED, Stand.STUCK, Stand.FAILING, Stand.UNPROVEN, Stand.BACK})
ORDER = {stand: number for number, stand in enumerate(Stand)}


def stand_of(row: Rotation | None) -> Stand:
    """Where a credential stands whose rotation is this; None: it has none yet."""
    if row is None:
        return Stand.NOT_BEGUN
    if row.phase is Phase.STUCK:
        return Stand.STUCK
    if row.phase is Phase.ROLLED_BACK or row.ends_as is Phase.ROLLED_BACK:
        return Stand.BACK
    dead = all(old.proof in DEAD_BY for old in row.old_keys)
    if row.phase is Phase.DONE:
        return Stand.PROVEN if dead else Stand.UNPROVEN
    if row.waiting is not None and row.waiting.for_ is WaitFor.PERSON:
        return Stand.PERSON
    if row.attempts >= FAILING:
        return Stand.FAILING
    if row.phase is Phase.SWEEPING and dead:
        return Stand.DEAD
    return Stand.DYING if row.phase in (Phase.LIVE, Phase.RETIRING, Phase.SWEEPING) else Stand.UNDER_WAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Headway:
    """Counts. `keys` are exposed as far as known, `dead` of them are proven so; `whole`: no other is to be expected.

    `stands`: how many credentials stand where; one that nobody stands at is not in it.
    """

    stands: Mapping[Stand, int] = field(default_factory=dict)
    keys: int = 0
    dead: int = 0
    whole: bool = True

    def at(self, *stands: Stand) -> int:
        """How many stand at one of these."""
        return sum(self.stands.get(each, 0) for each in stands)

    @property
    def all(self) -> int:
        """How many credentials there are."""
        return sum(self.stands.values())

    @property
    def moving(self) -> int:
        """How many come to their end by themselves."""
        return self.at(*MOVING)

    @property
    def endless(self) -> int:
        """How many have no end."""
        return self.at(*ENDLESS)


def headway(each: Iterable[tuple[Stand, Rotation | None, int | None]]) -> Headway:
    """Count. Of every credential: where it stands, its rotation, and how many keys it is planned to lose; None: nobody

    has looked.
    """
    stands: Counter[Stand] = Counter()
    keys = dead = 0
    whole = True
    for stand, row, planned in each:
        stands[stand] += 1
        if row is not None and row.fixed:
            keys += len(row.old_keys)
            dead += sum(old.proof in DEAD_BY for old in row.old_keys)
        else:
            keys += planned or 0
            whole = whole and planned is not None
    return Headway(stands=stands, keys=keys, dead=dead, whole=whole)
