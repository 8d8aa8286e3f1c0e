"""A spare slot whose key must not be overwritten (rules 6 and 10): the rotation goes elsewhere, waits or says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import Publication
from rotator.domain.keys import TWO_SLOTS
from rotator.domain.records import KnownKey, Origin, Verb
from rotator.domain.rotation import Mode, Phase
from rotator.engine.recorded import Recorded
from rotator.engine.saga import advance
from rotator.ports import Change
from tests.engine.small_world import NAME, START, SmallWorld

P = Phase
OTHER = "reports-prod"


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld(strategy=TWO_SLOTS)
    world.provider.offers = replace(world.provider.offers, slots=("a", "b"), list_lag=timedelta(0))
    world.publish("a@1")
    world.know("b@1", world.provider.add("b@1"))
    return world


def elsewhere(small: SmallWorld, key_id: str = "b@1") -> None:
    """Another credential has the spare slot's key as current."""
    fingerprint = small.prints.of(small.provider.values[key_id], "secret")
    known = KnownKey(key_id=key_id, credential=OTHER, origin=Origin.ADOPTED, since=START, fingerprint=fingerprint)
    small.journal.save(replace(small.journal.credential(OTHER), current=key_id), START, Change(keys=(known,)))


def steps(rotation: Recorded, most: int = 50) -> list[str]:
    """The phases of its steps until it waits, is parked or ends."""
    trail: list[str] = []
    while rotation.row.owner is not None and len(trail) < most:
        trail.append(rotation.row.phase.value)
        advance(rotation)
    return trail


def problem(small: SmallWorld) -> tuple[str, str]:
    found = small.committed().problem
    assert found is not None
    return found.message, found.hint


@pytest.mark.parametrize("mode", [Mode.COMPROMISE, Mode.CONTAIN_FIRST])
def test_an_emergency_parks_where_another_credential_lives_in_its_spare_slot(small: SmallWorld, mode: Mode) -> None:
    elsewhere(small)
    trail = steps(small.begin(mode))
    assert trail == ["planned", *(["containing"] if mode is Mode.CONTAIN_FIRST else []), "minting"]
    assert (small.committed().phase, small.committed().parked_from) == (P.STUCK, P.MINTING)
    assert "mint" not in small.effects()
    said, hint = problem(small)
    assert said == "slot b holds b@1, which is current in credential reports-prod"
    assert hint == (
        "let reports-prod use another principal, or empty the slot by hand if it is not needed; "
        "then `rotator resume openai-prod`"
    )


def test_it_goes_on_when_the_other_credential_has_another_key(small: SmallWorld) -> None:
    elsewhere(small)
    steps(small.begin(Mode.COMPROMISE))
    small.journal.save(replace(small.journal.credential(OTHER), current="x@1"), START, Change())
    small.journal.ask(NAME, Verb.RESUME, "it moved", START)
    steps(small.claim(), most=2)
    assert "mint" in small.effects()


def test_a_scheduled_rotation_ends_there_and_says_so(small: SmallWorld) -> None:
    elsewhere(small)
    steps(small.begin())
    assert small.committed().ends_as is P.ROLLED_BACK
    assert problem(small)[1].endswith("then `rotate openai-prod`")


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.COMPROMISE])
def test_a_slot_that_nobody_lives_in_comes_before_another_credentials(small: SmallWorld, mode: Mode) -> None:
    small.provider.offers = replace(small.provider.offers, slots=("a", "b", "c"))
    elsewhere(small)
    rotation = small.begin(mode)
    advance(rotation)
    assert (rotation.row.phase, rotation.row.slot) == (P.MINTING, "c")


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.COMPROMISE])
def test_two_slots_with_the_same_value_leave_no_room(small: SmallWorld, mode: Mode) -> None:
    """Somebody set the same password twice; a store holds that value, so neither slot may be overwritten."""
    small.provider.values["b@1"] = small.provider.values["a@1"]
    small.know("b@1", small.provider.values["a@1"])
    trail = steps(small.begin(mode))
    assert trail == ["planned"]
    assert small.committed().phase is (P.STUCK if mode is Mode.COMPROMISE else P.ROLLED_BACK)
    assert "mint" not in small.effects()


def test_a_foreign_value_that_comes_while_it_is_planned_is_looked_at_again(small: SmallWorld) -> None:
    small.know("b@1", None)  # as found in a list: any value might be this key's
    rotation, entry = small.begin(Mode.COMPROMISE), small.spec.publish[1]
    small.store["file"].when_asked = lambda: written(small, entry) if rotation.row.fixed else None
    advance(rotation)
    assert (small.committed().phase, problem(small)[0]) == (
        P.PLANNED,
        "file:app was written by somebody else at the same time",
    )
    small.clock.move(timedelta(minutes=1))
    rotation = small.claim()
    steps(rotation, most=1)
    assert rotation.row.store("file", "app").left_behind is not None
    assert (rotation.row.phase, rotation.row.slot) == (P.MINTING, "b")


def written(small: SmallWorld, entry: Publication) -> None:
    small.store[entry.store].put(entry.place, {"API_KEY": "by hand"})
