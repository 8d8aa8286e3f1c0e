"""Intent, fence, effect, outcome: what is durable when, and what is never done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import PlaceKind
from rotator.domain.failures import (
    Ambiguous,
    CapFull,
    Conflict,
    Denied,
    Failure,
    Fenced,
    LeaseOver,
    Permanent,
    Transient,
)
from rotator.domain.keys import IN_PLACE, KeyState, Minted, MintRequest
from rotator.domain.records import EventKind, KnownKey, Origin, Verb
from rotator.domain.rotation import Mode, Phase, WaitFor, Waiting
from rotator.domain.secret import Secret
from rotator.engine.outcomes import answer
from rotator.engine.recorded import Asked, Pause, Recorded
from rotator.engine.saga import advance
from rotator.ports import ABSENT, Change
from tests.engine.small_world import NAME, START, TIMING, SmallWorld

P = Phase
SECOND = timedelta(seconds=1)
Effect = Callable[[Recorded], object]


def write(rotation: Recorded) -> None:
    entry = rotation.spec.publish[0]
    rotation.write("stage", entry, entry.pending(rotation.row.id), {"a": "b"}, ABSENT)


def remove(rotation: Recorded) -> None:
    entry = rotation.spec.publish[0]
    rotation.remove("drop", entry, entry.pending(rotation.row.id), ABSENT)


def kill(rotation: Recorded) -> None:
    rotation.set_state("delete", "k1", KeyState.DELETED)


def mint(rotation: Recorded) -> Minted:
    mark = rotation.world.marker.write(NAME, rotation.row.id, rotation.row.fence)
    return rotation.mint(MintRequest(mark=mark))


EFFECTS: dict[str, Effect] = {"write": write, "remove": remove, "set_state": kill, "mint": mint}
every_effect = pytest.mark.parametrize("name", EFFECTS)


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld()
    world.publish("k1")
    return world


def told(small: SmallWorld) -> list[str]:
    return [f"{each.event.kind} {each.event.action}" for each in small.journal.events()]


# -- the intent comes first ------------------------------------------------------------------------------------------


@every_effect
def test_the_intent_is_committed_before_the_effect_and_nothing_is_between(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    EFFECTS[name](rotation)
    intent, effect = small.trace[:2]
    assert intent[0] == "commit"
    assert intent[-1].startswith("intent ")
    assert effect[0] == name
    assert small.effects() == [name]


@every_effect
def test_what_the_row_was_changed_to_is_durable_when_the_effect_begins(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    seen: list[str | None] = []
    small.provider.during = small.store["vault"].when_asked = lambda: seen.append(small.committed().escrow)
    rotation.update(escrow="vault")
    EFFECTS[name](rotation)
    assert seen[0] == "vault"


@every_effect
def test_the_outcome_is_durable_with_the_next_commit_and_a_crash_before_it_leaves_the_intent(
    small: SmallWorld, name: str
) -> None:
    rotation = small.begin()
    EFFECTS[name](rotation)
    if name != "mint":  # which commits its outcome itself
        assert [each.split()[0] for each in told(small)] == ["intent"]
    rotation.commit()
    assert [each.split()[0] for each in told(small)] == ["intent", "outcome"]


@every_effect
@pytest.mark.parametrize("failure", [Transient("down"), Denied("no"), Permanent("never"), Conflict("raced")])
def test_a_failed_effect_is_noted_as_such_and_raised_as_it_is(small: SmallWorld, name: str, failure: Failure) -> None:
    rotation = small.begin()
    small.provider.fails = small.store["vault"].down = failure
    with pytest.raises(type(failure)) as caught:
        EFFECTS[name](rotation)
    assert caught.value is failure
    rotation.commit()
    last = small.journal.events()[-1].event
    assert (last.kind, last.detail["result"]) == (EventKind.OUTCOME, type(failure).__name__.lower())


def test_the_trail_names_what_and_where_and_never_a_value(small: SmallWorld) -> None:
    rotation = small.begin()
    minted = mint(rotation)
    entry = small.spec.publish[0]
    rotation.write("promote", entry, entry.place, entry.render(minted.value), "vault1")
    rotation.commit()
    events = [each.event for each in small.journal.events()]
    assert [(each.action, each.subject) for each in events][-2:] == [("promote", "vault:app")] * 2
    everything = repr((events, small.committed(), small.journal.keys(NAME), small.others.observed))
    assert minted.value.reveal("secret") not in everything


# -- what is durable when --------------------------------------------------------------------------------------------


def test_nothing_is_durable_without_a_commit(small: SmallWorld) -> None:
    rotation = small.begin()
    before, events = small.committed(), small.journal.events()
    rotation.update(escrow="vault", turns=3)
    rotation.note("seen", "k9")
    rotation.learn(KnownKey(key_id="k9", credential=NAME, origin=Origin.FOUND, since=START))
    rotation.credential = replace(rotation.credential, drift=("vault:app",))
    assert small.committed() == before
    assert small.journal.events() == events
    assert [key.key_id for key in small.journal.keys(NAME)] == ["k1"]
    assert small.credential().drift == ()
    assert small.trace == []


def test_a_commit_makes_all_of_it_durable_at_once(small: SmallWorld) -> None:
    rotation = small.begin()
    rotation.update(escrow="vault")
    rotation.note("seen", "k9", why="listed")
    rotation.learn(KnownKey(key_id="k9", credential=NAME, origin=Origin.FOUND, since=START))
    rotation.credential = replace(rotation.credential, drift=("vault:app",))
    rotation.commit()
    assert len(small.trace) == 1
    assert small.committed().escrow == "vault"
    assert told(small) == ["observation seen"]
    assert [key.key_id for key in small.journal.keys(NAME)] == ["k1", "k9"]
    assert small.credential().drift == ("vault:app",)
    rotation.commit()
    assert told(small) == ["observation seen"]


def test_the_observer_hears_of_what_was_committed_and_of_nothing_else(small: SmallWorld) -> None:
    rotation = small.begin()
    rotation.note("seen")
    assert small.others.observed == []
    rotation.commit()
    assert [[each.action for each in events] for events in small.others.observed] == [["seen"]]


def test_looking_at_a_credential_without_a_rotation_writes_nothing(small: SmallWorld) -> None:
    look = Recorded.looking(small.spec, small.world)
    assert look.keys()
    assert look.read(small.spec.publish[0], small.spec.publish[0].place).fields
    assert ("commit",) not in {step[:1] for step in small.trace}
    assert small.journal.rotations(NAME) == ()


# -- the end of a step -----------------------------------------------------------------------------------------------


def test_a_row_with_nothing_to_do_is_released_and_one_with_something_is_kept(small: SmallWorld) -> None:
    rotation = small.begin()
    rotation.save(replace(rotation.row, phase=P.MINTING, next_at=small.clock.now()))
    assert small.committed().owner == "me"
    assert small.committed().next_at == START + TIMING.lease
    rotation.save(replace(rotation.row, next_at=START + timedelta(hours=1)))
    assert small.committed().owner is None
    assert small.committed().next_at == START + timedelta(hours=1)


@pytest.mark.parametrize("phase", [P.STUCK, P.DONE, P.ROLLED_BACK])
def test_a_row_that_is_parked_or_over_is_released(small: SmallWorld, phase: Phase) -> None:
    rotation = small.begin()
    rotation.save(replace(rotation.row, phase=phase))
    assert small.committed().owner is None


def test_a_new_phase_is_an_event_and_waiting_in_the_old_one_is_none(small: SmallWorld) -> None:
    rotation = small.begin()
    rotation.save(replace(rotation.row, waiting=Waiting(until=START)))
    assert told(small) == []
    rotation.save(replace(rotation.row, phase=P.MINTING, since=rotation.row.since + timedelta(seconds=1.5)))
    (event,) = (each.event for each in small.journal.events())
    assert (event.kind, event.subject) == (EventKind.PHASE, "minting")
    assert event.detail == {"from": "planned", "seconds": "1.500"}


# -- whose row it is -------------------------------------------------------------------------------------------------


@every_effect
def test_with_another_owner_nothing_is_written_and_nothing_done(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    taken = small.journal.seize(rotation.row.id, owner="other", now=START, lease=TIMING.lease)
    rotation.update(escrow="vault")
    rotation.learn(KnownKey(key_id="k9", credential=NAME, origin=Origin.FOUND, since=START))
    with pytest.raises(Fenced):
        EFFECTS[name](rotation)
    assert small.effects() == []
    assert small.committed() == taken
    assert told(small) == []
    assert len(small.journal.keys(NAME)) == 1
    assert small.others.observed == []


def test_a_key_minted_while_the_row_was_taken_is_forgotten_and_found_by_its_mark(small: SmallWorld) -> None:
    rotation = small.begin()
    row_id, fence = rotation.row.id, rotation.row.fence
    small.provider.during = lambda: small.journal.seize(row_id, owner="other", now=START, lease=TIMING.lease)
    with pytest.raises(Fenced):
        mint(rotation)
    assert small.committed().new_key is None
    assert small.committed().mint_fences == (fence,)
    assert [key.key_id for key in small.journal.keys(NAME)] == ["k1"]
    assert small.store["vault"].held.keys() == {(PlaceKind.CURRENT, "")}
    assert small.marker.read(NAME, small.provider.held["k2"].mark) is not None


# -- the lease -------------------------------------------------------------------------------------------------------


@every_effect
def test_when_the_lease_is_over_no_intent_is_committed_and_nothing_done(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    small.clock.move(TIMING.lease - TIMING.request + timedelta(milliseconds=1))
    with pytest.raises(LeaseOver):
        EFFECTS[name](rotation)
    assert small.trace == []


@every_effect
def test_a_lease_that_ends_while_the_intent_is_committed_stops_the_effect(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    small.journal.before_commit = lambda: small.clock.move(TIMING.lease)
    with pytest.raises(LeaseOver):
        EFFECTS[name](rotation)
    assert [step[0] for step in small.trace] == ["commit"]


def test_a_machine_that_slept_is_too_late_although_its_calendar_says_otherwise(small: SmallWorld) -> None:
    rotation = small.begin()
    small.clock.seconds += TIMING.lease.total_seconds()  # the wall clock stood still
    with pytest.raises(LeaseOver):
        write(rotation)
    assert small.effects() == []


def test_every_commit_begins_the_lease_anew_from_before_it_was_sent(small: SmallWorld) -> None:
    rotation = small.begin()
    for _ in range(5):
        small.clock.move(TIMING.lease - TIMING.request)
        rotation.commit()
        assert small.committed().next_at == small.clock.now() + TIMING.lease
    small.journal.before_commit = lambda: small.clock.move(TIMING.request)
    rotation.commit()
    small.journal.before_commit = lambda: None
    small.clock.move(TIMING.lease - 2 * TIMING.request)
    write(rotation)
    assert small.effects() == ["write"]
    small.clock.move(TIMING.lease - TIMING.request + SECOND)
    with pytest.raises(LeaseOver):
        write(rotation)


# -- operators -------------------------------------------------------------------------------------------------------


@every_effect
def test_a_request_is_heeded_before_the_effect_and_the_row_is_as_last_committed(small: SmallWorld, name: str) -> None:
    rotation = small.begin()
    rotation.update(slot="app_a")
    rotation.commit()
    before, row = small.committed(), rotation.row
    small.trace.clear()
    asked = small.journal.ask(NAME, Verb.ROLLBACK, "wrong week", START)
    rotation.update(escrow="vault", slot="app_b")
    rotation.note("seen")
    rotation.learn(KnownKey(key_id="k9", credential=NAME, origin=Origin.FOUND, since=START))
    rotation.credential = replace(rotation.credential, drift=("vault:app",))
    with pytest.raises(Asked) as caught:
        EFFECTS[name](rotation)
    assert caught.value.requests == (asked,)
    assert small.trace == []
    assert small.committed() == before
    assert rotation.row == row
    assert "k9" not in rotation.known
    assert rotation.credential == small.credential()
    rotation.commit(heed=False)
    assert told(small) == []


def test_what_an_answered_request_left_uncommitted_is_not_committed_later(small: SmallWorld) -> None:
    rotation = small.begin(phase=P.STAGING)
    small.journal.ask(NAME, Verb.HOLD, "an audit", START)
    rotation.update(escrow="vault")
    for _ in range(5):  # until something is to be committed
        advance(rotation)
    assert small.committed().escrow is None
    assert small.credential().held
    assert small.effects() == []


def test_a_request_takes_no_outcome_of_an_effect_from_the_trail(small: SmallWorld) -> None:
    rotation = small.begin(phase=P.STAGING)
    rotation.set_state("disable", "k1", KeyState.DISABLED)
    rotation.note("seen")
    small.journal.ask(NAME, Verb.HOLD, "an audit", START)
    with pytest.raises(Asked) as caught:
        rotation.set_state("delete", "k1", KeyState.DELETED)
    answer(rotation, caught.value.requests)
    assert told(small) == ["intent disable", "outcome disable", "operator hold"]


@every_effect
@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.MANUAL])
def test_a_held_credential_pauses_before_the_intent(small: SmallWorld, name: str, mode: Mode) -> None:
    small.journal.save(replace(small.credential(), held=True), START, Change())
    rotation = small.begin(mode)
    with pytest.raises(Pause) as caught:
        EFFECTS[name](rotation)
    assert caught.value.waiting.for_ is WaitFor.PERSON
    assert caught.value.waiting.until == START + TIMING.hold_poll
    assert small.trace == []


@every_effect
@pytest.mark.parametrize("mode", [Mode.COMPROMISE, Mode.CONTAIN_FIRST])
def test_an_emergency_does_not_stop_at_a_hold(small: SmallWorld, name: str, mode: Mode) -> None:
    small.journal.save(replace(small.credential(), held=True), START, Change())
    EFFECTS[name](small.begin(mode))
    assert small.effects() == [name]


# -- the mint --------------------------------------------------------------------------------------------------------


def test_the_intent_of_a_mint_says_under_which_fence_and_when(small: SmallWorld) -> None:
    rotation = small.begin()
    seen: list[object] = []
    small.provider.during = lambda: seen.append(
        (small.committed().mint_fences, small.committed().first_mint_at, small.committed().last_mint_at)
    )
    mint(rotation)
    assert seen == [((rotation.row.fence,), START, START)]


def test_a_minted_key_s_id_is_durable_before_anything_else_happens(small: SmallWorld) -> None:
    rotation = small.begin()
    small.provider.during = lambda: small.clock.move(10 * SECOND)
    mint(rotation)
    assert [step[0] for step in small.trace] == ["commit", "mint", "commit"]
    row = small.committed()
    assert (row.new_key, row.minted_at) == ("k2", START)  # minted at the intent
    key = small.journal.keys(NAME)[-1]
    assert (key.key_id, key.origin, key.rotation, key.since) == ("k2", Origin.MINTED, row.id, START)
    assert key.fingerprint == small.prints.of(small.provider.values["k2"], "secret")


def test_an_operator_s_request_does_not_lose_the_id_of_a_key_just_minted(small: SmallWorld) -> None:
    rotation = small.begin()
    small.provider.during = lambda: small.journal.ask(NAME, Verb.ROLLBACK, "stop", START)
    mint(rotation)
    assert small.committed().new_key == "k2"


@pytest.mark.parametrize(
    "failure", [None, Ambiguous("no answer"), Transient("down"), CapFull("full"), Conflict("raced")]
)
def test_there_is_one_mint_per_fence_whatever_became_of_it(small: SmallWorld, failure: Failure | None) -> None:
    rotation = small.begin()
    small.provider.fails = failure
    if failure is None:
        mint(rotation)
    else:
        with pytest.raises(type(failure)):
            mint(rotation)
    small.trace.clear()
    with pytest.raises(Pause):
        mint(rotation)
    assert small.trace == []
    rotation.save(replace(rotation.row, next_at=START + SECOND))
    small.clock.move(SECOND)
    again = small.claim()
    mint(again)
    assert small.effects() == ["mint"]
    assert again.row.mint_fences == (rotation.row.fence, again.row.fence)
    assert again.row.first_mint_at == START
    assert again.row.last_mint_at == START + SECOND


def test_an_ambiguous_mint_leaves_no_key_and_a_rotation_that_is_not_clean(small: SmallWorld) -> None:
    rotation = small.begin()
    small.provider.fails = Ambiguous("no answer")
    with pytest.raises(Ambiguous):
        mint(rotation)
    rotation.commit()
    row = small.committed()
    assert (row.clean, row.new_key, row.minted_since) == (False, None, START)


def test_where_the_old_key_dies_at_mint_the_intent_is_the_pivot() -> None:
    small = SmallWorld(strategy=IN_PLACE)
    rotation = small.begin()
    seen: list[object] = []
    small.provider.during = lambda: seen.append((small.committed().beyond_pivot, small.committed().outage))
    mint(rotation)
    assert seen == [(True, True)]


def test_elsewhere_a_mint_passes_no_pivot(small: SmallWorld) -> None:
    rotation = small.begin()
    mint(rotation)
    assert (small.committed().beyond_pivot, small.committed().outage) == (False, False)


def test_a_drivers_words_lose_every_value_known_here_before_they_are_kept(small: SmallWorld) -> None:
    small.publish("k1")
    rotation = small.begin()
    rotation.values["k1"] = Secret({"secret": "correct-horse"})
    failure = Permanent("app said: correct-horse is wrong " + "x" * 1000, "try correct-horse")
    rotation.purge(failure)
    assert failure.message.startswith("app said: <secret> is wrong x")
    assert len(failure.message) == 500
    assert failure.hint == "try <secret>"
