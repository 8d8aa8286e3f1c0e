"""A place that the config loses while a rotation is writing it: asked about once, then left behind and named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.domain.credential import PlaceKind
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine.recorded import Recorded
from rotator.engine.removed import REMOVED
from rotator.engine.saga import advance
from tests.engine.small_world import NAME, START, SmallWorld

P = Phase
CURRENT = (PlaceKind.CURRENT, "")


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld()
    world.publish("k1")
    return world


def promoted(small: SmallWorld, mode: Mode = Mode.MANUAL) -> Recorded:
    """A rotation that has just promoted both stores."""
    rotation = small.begin(mode)
    while rotation.row.phase is not P.LIVE:
        advance(rotation)
    return rotation


def without(small: SmallWorld, rotation: Recorded, store: str) -> None:
    """The config loses a store, for the world and for who runs the rotation."""
    small.spec = replace(small.spec, publish=tuple(each for each in small.spec.publish if each.store != store))
    rotation.spec = small.spec


def state(row: Rotation, store: str) -> str | None:
    return row.store(store, "app").left_behind


def resumed(small: SmallWorld) -> Recorded:
    small.journal.ask(NAME, Verb.RESUME, "meant", START)
    rotation = small.claim()
    advance(rotation)  # answers
    return rotation


def test_before_the_pivot_a_person_is_asked_and_nothing_is_done(small: SmallWorld) -> None:
    rotation = promoted(small)
    without(small, rotation, "file")
    small.trace.clear()
    advance(rotation)
    row = small.committed()
    assert (row.phase, row.parked_from) == (P.STUCK, P.LIVE)
    assert row.problem is not None
    assert "file:app was removed from publish" in row.problem.message
    assert "rotator resume" in row.problem.hint
    assert small.effects() == []


def test_who_means_it_resumes_and_the_place_keeps_what_it_has(small: SmallWorld) -> None:
    rotation = promoted(small)
    held = small.store["file"].held[CURRENT]
    without(small, rotation, "file")
    advance(rotation)
    rotation = resumed(small)
    rotation.row = replace(rotation.row, phase=P.ROLLING_BACK, owner="me")
    advance(rotation)
    assert rotation.row.phase is P.WITHDRAWING
    assert state(rotation.row, "file") == REMOVED
    assert small.store["file"].held[CURRENT] == held
    assert small.store["vault"].held[CURRENT] != held
    assert rotation.credential.drift == ()  # nobody would ever mend it


def test_one_that_came_back_is_no_longer_left_behind(small: SmallWorld) -> None:
    rotation = promoted(small)
    whole = small.spec
    without(small, rotation, "file")
    advance(rotation)
    assert state(small.committed(), "file") == REMOVED
    small.spec = whole
    rotation = resumed(small)
    advance(rotation)
    assert state(small.committed(), "file") is None


def test_an_emergency_leaves_it_behind_and_goes_on(small: SmallWorld) -> None:
    rotation = promoted(small, Mode.COMPROMISE)
    without(small, rotation, "file")
    advance(rotation)
    assert rotation.row.phase is not P.STUCK
    assert state(rotation.row, "file") == REMOVED


def test_beyond_the_pivot_and_before_any_promotion_nobody_is_asked(small: SmallWorld) -> None:
    rotation = promoted(small)
    rotation.row = replace(rotation.row, beyond_pivot=True)
    without(small, rotation, "file")
    advance(rotation)
    assert rotation.row.phase is not P.STUCK
    early = SmallWorld()
    early.publish("k1")
    rotation = early.begin(Mode.MANUAL)
    while rotation.row.phase is not P.PROMOTING:
        advance(rotation)
    without(early, rotation, "file")
    advance(rotation)
    assert rotation.row.phase.value == "live"
