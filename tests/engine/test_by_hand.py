"""Where a provider lists and deletes nothing: a person deletes, and refusal of the old value is the only proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.keys import BY_HAND, KeyState, unlisted_id
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase, Proof, Rotation, WaitFor
from rotator.domain.secret import Secret
from rotator.engine import by_hand, providing
from rotator.engine.handed import NotTaken
from rotator.engine.reconciling import reconcile
from rotator.engine.starting import assume_compromise
from tests.engine.small_world import NAME, TIMING, SmallWorld
from tests.engine.test_handed import asked, made, provide, run_for, work

P = Phase
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CONSOLE = "https://console.example.com"


@pytest.fixture
def small() -> SmallWorld:
    """One key lives, and the stores have it; nobody will ever list it."""
    small = SmallWorld(strategy=BY_HAND)
    small.provider.offers = replace(
        small.provider.offers, lists=False, deletes=False, list_lag=timedelta(0), console_url=CONSOLE
    )
    small.publish("k1")
    return small


def taken(small: SmallWorld, mode: Mode = Mode.SCHEDULED, **fields: object) -> Rotation:
    """A rotation that waits for the old key's deletion; its new key is `k2`."""
    asked(small, mode, **fields)
    provide(small, made(small, "k2"))
    run_for(small, 25 * HOUR)
    row = small.committed()
    assert row.phase is P.RETIRING
    assert [old.key_id for old in by_hand.waiting_keys(row)] == ["k1"]
    return row


def delete(small: SmallWorld, key_id: str) -> None:
    """A person does, in the console."""
    small.provider.held[key_id] = replace(small.provider.held[key_id], state=KeyState.DELETED)


def id_of(small: SmallWorld, value: Secret) -> str:
    return unlisted_id(small.prints.of(value, "secret"))


def told(small: SmallWorld, action: str) -> list[str]:
    return [message for what, _, message in small.others.alerts if what == action]


# -- taking ------------------------------------------------------------------------------------------------------------


def test_a_key_that_no_list_shows_has_an_id_that_follows_from_its_value(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    assert provide(small, value).key_id == id_of(small, value)
    work(small)
    assert small.committed().new_key == id_of(small, value)


def test_what_was_made_for_an_earlier_question_is_refused(small: SmallWorld) -> None:
    row = asked(small)
    assume_compromise(small.spec, small.journal, small.others, small.clock, owner="me", lease=TIMING.lease)
    small.clock.move(TIMING.lease)
    assert run_for(small, MINUTE).id != row.id
    with pytest.raises(NotTaken, match="rotated anew since the key was asked for"):
        providing.provide(small.spec, small.world, made(small, "k2"), lambda _: None, asked_by=row.id)
    assert "sk-k2" not in str([store.held for store in small.store.values()])


def test_a_key_that_was_handed_over_to_a_rotation_that_is_over_is_known_though_its_store_is_gone(
    small: SmallWorld,
) -> None:
    row = asked(small)
    value = made(small, "k2")
    key_id = provide(small, value).key_id
    small.store["vault"].held.pop((PlaceKind.PENDING, row.id))  # and nobody has looked there yet
    assume_compromise(small.spec, small.journal, small.others, small.clock, owner="me", lease=TIMING.lease)
    small.clock.move(TIMING.lease)
    emergency = run_for(small, HOUR)
    assert emergency.id != row.id
    assert key_id in {old.key_id for old in emergency.old_keys}
    with pytest.raises(NotTaken, match="has or had"):
        provide(small, value)


# -- asking for a deletion ---------------------------------------------------------------------------------------------


def test_a_person_is_asked_once_and_told_which_key_and_where_and_never_its_value(small: SmallWorld) -> None:
    row = taken(small)
    assert row.waiting is not None
    assert row.waiting.for_ is WaitFor.PERSON
    assert row.waiting.note == f"delete k1 (here since 2026-11-23) of svc at {CONSOLE}"
    run_for(small, HOUR)
    assert told(small, "needs a deletion") == [row.waiting.note]
    assert "sk-" not in f"{row.waiting}{small.others.alerts}"
    assert "set_state" not in small.effects()


def test_nobody_is_asked_before_it_is_durable_that_there_is_no_way_back(small: SmallWorld) -> None:
    seen: list[bool] = []
    before = small.others.alert

    def alert(action: str, subject: str, message: str) -> None:
        if action == "needs a deletion":
            seen.append(small.committed().beyond_pivot)
        before(action, subject, message)

    small.others.alert = alert  # type: ignore[method-assign]
    taken(small)
    assert seen == [True]


def test_nobody_is_asked_to_delete_a_key_that_a_store_still_has(small: SmallWorld) -> None:
    asked(small)
    provide(small, made(small, "k2"))
    run_for(small, 23 * HOUR)
    assert small.committed().phase is P.LIVE
    entry = small.spec.publish[0]
    small.store["vault"].put(entry.place, entry.render(small.provider.values["k1"]))
    run_for(small, 2 * HOUR)
    assert told(small, "needs a deletion") == []


def test_an_emergency_says_at_every_look_that_it_is_exposed(small: SmallWorld) -> None:
    taken(small, Mode.COMPROMISE, exposure_end=small.clock.now())
    before = len(told(small, "exposed until a person acts"))
    run_for(small, HOUR)
    assert len(told(small, "exposed until a person acts")) >= before + 10


# -- proof -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.COMPROMISE])
def test_the_next_look_notices_the_deletion_and_proves_it_by_refusal(small: SmallWorld, mode: Mode) -> None:
    taken(small, mode, **({"exposure_end": small.clock.now()} if mode is Mode.COMPROMISE else {}))
    run_for(small, 3 * DAY)
    assert small.committed().phase is P.RETIRING  # as long as a person takes
    delete(small, "k1")
    row = run_for(small, HOUR)
    assert (row.phase, [(old.key_id, old.proof) for old in row.old_keys]) == (P.DONE, [("k1", Proof.REFUSED)])


def test_one_refusal_is_none_and_a_key_that_works_again_is_waited_for(small: SmallWorld) -> None:
    taken(small)
    delete(small, "k1")
    small.clock.move(5 * MINUTE)
    assert work(small).old_keys[0].first_refused_at is not None
    small.provider.held["k1"] = replace(small.provider.held["k1"], state=KeyState.ENABLED)
    small.clock.move(5 * MINUTE)
    row = work(small)
    assert (row.phase, row.old_keys[0].first_refused_at) == (P.RETIRING, None)
    assert by_hand.waiting_keys(row)


def test_who_deletes_the_wrong_key_is_told_and_the_old_one_is_not_proven(small: SmallWorld) -> None:
    taken(small)
    delete(small, "k2")
    row = run_for(small, HOUR)
    assert row.phase is P.STUCK
    assert row.problem is not None
    assert row.problem.message == "the provider refuses the new key too, so a refusal proves nothing"
    assert row.problem.hint.startswith("rotate again with --assume-compromise if it was deleted by mistake")
    assert row.old_keys[0].proof is None


def test_a_provider_that_refuses_everybody_proves_nothing(small: SmallWorld) -> None:
    taken(small)
    for key_id in ("k1", "k2"):
        delete(small, key_id)
    row = run_for(small, HOUR)
    assert (row.phase, row.old_keys[0].proof) == (P.STUCK, None)


def test_resume_has_it_looked_at_at_once(small: SmallWorld) -> None:
    taken(small)
    row = work(small)
    delete(small, "k1")
    assert small.clock.now() < row.next_at
    small.journal.ask(NAME, Verb.RESUME, "deleted", small.clock.now())
    assert work(small).old_keys[0].first_refused_at is not None
    trail = [each.event for each in small.journal.events(row.id) if each.event.action == "resume"]
    assert [each.detail for each in trail] == [{"why": "deleted"}]


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.COMPROMISE])
def test_without_the_old_value_a_persons_word_ends_it_and_proves_nothing(small: SmallWorld, mode: Mode) -> None:
    taken(small, mode, **({"exposure_end": small.clock.now()} if mode is Mode.COMPROMISE else {}))
    for store in small.store.values():
        store.held.pop((PlaceKind.PREVIOUS, "k1"), None)
    row = run_for(small, HOUR)
    assert row.phase is P.STUCK
    assert row.problem is not None
    assert "nobody can prove its death" in row.problem.message
    assert CONSOLE in row.problem.hint
    assert f"`rotator resume {NAME}`" in row.problem.hint
    small.journal.ask(NAME, Verb.RESUME, "deleted", small.clock.now())
    row = run_for(small, HOUR)
    assert (row.phase, row.old_keys[0].proof) == (P.DONE, Proof.UNPROVEN)


def test_resuming_for_another_reason_is_no_word_for_a_deletion(small: SmallWorld) -> None:
    taken(small)
    delete(small, "k2")
    assert run_for(small, HOUR).phase is P.STUCK
    small.provider.held["k2"] = replace(small.provider.held["k2"], state=KeyState.ENABLED)
    for store in small.store.values():
        store.held.pop((PlaceKind.PREVIOUS, "k1"), None)
    small.journal.ask(NAME, Verb.RESUME, "the new key is back", small.clock.now())
    row = run_for(small, HOUR)
    assert (row.phase, row.old_keys[0].proof) == (P.STUCK, None)


# -- going back --------------------------------------------------------------------------------------------------------


def test_on_the_way_back_a_person_deletes_the_new_key_and_the_old_one_is_the_control(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    provide(small, value)
    run_for(small, MINUTE)
    assert small.committed().phase is P.LIVE
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    row = run_for(small, 26 * HOUR)
    assert row.phase is P.WITHDRAWING
    assert [old.key_id for old in by_hand.waiting_keys(row)] == [id_of(small, value)]
    delete(small, "k2")
    row = run_for(small, HOUR)
    assert row.phase is P.ROLLED_BACK
    assert {old.key_id: old.proof for old in row.old_keys} == {"k1": None, id_of(small, value): Proof.REFUSED}
    assert small.credential().current == "k1"
    assert not [kind for kind, _ in small.store["vault"].held if kind is PlaceKind.PENDING]


def test_a_key_that_was_never_taken_is_deleted_by_a_person_too(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    key_id = provide(small, value).key_id
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    row = run_for(small, HOUR)
    assert row.phase is P.WITHDRAWING
    assert [old.key_id for old in by_hand.waiting_keys(row)] == [key_id]
    delete(small, "k2")
    assert run_for(small, HOUR).phase is P.ROLLED_BACK


def test_where_no_key_stays_nobody_can_say_what_a_refusal_means() -> None:
    small = SmallWorld(strategy=BY_HAND)
    small.provider.offers = replace(small.provider.offers, lists=False, deletes=False, list_lag=timedelta(0))
    asked(small)
    provide(small, made(small, "k1"))
    work(small)
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    row = run_for(small, 26 * HOUR)
    assert row.phase is P.STUCK
    small.journal.ask(NAME, Verb.RESUME, "deleted", small.clock.now())
    row = run_for(small, 26 * HOUR)
    assert (row.phase, row.old_keys[0].proof) == (P.ROLLED_BACK, Proof.UNPROVEN)


# -- between rotations -------------------------------------------------------------------------------------------------


def test_the_reconciler_asks_for_no_list_and_deletes_nothing(small: SmallWorld) -> None:
    taken(small)
    delete(small, "k1")
    run_for(small, HOUR)
    small.trace.clear()
    result = reconcile(small.spec, small.world)
    assert (result.orphans, result.revoked, result.problems, result.foreign_keys) == ((), (), (), ())
    assert small.effects() == []


def test_a_value_is_kept_until_the_death_is_proven(small: SmallWorld) -> None:
    taken(small)
    place = Place(ref="app", kind=PlaceKind.PREVIOUS, of="k1")
    kept = [store for store in small.store.values() if (place.kind, place.of) in store.held]
    assert kept
    run_for(small, 2 * DAY)
    assert [store for store in small.store.values() if (place.kind, place.of) in store.held] == kept
    delete(small, "k1")
    assert run_for(small, HOUR).phase is P.DONE
    assert not [store for store in small.store.values() if (place.kind, place.of) in store.held]
