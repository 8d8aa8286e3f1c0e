"""Keys that a person makes: asked for, handed over, judged, taken up; and what becomes of those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rotator.domain.credential import Place, PlaceKind, Principal
from rotator.domain.failures import Denied, Transient
from rotator.domain.keys import BY_HAND, Disabling, KeyState, Verdict
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase, Proof, Rotation, WaitFor
from rotator.domain.secret import Secret
from rotator.engine import handed, providing
from rotator.engine.handed import NotTaken
from rotator.engine.reconciling import reconcile
from rotator.engine.starting import assume_compromise
from rotator.engine.worker import Worker
from rotator.ports import Change
from tests.engine.small_world import NAME, START, TIMING, SmallWorld, kept

P = Phase
LAG = timedelta(seconds=30)
HOUR = timedelta(hours=1)


def by_hand(*, exclusive: bool = True, **fields: object) -> SmallWorld:
    """A credential whose keys a person makes; one key lives, and the stores have it."""
    small = SmallWorld(strategy=BY_HAND, exclusive=exclusive, **fields)  # type: ignore[arg-type]
    small.provider.offers = replace(small.provider.offers, console_url="https://console.example.com")
    small.publish("k1")
    return small


@pytest.fixture
def small() -> SmallWorld:
    return by_hand()


def work(small: SmallWorld) -> Rotation:
    """One worker runs whatever is due."""
    worker = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)
    for row, at in worker.claim(small.world, 1):
        worker.run(row, at)
    return small.committed()


def run_for(small: SmallWorld, duration: timedelta) -> Rotation:
    """Let it work at every moment at which something is due, for so long."""
    end = small.clock.now() + duration
    while small.clock.now() < end and work(small).open:
        small.clock.move(min(max(small.committed().next_at - small.clock.now(), timedelta(seconds=1)), LAG))
    return small.committed()


def asked(small: SmallWorld, mode: Mode = Mode.SCHEDULED, **fields: object) -> Rotation:
    """A rotation that waits for a person."""
    small.begin(mode, **fields)
    small.clock.move(TIMING.lease)
    row = run_for(small, 2 * LAG)
    assert handed.awaits(row)
    return row


def provide(small: SmallWorld, value: Secret) -> providing.Provided:
    """As the command does it; it waits on the clock."""
    row = small.journal.open_rotation(NAME)
    return providing.provide(
        small.spec,
        small.world,
        value,
        lambda seconds: small.clock.move(timedelta(seconds=seconds)),
        asked_by=row.id if row is not None else "",
    )


def made(small: SmallWorld, key_id: str, created_at: datetime | None = None) -> Secret:
    """A key that a person makes in the console."""
    value = small.provider.add(key_id)
    small.provider.held[key_id] = replace(small.provider.held[key_id], created_at=created_at)
    return value


def compromised(small: SmallWorld, exposure_end: datetime | None = None) -> Rotation:
    return assume_compromise(
        small.spec,
        small.journal,
        small.others,
        small.clock,
        owner="me",
        lease=TIMING.lease,
        exposure_end=exposure_end,
    )


# -- asking ------------------------------------------------------------------------------------------------------------


def test_a_person_is_asked_once_and_no_mint_is_sent(small: SmallWorld) -> None:
    row = asked(small)
    before = small.others.alerts.copy()
    run_for(small, HOUR)
    assert (small.committed().mint_fences, len(row.mint_fences)) == (row.mint_fences, 1)
    assert row.waiting is not None
    assert (row.waiting.for_, row.problem) == (WaitFor.PERSON, None)
    assert row.waiting.note == f"make a key for svc at https://console.example.com, then `rotator provide {NAME}`"
    assert small.others.alerts == before == [("needs a key", NAME, row.waiting.note)]
    assert ("mint",) not in small.trace
    assert list(small.provider.held) == ["k1"]


def test_nobody_is_asked_before_a_store_accepts_a_pending_value(small: SmallWorld) -> None:
    small.begin()
    before = {name: store.write for name, store in small.store.items()}

    def refuses(place: Place, fields: Mapping[str, str], expected: str) -> str:
        if place.kind is PlaceKind.PENDING:
            raise Denied("read only")
        return before["vault"](place, fields, expected)

    for store in small.store.values():
        store.write = refuses  # type: ignore[method-assign]
    small.clock.move(TIMING.lease)
    row = work(small)
    assert (row.phase, row.parked_from, row.mint_fences) == (P.STUCK, P.MINTING, ())
    small.store["vault"].write = before["vault"]  # type: ignore[method-assign]
    small.journal.ask(NAME, Verb.RESUME, "", small.clock.now())
    assert handed.awaits(work(small))


def test_waiting_for_a_person_never_gives_up(small: SmallWorld) -> None:
    asked(small)
    row = run_for(small, timedelta(hours=60))
    assert (row.phase, row.failing_since) == (P.MINTING, None)


def test_an_emergency_asks_once_the_list_shows_all_that_was_there_and_says_so_at_each_look(small: SmallWorld) -> None:
    small.begin(Mode.COMPROMISE, exposure_end=START + HOUR)
    small.clock.move(HOUR)
    row = work(small)
    assert (row.mint_fences, row.next_at) == ((), START + HOUR + LAG)
    made(small, "made at the last moment")
    small.clock.move(LAG)
    row = work(small)
    assert "made at the last moment" in row.baseline
    assert row.first_mint_at == START + HOUR
    assert row.old_key("made at the last moment") is not None
    run_for(small, HOUR)
    assert {each[0] for each in small.others.alerts} == {"exposed until a person acts"}
    assert len(small.others.alerts) > 5


# -- handing over ------------------------------------------------------------------------------------------------------


def test_a_key_that_is_handed_over_wakes_the_row_and_is_taken(small: SmallWorld) -> None:
    asked(small)
    done = provide(small, made(small, "k2"))
    assert (done.key_id, done.store) == ("k2", "vault")
    assert small.committed().next_at == small.clock.now()
    row = work(small)
    assert (row.new_key, row.phase) == ("k2", P.LIVE)
    known = {key.key_id: key for key in small.journal.keys(NAME)}["k2"]
    assert (known.rotation, known.fingerprint) == (row.id, small.prints.of(small.provider.values["k2"], "secret"))


def test_a_crash_between_the_value_and_the_request_costs_one_poll(
    small: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(small)
    value = made(small, "k2")
    monkeypatch.setattr(small.journal, "ask", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        provide(small, value)
    monkeypatch.undo()
    assert work(small).new_key is None
    small.clock.move(TIMING.hold_poll)
    assert work(small).new_key == "k2"


def test_the_first_store_that_accepts_it_takes_it(small: SmallWorld) -> None:
    asked(small)
    small.store["vault"].down = Transient("down")
    assert provide(small, made(small, "k2")).store == "file"
    small.store["vault"].down = None
    assert work(small).escrow == "file"


def test_all_parts_of_a_value_arrive() -> None:
    small = SmallWorld(strategy=BY_HAND, fields={"USER": "{user}", "PASSWORD": "{secret}"})
    small.provider.offers = replace(small.provider.offers, parts=("user", "secret"))
    small.provider.user = "app"
    small.publish("k1")
    asked(small)
    provide(small, made(small, "k2"))
    assert work(small).phase is P.LIVE
    assert small.store["vault"].held[(PlaceKind.CURRENT, "")][1] == {"USER": "app", "PASSWORD": "sk-k2"}


def test_what_the_provider_refuses_for_a_while_is_taken_later(small: SmallWorld) -> None:
    asked(small)
    provide(small, made(small, "k2"))
    small.provider.held["k2"] = replace(small.provider.held["k2"], state=KeyState.DISABLED)
    row = work(small)
    assert row.waiting is not None
    assert "not taken: the provider refuses the key" in row.waiting.note
    assert row.failing_since is None
    small.provider.held["k2"] = replace(small.provider.held["k2"], state=KeyState.ENABLED)
    small.clock.move(LAG)
    assert work(small).new_key == "k2"


def test_a_key_is_no_younger_than_the_provider_or_the_asking_say(small: SmallWorld) -> None:
    row = asked(small)
    told = small.clock.now() + timedelta(minutes=3)
    small.clock.move(HOUR)
    provide(small, made(small, "k2", created_at=told))
    assert work(small).minted_at == told
    again = by_hand()
    row = asked(again)
    again.clock.move(HOUR)
    provide(again, made(again, "k2"))
    assert work(again).minted_at == row.first_mint_at


def test_an_old_key_of_unknown_value_does_not_pass_for_the_new_one(small: SmallWorld) -> None:
    stolen = small.provider.add("k7")
    small.know("k7", None)
    asked(small, Mode.COMPROMISE)
    made(small, "k8")
    with pytest.raises(NotTaken, match="nobody can tell which of k7, k8"):
        provide(small, stolen)


def test_a_foreign_key_that_was_there_before_is_refused() -> None:
    small = by_hand(exclusive=False)
    theirs = small.provider.add("theirs")
    asked(small)
    with pytest.raises(NotTaken, match="theirs was there before it was asked for"):
        provide(small, theirs)


def test_another_key_that_works_is_not_overwritten_and_a_dead_one_is(small: SmallWorld) -> None:
    asked(small)
    provide(small, made(small, "k2"))
    second = made(small, "k3")
    with pytest.raises(NotTaken, match="another key was handed over already: k2"):
        provide(small, second)
    small.provider.held["k2"] = replace(small.provider.held["k2"], state=KeyState.DELETED)
    assert provide(small, second).key_id == "k3"
    assert work(small).new_key == "k3"


def test_a_new_key_has_its_time_to_become_known_however_long_it_was_waited_for(small: SmallWorld) -> None:
    asked(small)
    small.clock.move(HOUR)
    provide(small, made(small, "k2"))
    verify, refusals = small.provider.verify, list[Phase]()

    def hesitates(principal: Principal, value: Secret) -> Verdict:
        if small.committed().phase is P.STAGING and not refusals:
            refusals.append(P.STAGING)
            return Verdict.INVALID
        return verify(principal, value)

    small.provider.verify = hesitates  # type: ignore[method-assign]
    assert work(small).phase is P.STAGING
    small.clock.move(LAG)
    assert work(small).phase is P.LIVE


def test_a_key_from_before_the_exposure_end_is_refused_whatever_the_list_showed(small: SmallWorld) -> None:
    asked(small, Mode.COMPROMISE, exposure_end=START)
    with pytest.raises(NotTaken, match="before the exposure ended"):
        provide(small, made(small, "k2", created_at=START - timedelta(seconds=1)))


def test_a_key_that_another_credential_has_as_current_is_refused(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    other = replace(small.journal.credential("other"), current="k2")
    small.journal.save(other, START, Change())
    with pytest.raises(NotTaken, match="another credential"):
        provide(small, value)


def test_no_words_of_a_driver_show_what_was_handed_over(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    verify = small.provider.verify

    def talks(principal: Principal, value: Secret) -> Verdict:
        raise Transient(f"no answer to {value.reveal('secret')}", f"try {value.reveal('secret')}")

    small.provider.verify = talks  # type: ignore[method-assign]
    with pytest.raises(Transient) as caught:
        provide(small, value)
    assert "sk-k2" not in caught.value.message + caught.value.hint
    small.provider.verify = verify  # type: ignore[method-assign]
    provide(small, value)
    small.provider.verify = talks  # type: ignore[method-assign]
    row = work(small)
    assert row.problem is not None
    assert "sk-k2" not in f"{row.problem}{row.waiting}"


# -- too late ----------------------------------------------------------------------------------------------------------


def test_what_was_handed_over_to_a_rotation_that_goes_back_meanwhile_is_taken_back(small: SmallWorld) -> None:
    row = asked(small)
    value = made(small, "k2")
    write = small.store["vault"].write

    def goes_back(place: Place, fields: Mapping[str, str], expected: str) -> str:
        small.store["vault"].write = write  # type: ignore[method-assign]
        small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
        run_for(small, HOUR)
        return small.store["vault"].put(place, fields)

    small.store["vault"].write = goes_back  # type: ignore[method-assign]
    with pytest.raises(NotTaken, match="no longer waits for a key: it is rolled_back"):
        provide(small, value)
    assert (PlaceKind.PENDING, row.id) not in small.store["vault"].held


def test_what_was_handed_over_to_a_superseded_rotation_is_an_exposed_key() -> None:
    small = by_hand(exclusive=False)
    row = asked(small)
    value = made(small, "k2")
    write = small.store["vault"].write

    def strikes(place: Place, fields: Mapping[str, str], expected: str) -> str:
        small.clock.move(HOUR)
        compromised(small)
        return write(place, fields, expected)

    small.store["vault"].write = strikes  # type: ignore[method-assign]
    with pytest.raises(NotTaken, match="an emergency took over"):
        provide(small, value)
    small.store["vault"].write = write  # type: ignore[method-assign]
    run_for(small, 4 * LAG)
    with pytest.raises(NotTaken, match="has or had"):
        provide(small, value)
    provide(small, made(small, "k3"))
    ended = run_for(small, 3 * HOUR)
    assert (ended.phase, ended.new_key) == (P.DONE, "k3")
    assert {old.key_id: old.proof for old in ended.old_keys} == {"k1": Proof.REFUSED, "k2": Proof.REFUSED}
    assert (PlaceKind.PENDING, row.id) not in small.store["vault"].held


def test_a_value_that_reaches_a_superseded_rotation_late_belongs_all_the_same() -> None:
    small = by_hand(exclusive=False)
    row = asked(small)
    small.clock.move(HOUR)
    compromised(small)
    run_for(small, 4 * LAG)
    place = small.spec.publish[0].pending(row.id)
    small.store["vault"].put(place, kept(made(small, "k2"), "k2", row.id))
    fresh = made(small, "k3")
    small.provider.offers = replace(small.provider.offers, identifies=True)
    small.provider.identify = lambda principal, value: "k3"  # type: ignore[method-assign]
    provide(small, fresh)
    ended = run_for(small, 3 * HOUR)
    assert (ended.phase, small.provider.held["k2"].state) == (P.DONE, KeyState.DELETED)
    assert {old.key_id: old.proof for old in ended.old_keys} == {"k1": Proof.REFUSED, "k2": Proof.REFUSED}


# -- going back --------------------------------------------------------------------------------------------------------


def test_a_key_that_was_taken_is_deleted_on_the_way_back(small: SmallWorld) -> None:
    asked(small)
    provide(small, made(small, "k2"))
    assert work(small).phase is P.LIVE
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    assert run_for(small, timedelta(days=3)).phase is P.ROLLED_BACK
    assert small.provider.held["k2"].state is KeyState.DELETED
    assert small.credential().current == "k1"


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_key_that_was_not_taken_stays_on_the_way_back_and_is_named(exclusive: bool) -> None:
    small = by_hand(exclusive=exclusive)
    row = asked(small)
    provide(small, made(small, "k2"))
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    assert run_for(small, HOUR).phase is P.ROLLED_BACK
    assert small.provider.held["k2"].state is KeyState.ENABLED
    assert ("handed over and not taken", "k2") in {(e.event.action, e.event.subject) for e in small.journal.events()}
    assert (PlaceKind.PENDING, row.id) not in small.store["vault"].held
    seen = reconcile(small.spec, small.world)
    foreign = tuple(key.id for key in seen.foreign_keys)
    assert (seen.orphans, foreign) == ((("k2",), ()) if exclusive else ((), ("k2",)))


def test_a_key_that_its_maker_published_too_is_put_back_all_the_same(small: SmallWorld) -> None:
    asked(small)
    value = made(small, "k2")
    for entry in small.spec.publish:
        small.store[entry.store].put(entry.place, entry.render(value))
    provide(small, value)
    assert work(small).phase is P.LIVE
    small.journal.ask(NAME, Verb.ROLLBACK, "", small.clock.now())
    run_for(small, timedelta(days=3))
    assert small.store["vault"].held[(PlaceKind.CURRENT, "")][1] == {"API_KEY": "sk-k1"}
    assert small.credential().current == "k1"


# -- emergencies -------------------------------------------------------------------------------------------------------


def test_an_emergency_joins_a_rotation_that_began_to_wait_after_the_exposure_end(small: SmallWorld) -> None:
    row = asked(small)
    assert row.first_mint_at is not None
    assert compromised(small, exposure_end=row.first_mint_at).id == row.id


def test_an_emergency_supersedes_a_rotation_that_may_get_an_exposed_key(small: SmallWorld) -> None:
    row = asked(small)
    assert row.first_mint_at is not None
    assert compromised(small, exposure_end=row.first_mint_at + timedelta(seconds=1)).supersedes == (row.id,)


def test_containing_first_disables_before_a_person_is_waited_for() -> None:
    small = by_hand()
    small.provider.offers = replace(small.provider.offers, disabling=Disabling.REVERSIBLE)
    asked(small, Mode.CONTAIN_FIRST, exposure_end=START)
    assert small.provider.held["k1"].state is KeyState.DISABLED


def test_beneath_a_full_cap_an_emergency_makes_room_before_it_asks(small: SmallWorld) -> None:
    small.provider.offers = replace(small.provider.offers, cap=2)
    small.know("k7", small.provider.add("k7"))
    row = asked(small, Mode.COMPROMISE, exposure_end=START)
    assert small.provider.held["k7"].state is KeyState.DELETED
    assert row.old_key("k7") is not None
