"""Cases that broke earlier forms of the engine, found by reading it with hostile eyes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.domain.credential import Place, PlaceKind, Principal
from rotator.domain.failures import Ambiguous, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import UNMARKED, Disabling, KeyState, Verdict
from rotator.domain.records import EventKind, KnownKey, Origin, Verb
from rotator.domain.rotation import Mode, Phase, Proof, StoreState
from rotator.domain.secret import Secret
from rotator.engine import minting
from rotator.engine.saga import advance
from rotator.engine.starting import assume_compromise
from rotator.engine.worker import Worker
from rotator.ports import Change
from tests.engine.small_world import INSTALLATION, NAME, START, TIMING, SmallWorld, kept

P = Phase
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld()
    world.publish("k1")
    return world


def worker(small: SmallWorld) -> Worker:
    return Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)


def run_for(small: SmallWorld, duration: timedelta) -> None:
    """Let one worker run whatever is due, for so long."""
    end = small.clock.now() + duration
    small.clock.move(TIMING.lease)
    while small.clock.now() < end and small.committed().open:
        for row, at in worker(small).claim(small.world, 1):
            worker(small).run(row, at)
        small.clock.move(min(max(small.committed().next_at - small.clock.now(), SECOND), 60 * SECOND))


@pytest.mark.parametrize("verb", [Verb.HOLD, Verb.RELEASE, Verb.RESUME])
def test_a_request_between_a_mint_and_its_save_does_not_lose_the_value(small: SmallWorld, verb: Verb) -> None:
    rotation = small.begin(phase=P.MINTING)
    small.provider.during = lambda: small.journal.ask(NAME, verb, "now", START)
    advance(rotation)
    assert (PlaceKind.PENDING, rotation.row.id) in small.store["vault"].held
    assert small.store["vault"].held[(PlaceKind.PENDING, rotation.row.id)][1]["key_id"] == "k2"


def test_the_worker_returns_the_row_as_last_committed(small: SmallWorld) -> None:
    small.provider.held.clear()
    row = small.begin(phase=P.LIVE, live_at=START - timedelta(days=9), new_key="k1").row
    small.journal.before_commit = lambda: small.journal.seize(row.id, owner="x", now=START, lease=TIMING.lease)
    assert worker(small).run(row, small.clock.boottime()).phase is P.LIVE


def test_a_mint_whose_answer_is_always_lost_is_given_up_after_a_day(small: SmallWorld) -> None:
    small.begin(phase=P.MINTING)
    tries = 0
    while small.committed().phase is P.MINTING and small.clock.now() < START + timedelta(hours=30):
        small.clock.instant = max(small.clock.now(), small.committed().next_at)
        for row, at in worker(small).claim(small.world, 1):
            small.provider.fails = Ambiguous("no answer")
            tries += 1
            worker(small).run(row, at)
    assert small.committed().phase is not P.MINTING
    assert tries < 1000


def test_a_store_that_is_down_does_not_keep_an_emergency_from_minting(small: SmallWorld) -> None:
    small.store["file"].down = Transient("down")
    small.begin(Mode.COMPROMISE)
    run_for(small, timedelta(minutes=10))
    assert "mint" in small.effects()


def test_a_store_left_behind_does_not_hold_up_a_key_whose_value_nobody_had(small: SmallWorld) -> None:
    small.provider.add("k7")
    rotation = small.begin(Mode.COMPROMISE)
    rotation.row = rotation.row.with_store(replace(rotation.row.store("file", "app"), left_behind="down"))
    small.store["file"].down = Transient("down")
    minting.remember_exposed(rotation, "k7")
    assert rotation.row.old_key("k7") is not None


def test_stores_that_time_out_one_after_the_other_do_not_stop_an_emergency_for_ever() -> None:
    slow = ("a", "b", "c", "d")
    small = SmallWorld(stores=("vault", *slow, "file"))
    small.publish("k1")
    rotation = small.begin(Mode.COMPROMISE, phase=P.MINTING)
    minting.mint(rotation)
    rotation.save(replace(rotation.row, phase=P.STAGING, next_at=small.clock.now() + SECOND))
    for name in slow:
        small.store[name].down = Transient("timed out")
        small.store[name].when_asked = lambda: small.clock.move(TIMING.request)
    run_for(small, timedelta(minutes=30))
    assert small.committed().phase not in (P.MINTING, P.STAGING)


def test_a_controller_that_puts_the_old_value_back_does_not_stop_an_emergency_for_ever(small: SmallWorld) -> None:
    entry, vault, old = small.spec.publish[0], small.store["vault"], small.provider.values["k1"]

    def put_back() -> None:
        _, fields = vault.held[(PlaceKind.CURRENT, "")]
        if fields != entry.render(old):
            vault.put(entry.place, entry.render(old))

    vault.when_asked = put_back
    small.begin(Mode.COMPROMISE)
    run_for(small, timedelta(minutes=30))
    assert small.store["file"].held[(PlaceKind.CURRENT, "")][1] != entry.render(old)


def test_an_emergency_ends_although_a_key_believed_dead_is_still_listed(small: SmallWorld) -> None:
    small.know("k7", small.provider.add("k7"))
    dead = replace(next(key for key in small.journal.keys(NAME) if key.key_id == "k7"), dead_at=START)
    small.journal.save(small.credential(), START, Change(keys=(dead,)))
    small.begin(Mode.COMPROMISE)
    run_for(small, timedelta(hours=3))
    assert small.committed().phase in (P.DONE, P.STUCK)


def test_a_rotation_that_failed_in_planned_is_not_due_again_at_once(small: SmallWorld) -> None:
    entry = small.spec.publish[0]
    small.store["vault"].put(entry.place, {"API_KEY": "by hand"})
    small.journal.save(replace(small.credential(), next_due=START), START, Change())
    small.begin()
    run_for(small, timedelta(minutes=10))
    assert small.committed().phase is P.ROLLED_BACK
    assert small.journal.due(small.clock.now(), 1) == ()


# -- proofs ----------------------------------------------------------------------------------------------------------


def test_the_refusal_of_a_value_that_never_worked_is_no_proof() -> None:
    """The fingerprint covers one part; somebody mistyped another, and the provider deletes nothing."""
    small = SmallWorld(fields={"USER": "{user}", "PASSWORD": "{secret}"})
    small.provider.offers = replace(small.provider.offers, parts=("user", "secret"))
    small.provider.user = "app"
    small.publish("k1")
    for entry in small.spec.publish:
        small.store[entry.store].put(entry.place, {"USER": "typo", "PASSWORD": "sk-k1"})
    small.provider.deletes = False
    small.begin(Mode.COMPROMISE)
    run_for(small, 2 * HOUR)
    assert [old.proof for old in small.committed().old_keys] != [Proof.REFUSED]


def test_a_lost_unmarked_mint_is_named_by_the_emergency_that_supersedes_it() -> None:
    small = SmallWorld(strategy=UNMARKED, exclusive=False)
    small.publish("k1")
    row = small.begin(phase=P.MINTING).row
    small.provider.during = lambda: small.provider.add("lost")
    small.provider.fails = Ambiguous("no answer")
    worker(small).run(row, small.clock.boottime())
    small.provider.during = lambda: None
    small.clock.move(HOUR)
    assume_compromise(
        small.spec, small.journal, small.others, small.clock, owner="me", lease=TIMING.lease, contain_first=False
    )
    run_for(small, 2 * HOUR)
    row = small.committed()
    assert row.phase is P.STUCK
    assert row.problem is not None
    assert "lost" in row.problem.message


def test_one_replica_that_does_not_know_the_new_key_yet_does_not_park_an_emergency(small: SmallWorld) -> None:
    small.begin(Mode.COMPROMISE)
    verify, refusals = small.provider.verify, list[Phase]()

    def hesitates(principal: Principal, value: Secret) -> Verdict:
        if small.committed().phase is P.LIVE and not refusals:
            refusals.append(P.LIVE)
            return Verdict.INVALID
        return verify(principal, value)

    small.provider.verify = hesitates  # type: ignore[method-assign]
    run_for(small, 2 * HOUR)
    assert small.committed().phase is P.DONE


def test_a_key_that_is_only_disabled_and_still_listed_is_not_proven_dead_by_its_refusals(small: SmallWorld) -> None:
    """A deletion was answered and not done; the provider refuses a disabled key in the words for one that is gone."""
    small.provider.offers = replace(small.provider.offers, disabling=Disabling.REVERSIBLE)
    change = small.provider.set_state

    def says_so(principal: Principal, key_id: str, state: KeyState) -> None:
        if state is not KeyState.DELETED:
            change(principal, key_id, state)

    small.provider.set_state = says_so  # type: ignore[method-assign]
    small.begin(Mode.COMPROMISE)
    run_for(small, 12 * HOUR)
    row = small.committed()
    assert (row.phase, row.old_keys[0].proof) == (P.STUCK, None)
    assert row.problem is not None
    assert row.problem.message.startswith("k1 was deleted and still")
    small.provider.set_state = change  # type: ignore[method-assign]
    change(small.spec.principal, "k1", KeyState.DELETED)
    small.journal.ask(NAME, Verb.RESUME, "deleted in the console", small.clock.now())
    run_for(small, 2 * HOUR)
    assert (small.committed().phase, small.committed().old_keys[0].proof) == (P.DONE, Proof.REFUSED)


# -- one for all -----------------------------------------------------------------------------------------------------


def test_a_key_that_cannot_be_contained_now_does_not_keep_the_others_alive(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, disabling=Disabling.REVERSIBLE)
    small.provider.add("k2")
    small.provider.refuses = {"k1": Transient("throttled", throttled=True)}
    small.begin(Mode.CONTAIN_FIRST)
    run_for(small, HOUR)
    assert small.provider.held["k2"].state is not KeyState.ENABLED


# -- the trace of an emergency ---------------------------------------------------------------------------------------


@pytest.fixture
def containing(small: SmallWorld) -> SmallWorld:
    small.provider.offers = replace(small.provider.offers, disabling=Disabling.REVERSIBLE)
    return small


def test_an_emergency_that_contains_leaves_its_trace_before_it_disables_anything(containing: SmallWorld) -> None:
    rotation = containing.begin(Mode.CONTAIN_FIRST, exposure_end=START)
    trace, found = (PlaceKind.PENDING, rotation.row.id), list[bool]()
    containing.provider.during = lambda: found.append(trace in containing.store["vault"].held)
    advance(rotation)
    advance(rotation)
    assert found == [True]


def test_an_emergency_that_supersedes_leaves_its_trace_before_it_writes_anything_again(small: SmallWorld) -> None:
    first = small.begin(phase=P.ROLLING_BACK, stores=(StoreState(store="file", ref="app", expected="file1"),))
    first.release()
    small.trace.clear()
    row = assume_compromise(
        small.spec, small.journal, small.others, small.clock, owner="me", lease=TIMING.lease, exposure_end=None
    )
    assert row.supersedes == (first.row.id,)
    advance(small.claim())
    told = [each.event.action for each in small.journal.events(row.id) if each.event.kind is EventKind.INTENT]
    assert told[:2] == ["open escrow", "rewrite"]


def test_a_trace_that_no_store_takes_keeps_no_stolen_key_alive(containing: SmallWorld) -> None:
    rotation = containing.begin(Mode.CONTAIN_FIRST, exposure_end=START)
    for store in containing.store.values():
        store.write = refusing(store.write, PlaceKind.PENDING, failure=Denied("read only"))  # type: ignore[method-assign,assignment]
    advance(rotation)
    advance(rotation)
    assert containing.provider.held["k1"].state is KeyState.DISABLED


@pytest.mark.parametrize("failure", [Denied("read only"), Transient("sealed"), Permanent("too many versions")])
def test_a_value_that_no_store_keeps_now_keeps_no_stolen_key_alive(containing: SmallWorld, failure: Failure) -> None:
    rotation = containing.begin(Mode.CONTAIN_FIRST, exposure_end=START)
    writes = {name: store.write for name, store in containing.store.items()}
    for store in containing.store.values():
        store.write = refusing(store.write, PlaceKind.PENDING, PlaceKind.PREVIOUS, failure=failure)  # type: ignore[method-assign,assignment]
    advance(rotation)
    advance(rotation)
    assert containing.provider.held["k1"].state is KeyState.DISABLED
    for name, store in containing.store.items():
        store.write = writes[name]  # type: ignore[method-assign]
    rotation.release()
    containing.journal.ask(NAME, Verb.RESUME, "mended", containing.clock.now())
    run_for(containing, HOUR)
    row = containing.committed()
    assert row.phase is P.DONE
    assert [old.proof for old in row.old_keys] == [Proof.REFUSED]


Write = Callable[[Place, Mapping[str, str], str], str]


def refusing(write: Write, *kinds: PlaceKind, failure: Failure) -> Write:
    def refuses(place: Place, fields: Mapping[str, str], expected: str) -> str:
        if place.kind in kinds:
            raise failure
        return write(place, fields, expected)

    return refuses


# -- what lands late --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_id", "stays"), [("", False), ("k1", False), ("k5", True)], ids=["no key", "a key that dies", "an unknown key"]
)
def test_what_a_stalled_owner_wrote_when_its_rotation_was_over_goes_with_the_next_one(
    small: SmallWorld, key_id: str, stays: bool
) -> None:
    first = small.begin()
    run_for(small, HOUR)
    run_for(small, timedelta(days=3))
    assert small.committed().phase is P.DONE
    place = small.spec.publish[0].pending(first.row.id)
    document = kept(Secret({"secret": f"sk-{key_id}"}), key_id, first.row.id)
    small.store["vault"].put(place, document if key_id else {"key_id": "", "rotation": first.row.id})
    small.begin()
    run_for(small, timedelta(days=3))
    assert small.committed().phase is P.DONE
    assert bool(small.store["vault"].read(place).fields) is stays


# -- two installations -----------------------------------------------------------------------------------------------


def of_another_installation(small: SmallWorld, says: str | None) -> None:
    """A pending value, as a rotation that the journal does not know leaves it."""
    document = {**kept(small.provider.values["k1"], "k9", "r9"), "installation": says or ""}
    small.store["vault"].put(small.spec.publish[0].pending("r9"), {k: v for k, v in document.items() if v})


def test_beside_another_installation_nothing_is_made_and_the_journal_is_believed(small: SmallWorld) -> None:
    of_another_installation(small, "theirs")
    small.begin()
    run_for(small, HOUR)
    row = small.committed()
    assert row.phase is P.ROLLED_BACK
    assert row.problem is not None
    assert row.problem.message == "another installation of the rotator publishes to vault:app, too"
    assert small.journal.older_than_world() is None
    assert set(small.provider.held) == {"k1"}


def test_an_emergency_goes_on_beside_another_installation(small: SmallWorld) -> None:
    of_another_installation(small, "theirs")
    small.begin(Mode.COMPROMISE, exposure_end=START)
    run_for(small, HOUR)
    assert small.committed().phase is P.DONE
    assert "another installation" in {each.event.action for each in small.journal.events(small.committed().id)}


@pytest.mark.parametrize("says", [INSTALLATION, None])
def test_a_value_of_ours_or_of_nobody_that_is_unknown_stops_everything(small: SmallWorld, says: str | None) -> None:
    of_another_installation(small, says)
    small.begin()
    run_for(small, HOUR)
    assert "vault:app holds a value of a rotation unknown here" in (small.journal.older_than_world() or "")


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_ran_ahead_does_not_make_an_overlap_longer(small: SmallWorld) -> None:
    rotation = small.begin(phase=P.LIVE, live_at=START + timedelta(days=400), old_current="k1")
    advance(rotation)
    row = small.committed()
    assert row.waiting is not None
    assert row.waiting.until <= small.clock.now() + small.spec.policy.overlap
    assert row.live_at == START


# -- a store that stays away -----------------------------------------------------------------------------------------


def live_with_a_store_away(small: SmallWorld, phase: Phase) -> None:
    """A rotation whose new key is in every store, the overlap over, and then one store does not answer."""
    small.begin()
    run_for(small, HOUR)
    assert small.committed().phase is P.LIVE
    small.clock.move(small.spec.policy.overlap)
    row = small.claim()
    row.save(replace(row.row, phase=phase, next_at=small.clock.now() + SECOND))
    small.store["file"].down = Transient("sealed")
    run_for(small, timedelta(days=3))


@pytest.mark.parametrize("phase", [P.LIVE, P.RETIRING])
def test_a_store_that_stays_away_is_no_reason_to_give_up_a_key_that_is_live(small: SmallWorld, phase: Phase) -> None:
    live_with_a_store_away(small, phase)
    row = small.committed()
    assert (row.phase, row.problem and row.problem.message) == (phase, "sealed")
    assert small.credential().current == row.new_key
    assert "set_state" not in small.effects()
    small.store["file"].down = None
    run_for(small, timedelta(days=1))
    assert small.committed().phase is P.DONE
    assert [old.proof for old in small.committed().old_keys] == [Proof.REFUSED]


def test_a_replica_that_hesitates_after_a_long_outage_is_asked_again(
    small: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_with_a_store_away(small, P.LIVE)
    small.store["file"].down = None
    verify, hesitant = small.provider.verify, [Verdict.INVALID]
    monkeypatch.setattr(small.provider, "verify", lambda *asked: hesitant.pop() if hesitant else verify(*asked))
    run_for(small, timedelta(days=1))
    assert not hesitant
    assert small.committed().phase is P.DONE


def test_a_person_may_still_roll_it_back(small: SmallWorld) -> None:
    live_with_a_store_away(small, P.LIVE)
    small.journal.ask(NAME, Verb.ROLLBACK, "the store is gone", small.clock.now())
    run_for(small, HOUR)
    assert small.committed().ends_as is P.ROLLED_BACK


def test_a_store_that_stays_away_while_the_key_is_promoted_is_one(small: SmallWorld) -> None:
    rotation = small.begin()
    while rotation.row.phase is not P.PROMOTING:
        advance(rotation)
    rotation.release()
    small.store["file"].down = Transient("sealed")
    run_for(small, timedelta(days=2))
    assert small.committed().ends_as is P.ROLLED_BACK


# -- beneath a cap ---------------------------------------------------------------------------------------------------


def test_a_key_that_somebody_deleted_by_hand_does_not_fill_a_cap_for_ever(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, cap=2)
    small.know("k7", small.provider.add("k7"))
    del small.provider.held["k7"]
    small.clock.move(HOUR)
    small.begin()
    run_for(small, HOUR)
    assert (small.committed().phase, small.committed().problem) == (P.LIVE, None)


def test_a_key_that_is_not_listed_yet_fills_a_cap_all_the_same(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, cap=2, list_lag=HOUR)
    small.know("k7", small.provider.add("k7"))
    del small.provider.held["k7"]
    small.begin()
    run_for(small, 2 * TIMING.lease)
    row = small.committed()
    assert (row.phase, row.problem and row.problem.message) == (P.PLANNED, "the provider allows 2 keys and 2 live")


def test_a_deletion_of_a_stray_whose_answer_got_lost_does_not_fill_a_cap_for_ever(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, cap=2)
    rotation = small.begin(phase=P.MINTING, mint_fences=(0,), first_mint_at=START, last_mint_at=START, new_key="k2")
    value = small.provider.add("k2", mark=small.marker.write(NAME, rotation.row.id, 0))
    lost = small.prints.of(value, "secret")
    rotation.learn(
        KnownKey(
            key_id="k2", credential=NAME, origin=Origin.MINTED, since=START, fingerprint=lost, rotation=rotation.row.id
        )
    )
    rotation.release()

    def gone() -> None:
        small.provider.held.pop("k2", None)
        small.provider.add("another's", mark=None)
        small.provider.held["another's"] = replace(small.provider.held["another's"], state=KeyState.DELETED)
        small.provider.during = lambda: None
        raise Transient("no answer")

    small.provider.during = gone
    run_for(small, HOUR)
    assert "k2" not in small.provider.held
    assert (small.committed().phase, small.committed().problem) == (P.LIVE, None)


def test_looks_that_take_longer_than_a_lease_are_told_of(small: SmallWorld) -> None:
    small.begin()
    small.clock.move(TIMING.lease)
    for store in small.store.values():
        store.when_asked = lambda: small.clock.move(TIMING.request)
    for row, at in worker(small).claim(small.world, 1):
        assert worker(small).run(row, at).phase is P.PLANNED
    assert [(action, subject) for action, subject, _ in small.others.alerts] == [("lease over", NAME)]
    assert small.effects() == []


# -- going back ------------------------------------------------------------------------------------------------------


def test_a_rotation_that_was_put_back_is_tried_again_soon(small: SmallWorld) -> None:
    due = replace(small.credential(), current_since=START - timedelta(days=30), next_due=START)
    small.journal.save(due, START, Change())
    small.begin(phase=P.PLANNED)
    verify = small.provider.verify

    def refuses(principal: Principal, value: Secret) -> Verdict:
        refused = small.committed().phase is P.LIVE and value != old
        return Verdict.INVALID if refused else verify(principal, value)

    old = small.provider.values["k1"]
    small.provider.verify = refuses  # type: ignore[method-assign]
    run_for(small, timedelta(days=6))
    assert small.committed().phase is P.ROLLED_BACK
    next_due = small.credential().next_due
    assert next_due is not None
    assert next_due < small.clock.now() + timedelta(days=1)


def test_a_first_promotion_that_lands_after_the_way_back_is_refused() -> None:
    small = SmallWorld(stores=("vault",))
    small.journal.save(small.credential(), START, Change())
    small.begin()
    vault, late = small.store["vault"], list[tuple[Place, dict[str, str], str]]()
    write = vault.write

    def stalls(place: Place, fields: Mapping[str, str], expected: str) -> str:
        if place.kind is PlaceKind.CURRENT and not late:
            late.append((place, dict(fields), expected))
            small.journal.ask(NAME, Verb.ROLLBACK, "wrong week", small.clock.now())
            raise Transient("no answer")
        return write(place, fields, expected)

    vault.write = stalls  # type: ignore[method-assign]
    run_for(small, timedelta(days=3))
    assert small.committed().phase is P.ROLLED_BACK
    with pytest.raises(Conflict):
        write(*late[0])
