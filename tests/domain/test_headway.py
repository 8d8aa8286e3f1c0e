"""Where a credential stands while many are rotated, and how many stand where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rotator.domain.headway import DEAD_BY, Stand, headway, stand_of
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, WaitFor, Waiting

AT = datetime(2026, 3, 24, 3, 0, tzinfo=UTC)
ALIVE, DEAD = OldKey(key_id="key-1"), OldKey(key_id="key-2", proof=Proof.REFUSED, dead_at=AT)
UNPROVEN = OldKey(key_id="key-3", proof=Proof.UNPROVEN, dead_at=AT)


def row(phase: Phase, *old: OldKey, **changes: object) -> Rotation:
    made = Rotation(
        id="r", credential="c", mode=Mode.COMPROMISE, reason="", started_at=AT, next_at=AT, since=AT, phase=phase
    )
    return replace(made, old_keys=old, fixed=bool(old), **changes)  # type: ignore[arg-type]


PERSON = Waiting(until=AT, for_=WaitFor.PERSON)
CASES = [
    ("nothing was begun", None, Stand.NOT_BEGUN),
    ("it looks", row(Phase.PLANNED), Stand.UNDER_WAY),
    ("it publishes", row(Phase.PROMOTING, ALIVE), Stand.UNDER_WAY),
    ("the new key is live", row(Phase.LIVE, ALIVE), Stand.DYING),
    ("one of two is dead", row(Phase.RETIRING, DEAD, ALIVE), Stand.DYING),
    ("all are dead, and it is swept", row(Phase.SWEEPING, DEAD), Stand.DEAD),
    ("it is swept, and one is not proven", row(Phase.SWEEPING, DEAD, UNPROVEN), Stand.DYING),
    ("it is over and proven", row(Phase.DONE, DEAD), Stand.PROVEN),
    ("it is over and not proven", row(Phase.DONE, DEAD, UNPROVEN), Stand.UNPROVEN),
    ("a person mints", row(Phase.MINTING, ALIVE, waiting=PERSON), Stand.PERSON),
    ("a person deletes", row(Phase.RETIRING, ALIVE, waiting=PERSON), Stand.PERSON),
    ("it is parked, which a person ends", row(Phase.STUCK, ALIVE, waiting=PERSON), Stand.STUCK),
    ("it failed once", row(Phase.MINTING, attempts=1, problem=Problem(message="no")), Stand.UNDER_WAY),
    ("it fails again and again", row(Phase.RETIRING, ALIVE, attempts=3, problem=Problem(message="no")), Stand.FAILING),
    ("it goes back", row(Phase.SWEEPING, ends_as=Phase.ROLLED_BACK), Stand.BACK),
    ("it went back", row(Phase.ROLLED_BACK), Stand.BACK),
]


@pytest.mark.parametrize(("rotation", "stand"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_where_it_stands(rotation: Rotation | None, stand: Stand) -> None:
    assert stand_of(rotation) is stand


def test_every_stand_moves_has_no_end_or_has_arrived() -> None:
    assert {each for each in Stand if each.moves and each.endless} == set()
    assert {each for each in Stand if not each.moves and not each.endless} == {Stand.DEAD, Stand.PROVEN}


def test_keys_are_counted_as_planned_until_they_are_fixed() -> None:
    swept = row(Phase.SWEEPING, DEAD, replace(DEAD, key_id="key-4"))
    counted = headway([(Stand.DEAD, swept, 1), (Stand.NOT_BEGUN, None, 3)])
    assert (counted.keys, counted.dead, counted.whole) == (5, 2, True)


def test_keys_that_nobody_looked_for_may_be_more() -> None:
    counted = headway([(Stand.DYING, row(Phase.RETIRING, UNPROVEN), 1), (Stand.NOT_BEGUN, None, None)])
    assert (counted.keys, counted.dead, counted.whole) == (1, 0, False)
    assert Proof.UNPROVEN not in DEAD_BY


def test_the_sums() -> None:
    stands = (Stand.DYING, Stand.STUCK, Stand.PERSON, Stand.PERSON, Stand.PROVEN)
    counted = headway((stand, None, 0) for stand in stands)
    assert (counted.all, counted.moving, counted.endless, counted.at(Stand.PERSON)) == (5, 1, 3, 2)
