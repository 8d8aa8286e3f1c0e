"""Several old keys: one that cannot be killed, or proven dead, keeps no other one alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient, Undecidable
from rotator.domain.keys import Disabling, KeyState, Verdict
from rotator.domain.rotation import Mode, Phase, Proof, Rotation
from rotator.domain.secret import Secret
from tests.engine.small_world import TIMING, SmallWorld, kept
from tests.engine.test_hard_cases import run_for

PASSES = (Transient("its sessions do not end"), Conflict("somebody changed it"))
NEEDS_A_PERSON = (Permanent("it is protected"), Denied("not this one"), Undecidable("it comes back"))


@pytest.fixture(params=[Disabling.NONE, Disabling.REVERSIBLE])
def small(request: pytest.FixtureRequest) -> SmallWorld:
    """Three keys are to die; those that are asked for first and last have no copy in any store."""
    world = SmallWorld()
    world.provider.offers = replace(world.provider.offers, disabling=request.param)
    world.publish("k1")
    for key_id in ("k0", "k2"):
        world.provider.add(key_id)
        world.know(key_id, None)
    world.begin(Mode.COMPROMISE)
    return world


def proofs(small: SmallWorld) -> dict[str, Proof | None]:
    return {old.key_id: old.proof for old in small.committed().old_keys}


def refused(small: SmallWorld) -> int:
    """How often the first key was to die."""
    return sum(step[:2] == ("set_state", "k0") for step in small.trace)


def deleted(small: SmallWorld) -> set[str]:
    return {old.key_id for old in small.committed().old_keys if old.deleted_at is not None}


@pytest.mark.parametrize("failure", [*PASSES, *NEEDS_A_PERSON], ids=lambda each: type(each).__name__)
def test_the_others_die_at_once(small: SmallWorld, failure: Failure) -> None:
    small.provider.refuses = {"k0": failure}
    run_for(small, timedelta(minutes=5))
    assert deleted(small) == {"k1", "k2"}


@pytest.mark.parametrize("failure", PASSES, ids=lambda each: type(each).__name__)
def test_the_others_are_proven_dead_and_the_first_when_it_can_be(small: SmallWorld, failure: Failure) -> None:
    small.provider.refuses = {"k0": failure}
    run_for(small, timedelta(hours=1))
    assert proofs(small) == {"k0": None, "k1": Proof.REFUSED, "k2": Proof.ABSENT}
    assert small.committed().phase is Phase.RETIRING
    small.provider.refuses = {}
    run_for(small, timedelta(hours=1))
    assert proofs(small) == {"k0": Proof.ABSENT, "k1": Proof.REFUSED, "k2": Proof.ABSENT}
    assert small.committed().phase is Phase.DONE


def test_who_gets_no_answer_about_one_proves_the_others_dead(
    small: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, value = small.provider.verify, small.provider.values["k1"]

    def asked(principal: Principal, given: Secret) -> Verdict:
        if given == value and small.provider.held["k1"].state is KeyState.DELETED:
            raise Transient("no answer")
        return verify(principal, given)

    monkeypatch.setattr(small.provider, "verify", asked)
    run_for(small, timedelta(hours=1))
    assert proofs(small) == {"k0": Proof.ABSENT, "k1": None, "k2": Proof.ABSENT}
    assert small.committed().phase is Phase.RETIRING


@pytest.mark.parametrize("failure", NEEDS_A_PERSON, ids=lambda each: type(each).__name__)
def test_a_person_is_asked_when_the_others_are_proven_dead(small: SmallWorld, failure: Failure) -> None:
    small.provider.refuses = {"k0": failure}
    run_for(small, timedelta(minutes=15))
    assert proofs(small) == {"k0": None, "k1": Proof.REFUSED, "k2": Proof.ABSENT}
    problem = small.committed().problem
    assert problem is not None
    assert (small.committed().phase, problem.message) == (Phase.STUCK, failure.message)
    assert refused(small) < 20


def test_who_waits_for_the_others_sees_what_needs_a_person(small: SmallWorld) -> None:
    small.provider.refuses = {"k0": NEEDS_A_PERSON[0]}
    shown = set()

    def look() -> None:
        row = small.committed()
        shown.add((row.phase, row.waiting.note if row.waiting is not None else ""))

    small.journal.before_commit = look
    run_for(small, timedelta(minutes=15))
    assert (Phase.RETIRING, "it is protected") in shown


def test_a_person_is_asked_although_others_may_still_die_by_themselves(small: SmallWorld) -> None:
    small.provider.refuses = {"k0": NEEDS_A_PERSON[0], "k2": PASSES[0]}
    run_for(small, timedelta(minutes=15))
    assert proofs(small) == {"k0": None, "k1": Proof.REFUSED, "k2": None}
    problem = small.committed().problem
    assert problem is not None
    assert (small.committed().phase, problem.message) == (Phase.STUCK, "it is protected")
    assert refused(small) < 40


def test_questions_without_an_answer_may_together_take_longer_than_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    small = SmallWorld()
    small.publish("k1")
    place = small.spec.publish[0]
    for key_id in ("k0", "k2"):
        value = small.provider.add(key_id)
        small.know(key_id, value)
        small.store[place.store].put(place.previous(key_id), kept(value, key_id, "r0"))
    small.begin(Mode.COMPROMISE)
    verify, claimed = small.provider.verify, list[Rotation]()

    def asked(principal: Principal, given: Secret) -> Verdict:
        if verify(principal, given) is Verdict.INVALID:
            small.clock.move(TIMING.lease * 0.4)
            claimed.extend(small.journal.claim(owner="other", now=small.clock.now(), lease=TIMING.lease, limit=1))
            raise Transient("no answer")
        return Verdict.WORKS

    monkeypatch.setattr(small.provider, "verify", asked)
    run_for(small, timedelta(hours=1))
    assert not claimed
    assert deleted(small) == {"k0", "k1", "k2"}
    problem = small.committed().problem
    assert problem is not None
    assert problem.message == "no answer"
