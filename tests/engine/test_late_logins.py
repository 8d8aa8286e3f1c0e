"""Keys that open sessions: what a login that was under way when its key died has become is ended before the proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.failures import Transient
from rotator.domain.rotation import Mode, OldKey, Phase, Proof
from tests.engine.small_world import SmallWorld
from tests.engine.test_hard_cases import run_for

WINDOW = timedelta(minutes=5)
DELETED = ("set_state", "k1", "deleted")


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld()
    world.publish("k1")
    world.provider.offers = replace(world.provider.offers, login_window=WINDOW)
    return world


def dead(small: SmallWorld, mode: Mode = Mode.SCHEDULED) -> OldKey:
    small.begin(mode)
    run_for(small, timedelta(days=3))
    (old,) = small.committed().old_keys
    assert (small.committed().phase, old.proof) == (Phase.DONE, Proof.REFUSED)
    return old


def actions(small: SmallWorld) -> list[str]:
    """What the trail says was done with the old key, effect by effect."""
    rows = small.journal.events(small.committed().id)
    return [each.event.action for each in rows if each.event.subject == "k1" and each.event.kind.value == "outcome"]


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.COMPROMISE])
def test_it_is_deleted_once_more_when_no_login_can_be_under_way(small: SmallWorld, mode: Mode) -> None:
    old = dead(small, mode)
    assert small.trace.count(DELETED) == 2
    assert actions(small) == ["delete", "end sessions"]
    assert old.deleted_at is not None
    assert old.dead_at is not None
    assert old.dead_at - old.deleted_at >= WINDOW, "somebody may have been in until then"


def test_where_keys_open_no_sessions_once_is_enough(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, login_window=timedelta(0))
    old = dead(small)
    assert small.trace.count(DELETED) == 1
    assert old.dead_at == old.first_refused_at


def test_until_that_is_done_nothing_is_proven(small: SmallWorld) -> None:
    def late() -> None:
        if small.trace.count(DELETED) in (2, 3):
            small.provider.fails = Transient("away")

    small.provider.during = late
    old = dead(small)
    assert small.trace.count(DELETED) == 4
    assert old.deleted_at is not None
    assert old.dead_at is not None
    assert old.dead_at - old.deleted_at > WINDOW


def test_a_value_that_could_never_be_had_is_shut_out_too(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, login_window=WINDOW)
    small.provider.add("k0")
    small.know("k0", None)
    small.begin(Mode.COMPROMISE)
    run_for(small, timedelta(days=3))
    found = {old.key_id: old.proof for old in small.committed().old_keys}
    assert found == {"k0": Proof.ABSENT, "k1": Proof.REFUSED}
    assert small.trace.count(("set_state", "k0", "deleted")) == 2
