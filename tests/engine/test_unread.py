"""Stores that cannot be read: written last, known by our own last write, never an escrow, and put back all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import PlaceKind
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.keys import KeyState
from rotator.domain.records import KnownKey, LastWrite, Origin, Verb
from rotator.domain.rotation import Mode, Phase, StoreState
from rotator.domain.secret import Secret
from rotator.engine import places
from rotator.engine.killing import holder
from rotator.engine.reconciling import Drift, Reconciled, reconcile
from rotator.engine.recorded import Recorded
from rotator.engine.worker import Worker
from rotator.ports import ABSENT, Change, StoreCapabilities
from tests.engine.small_world import NAME, START, TIMING, SmallWorld

CURRENT = (PlaceKind.CURRENT, "")
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
P = Phase


@pytest.fixture
def small() -> SmallWorld:
    """The store that cannot be read is declared first, and known to hold the current key."""
    world = SmallWorld(stores=("ci", "vault", "file"), unread=("ci",))
    world.publish("k1")
    wrote(world, "k1", world.store["ci"].held[CURRENT][0])
    return world


def wrote(small: SmallWorld, key_id: str, version: str | None) -> None:
    """Let the journal know what was written to `ci`."""
    row = small.credential().having_written(LastWrite(store="ci", ref="app", key_id=key_id, version=version))
    small.journal.save(row, small.clock.now(), Change())


def last(small: SmallWorld) -> LastWrite | None:
    return small.credential().last_write("ci", "app")


def run(small: SmallWorld, *until: Phase, longest: timedelta = timedelta(days=3)) -> Phase:
    """Let one worker run whatever is due until the rotation is in one of these phases, or over."""
    worker, end = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world), small.clock.now() + longest
    small.clock.move(TIMING.lease)
    while small.clock.now() < end and small.committed().open and small.committed().phase not in (*until, P.STUCK):
        for row, at in worker.claim(small.world, 1):
            worker.run(row, at)
        small.clock.move(min(max(small.committed().next_at - small.clock.now(), SECOND), HOUR))
    return small.committed().phase


def start(small: SmallWorld, mode: Mode = Mode.SCHEDULED, **fields: object) -> None:
    small.begin(mode, owner=None, **fields)


def once_promoted(small: SmallWorld, store: str, act: Callable[[], object]) -> None:
    """Do something when this store is looked at after its promotion."""

    def look() -> None:
        if ("write", store, "current") in small.trace[:-1]:
            small.store[store].when_asked = lambda: None
            act()

    small.store[store].when_asked = look


def at_ci(small: SmallWorld) -> str | None:
    """What consumers of `ci` read, which the engine cannot know."""
    held = small.store["ci"].held.get(CURRENT)
    return held[1]["API_KEY"] if held is not None else None


def state_of(small: SmallWorld, key_id: str) -> KeyState:
    return small.provider.held[key_id].state


def mended(result: Reconciled) -> list[str]:
    return [place.where for place in result.places if place.mended]


def problems(result: Reconciled) -> list[str]:
    return [place.problem for place in result.places if place.problem]


def by_hand_at(result: Reconciled) -> list[str]:
    return [place.where for place in result.places if place.drift is Drift.BY_HAND]


def current_writes(small: SmallWorld) -> list[str]:
    return [step[1] for step in small.trace if step[0] == "write" and step[2] == "current"]


# -- forward ----------------------------------------------------------------------------------------------------------


def test_it_is_written_when_every_other_store_was_promoted_and_read_back(small: SmallWorld) -> None:
    start(small)
    assert run(small) is P.DONE
    assert current_writes(small) == ["vault", "file", "ci"]
    promoted = [step for step in small.trace if step[0] in ("read", "write") and step[2] == "current"]
    written = promoted.index(("write", "ci", "current"))
    assert promoted.index(("read", "file", "current"), promoted.index(("write", "file", "current"))) < written
    assert at_ci(small) == "sk-k2"
    assert small.provider.held["k1"].state is KeyState.DELETED


def test_the_row_and_the_credential_say_that_it_was_written_and_not_read(small: SmallWorld) -> None:
    start(small)
    run(small)
    state = small.committed().store("ci", "app")
    assert (state.unread, state.version) == (True, small.store["ci"].held[CURRENT][0])
    assert not small.committed().store("vault", "app").unread
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k2", version=state.version)


def test_nothing_but_the_current_place_is_ever_asked_of_it(small: SmallWorld) -> None:
    start(small)
    run(small)
    asked = [step for step in small.trace if step[0] in ("read", "write", "remove") and step[1] == "ci"]
    assert {step[2] for step in asked} == {"current"}


def test_it_is_no_escrow_and_keeps_no_old_value(small: SmallWorld) -> None:
    start(small)
    assert run(small, P.PROMOTING, P.LIVE) in (P.PROMOTING, P.LIVE)
    assert small.committed().escrow == "vault"
    assert {kind for kind, _ in small.store["ci"].held} == {PlaceKind.CURRENT}
    assert [old.kept_in for old in small.committed().old_keys] == ["vault"]


def test_a_place_that_does_not_exist_yet_is_made(small: SmallWorld) -> None:
    small.store["ci"].held.clear()
    start(small)
    assert run(small) is P.DONE
    assert at_ci(small) == "sk-k2"


def test_a_value_that_is_too_large_for_it_ends_before_anything_is_promoted(small: SmallWorld) -> None:
    small.store["ci"].offers = StoreCapabilities(exact=False, readable=False, max_bytes=3)
    start(small)
    assert run(small) is P.ROLLED_BACK
    assert current_writes(small) == []
    assert small.committed().problem is not None
    assert "takes 3 bytes" in small.committed().problem.message  # type: ignore[union-attr]


def test_a_permission_that_it_lacks_is_noticed_before_anything_is_promoted(small: SmallWorld) -> None:
    start(small)
    small.provider.during = lambda: setattr(small.store["ci"], "down", Permanent("no such repository"))
    assert run(small) is P.STUCK
    assert current_writes(small) == []


# -- answers that are lost --------------------------------------------------------------------------------------------


def test_a_write_whose_answer_was_lost_is_not_a_strangers_and_is_done_again(small: SmallWorld) -> None:
    small.store["ci"].loses = Transient("no answer")
    start(small)
    assert run(small) is P.DONE
    assert current_writes(small) == ["vault", "file", "ci", "ci"]
    assert "written again" in actions(small)
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k2", version=small.store["ci"].held[CURRENT][0])


def test_a_crash_between_the_write_and_the_next_commit_is_the_same(small: SmallWorld) -> None:
    start(small)
    small.journal.before_commit = lambda: crash_after(small, "ci")
    with pytest.raises(KeyboardInterrupt):
        run(small)
    small.journal.before_commit = lambda: None
    assert at_ci(small) == "sk-k2"
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k2")
    assert run(small) is P.DONE
    assert current_writes(small) == ["vault", "file", "ci", "ci"]


def crash_after(small: SmallWorld, store: str) -> None:
    if ("write", store, "current") in small.trace:
        raise KeyboardInterrupt


def actions(small: SmallWorld) -> list[str]:
    return [each.event.action for each in small.journal.events(small.committed().id)]


# -- what somebody else wrote -----------------------------------------------------------------------------------------


def by_hand(small: SmallWorld, text: str = "sk-somebody-else") -> None:
    small.store["ci"].put(small.spec.publish[0].place, {"API_KEY": text})


def test_what_somebody_else_wrote_before_ends_a_scheduled_rotation_with_a_command(small: SmallWorld) -> None:
    by_hand(small)
    start(small)
    assert run(small) is P.ROLLED_BACK
    problem = small.committed().problem
    assert problem is not None
    assert problem.message == "ci:app holds a value that the rotator did not write"
    assert problem.hint == f"delete it there, or `rotator adopt {NAME}`: then it is written again"
    assert small.effects() == []


def test_an_emergency_leaves_it_behind_and_the_others_get_the_new_key(small: SmallWorld) -> None:
    by_hand(small)
    start(small, Mode.COMPROMISE)
    assert run(small) is P.DONE
    assert [each.store for each in small.committed().stores if each.left_behind] == ["ci"]
    assert small.credential().drift == ("ci:app",)
    assert at_ci(small) == "sk-somebody-else"


def test_what_somebody_wrote_after_the_promotion_forbids_the_pivot(small: SmallWorld) -> None:
    start(small)
    run(small, P.LIVE)
    by_hand(small, "sk-k1")
    assert run(small) is not P.DONE
    assert small.provider.held["k1"].state is KeyState.ENABLED
    assert at_ci(small) == "sk-k1"


def test_a_new_key_is_not_withdrawn_while_somebody_may_have_written_it_there(small: SmallWorld) -> None:
    start(small)
    run(small, P.LIVE)
    by_hand(small, "sk-k2")
    small.journal.ask(NAME, Verb.ROLLBACK, "wrong", small.clock.now())
    assert run(small, longest=timedelta(days=9)) is P.STUCK
    assert state_of(small, "k2") is KeyState.ENABLED
    small.store["ci"].held.clear()  # as the hint says
    small.journal.ask(NAME, Verb.RESUME, "deleted", small.clock.now())
    small.clock.move(SECOND)
    worker = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)
    for row, at in worker.claim(small.world, 1):
        worker.run(row, at)
    assert run(small) is P.ROLLED_BACK
    assert state_of(small, "k2") is KeyState.DELETED
    reconcile(small.spec, small.world)
    assert at_ci(small) == "sk-k1"


# -- back -------------------------------------------------------------------------------------------------------------


def test_rolling_back_writes_the_old_value_again(small: SmallWorld) -> None:
    start(small)
    run(small, P.LIVE)
    assert at_ci(small) == "sk-k2"
    small.journal.ask(NAME, Verb.ROLLBACK, "wrong", small.clock.now())
    assert run(small) is P.ROLLED_BACK
    assert at_ci(small) == "sk-k1"
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k1", version=small.store["ci"].held[CURRENT][0])
    assert small.provider.held["k2"].state is KeyState.DELETED


def test_a_promotion_whose_answer_was_lost_is_put_back_too(small: SmallWorld) -> None:
    small.store["ci"].loses = Transient("no answer")
    start(small)
    run(small, P.PROMOTING)
    while "ci" not in current_writes(small):
        run(small, P.LIVE, longest=SECOND)
    small.journal.ask(NAME, Verb.ROLLBACK, "wrong", small.clock.now())
    assert run(small) is P.ROLLED_BACK
    assert at_ci(small) == "sk-k1"


def test_where_nothing_was_before_the_place_is_removed_again() -> None:
    small = SmallWorld(stores=("vault", "ci"), unread=("ci",))
    start(small)
    run(small, P.LIVE)
    assert at_ci(small) == "sk-k1"
    small.journal.ask(NAME, Verb.ROLLBACK, "wrong", small.clock.now())
    assert run(small) is P.ROLLED_BACK
    assert at_ci(small) is None


# -- in an emergency --------------------------------------------------------------------------------------------------


def test_a_store_that_is_down_is_left_behind_and_mended_later(small: SmallWorld) -> None:
    start(small, Mode.COMPROMISE)
    once_promoted(small, "file", lambda: setattr(small.store["ci"], "down", Transient("no answer")))
    assert run(small) is P.DONE
    assert small.credential().drift == ("ci:app",)
    assert small.provider.held["k1"].state is KeyState.DELETED
    small.store["ci"].down = None
    assert mended(reconcile(small.spec, small.world)) == ["ci:app"]
    assert at_ci(small) == "sk-k2"
    assert small.credential().drift == ()


def test_it_is_not_the_last_store_that_may_be_left(small: SmallWorld) -> None:
    rotation = small.begin(Mode.COMPROMISE)
    places.leave_behind(rotation, small.spec.publish[1], "down")
    with pytest.raises(Failure, match="no store takes the new key"):
        places.leave_behind(rotation, small.spec.publish[2], "down")


# -- with no rotation open --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "as it is"])
def test_the_reconciler_settles_what_nobody_can_tell_and_leaves_the_rest(
    small: SmallWorld, version: str | None
) -> None:
    held = small.store["ci"].held[CURRENT][0]
    wrote(small, "k1", None if version is None else held)
    result = reconcile(small.spec, small.world)
    assert mended(result) == (["ci:app"] if version is None else [])
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k1", version=small.store["ci"].held[CURRENT][0])
    assert mended(reconcile(small.spec, small.world)) == []


def test_the_reconciler_alerts_of_what_somebody_else_wrote(small: SmallWorld) -> None:
    by_hand(small)
    assert by_hand_at(reconcile(small.spec, small.world)) == ["ci:app"]
    assert [alert[0] for alert in small.others.alerts] == ["foreign value"]
    assert at_ci(small) == "sk-somebody-else"


def test_a_mend_whose_answer_was_lost_is_done_again(small: SmallWorld) -> None:
    small.store["ci"].held.clear()
    small.store["ci"].loses = Transient("no answer")
    assert problems(reconcile(small.spec, small.world)) == ["no answer"]
    assert last(small) == LastWrite(store="ci", ref="app", key_id="k1")
    assert mended(reconcile(small.spec, small.world)) == ["ci:app"]


def test_a_mend_that_lost_its_race_leaves_a_foreign_value_foreign(small: SmallWorld) -> None:
    small.store["ci"].held.clear()
    known = last(small)
    looks = iter(range(9))
    small.store["ci"].when_asked = lambda: by_hand(small) if next(looks) == 2 else None
    assert problems(reconcile(small.spec, small.world)) == ["ci was written meanwhile"]
    assert last(small) == known
    assert by_hand_at(reconcile(small.spec, small.world)) == ["ci:app"]


def test_a_scheduled_rotation_settles_what_was_taken_over_before_it_rests_on_it(small: SmallWorld) -> None:
    by_hand(small, "sk-another")
    wrote(small, "k1", None)
    start(small)
    assert run(small, P.MINTING) is P.MINTING or "rewrite" in actions(small)
    assert current_writes(small)[0] == "ci"
    assert run(small) is P.DONE
    assert at_ci(small) == "sk-k2"


# -- what is found there ----------------------------------------------------------------------------------------------


def test_a_look_says_which_key_by_our_last_write(small: SmallWorld) -> None:
    found = places.current(small.begin(), small.spec.publish[0])
    assert found.key is not None
    assert (found.key.key_id, found.value) == ("k1", None)
    assert (found.foreign, found.unclear, found.empty) == (False, False, False)
    assert found.holds("k1", Secret({"secret": "whatever"}))
    assert not found.holds("k2", Secret({"secret": "sk-k1"}))


def test_a_version_of_nobody_is_foreign_and_a_lost_write_unclear(small: SmallWorld) -> None:
    by_hand(small)
    rotation = small.begin()
    assert places.current(rotation, small.spec.publish[0]).foreign
    rotation.credential = rotation.credential.having_written(LastWrite(store="ci", ref="app", key_id="k2"))
    found = places.current(rotation, small.spec.publish[0])
    assert (found.foreign, found.unclear, found.holds("k2", None)) == (False, True, False)
    rotation.credential = replace(rotation.credential, last_writes=())
    assert places.current(rotation, small.spec.publish[0]).foreign
    small.store["ci"].held.clear()
    found = places.current(rotation, small.spec.publish[0])
    assert (found.empty, found.version, found.foreign) == (True, ABSENT, False)


# -- rule 6 -----------------------------------------------------------------------------------------------------------


def unclear(small: SmallWorld, mode: Mode = Mode.SCHEDULED, **fields: object) -> Recorded:
    """A rotation that meets a place whose last write got lost; no credential has a current key."""
    wrote(small, "k1", None)
    small.journal.save(replace(small.credential(), current=None), small.clock.now(), Change())
    for store in ("vault", "file"):
        small.store[store].held.clear()
    return small.begin(mode, **fields)


def test_where_nobody_can_tell_no_key_dies_that_may_be_there(small: SmallWorld) -> None:
    assert holder(unclear(small), "k1") == "ci:app"


def test_a_key_that_was_never_meant_for_a_place_may_die_although_it_is_unclear(small: SmallWorld) -> None:
    rotation = unclear(small)
    made = KnownKey(key_id="k2", credential=NAME, origin=Origin.MINTED, since=START, rotation=rotation.row.id)
    rotation.learn(made)
    assert holder(rotation, "k2") is None
    assert holder(rotation, "a stray that nobody knows") is None
    rotation.update(stores=(StoreState(store="ci", ref="app", expected=""),))
    assert holder(rotation, "k2") == "ci:app"


def test_what_somebody_wrote_unread_forbids_every_deletion_and_is_left_behind_in_an_emergency(
    small: SmallWorld,
) -> None:
    rotation = unclear(small)
    rotation.credential = replace(rotation.credential, last_writes=())
    assert holder(rotation, "a stray that nobody knows") == "ci:app"
    rotation.update(mode=Mode.COMPROMISE)
    assert holder(rotation, "k1") is None
    assert rotation.row.store("ci", "app").left_behind == places.FOREIGN
