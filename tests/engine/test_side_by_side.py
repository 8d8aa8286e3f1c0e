"""Several stores in one transaction, side by side: what overlaps, what comes first, and what one failure does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from time import monotonic, sleep

import pytest

from rotator.adapters.together import Threads
from rotator.domain.credential import Place, PlaceKind, Publication
from rotator.domain.failures import Conflict, Denied, Failure, LeaseOver, Permanent, Transient
from rotator.domain.keys import KeyState
from rotator.domain.records import EventKind, LastWrite, Verb
from rotator.domain.rotation import Mode, OldKey, Phase
from rotator.engine import places, promoting, side_by_side, staging
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course
from rotator.engine.unread import publish
from rotator.engine.worker import Worker
from rotator.ports import Change
from tests.engine.small_world import NAME, TIMING, SmallWorld, Store, kept

P = Phase
CURRENT = (PlaceKind.CURRENT, "")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
FIVE = ("a", "b", "c", "d", "e")
WRITE = 0.05
AT_ONCE = {"pending": 4, "current": 5}
"""How many are written: one is the escrow, where the value is pending already."""


def world(*stores: str, unread: tuple[str, ...] = ()) -> SmallWorld:
    small = SmallWorld(stores=stores, unread=unread)
    value = small.publish("k1")
    first = next(each for each in small.spec.publish if each.store not in unread)
    small.store[first.store].put(first.previous("k1"), kept(value, "k1", "r0"))
    row = small.credential()
    for name in unread:
        row = row.having_written(
            LastWrite(store=name, ref="app", key_id="k1", version=small.store[name].held[CURRENT][0])
        )
    small.journal.save(row, small.clock.now(), Change())
    return small


def minted(small: SmallWorld, mode: Mode = Mode.SCHEDULED, phase: Phase = P.PROMOTING) -> Recorded:
    """A rotation whose new key `k2` is verified and lies in the pending place of the first readable store.

    The old one is kept there, too, so that nothing is to be secured before it is overwritten.
    """
    value = small.provider.add("k2")
    small.know("k2", value)
    old = OldKey(key_id="k1", fingerprint=small.journal.keys(NAME)[0].fingerprint, had=True, kept_in=small.stores[0])
    at = {"verified_at": small.clock.now(), "minted_at": small.clock.now()}
    rotation = small.begin(mode, phase=phase, new_key="k2", old_current="k1", old_keys=(old,), fixed=True, **at)
    escrow = next(each for each in small.spec.publish if each.store not in small.unread)
    fields = kept(value, "k2", rotation.row.id)
    small.store[escrow.store].put(escrow.pending(rotation.row.id), fields)
    small.trace.clear()
    return rotation


def refuses_to_write(store: Store, failure: Failure, kind: PlaceKind = PlaceKind.CURRENT) -> Callable[[], None]:
    """Let it answer looks, and nothing else at this kind of place. Returns what ends that."""
    inner = store.write

    def write(place: Place, fields: Mapping[str, str], expected: str) -> str:
        if place.kind is kind:
            raise failure
        return inner(place, fields, expected)

    store.write = write  # type: ignore[method-assign]
    return lambda: setattr(store, "write", inner)


def run(small: SmallWorld, *until: Phase, longest: timedelta = timedelta(days=3)) -> Phase:
    """Let one worker run whatever is due until the rotation is in one of these phases, parked or over."""
    worker, end = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world), small.clock.now() + longest
    small.clock.move(TIMING.lease)
    while small.clock.now() < end and small.committed().open and small.committed().phase not in (*until, P.STUCK):
        for row, at in worker.claim(small.world, 1):
            worker.run(row, at)
        small.clock.move(min(max(small.committed().next_at - small.clock.now(), SECOND), HOUR))
    return small.committed().phase


def read_by_consumers(small: SmallWorld) -> dict[str, str]:
    return {name: store.held[CURRENT][1]["API_KEY"] for name, store in small.store.items()}


def steps(small: SmallWorld, *names: str) -> list[str]:
    return [f"{step[0]} {step[1]}" for step in small.trace if step[0] in names and step[2:] in ((), ("current",))]


# -- at the same time ------------------------------------------------------------------------------------------------


def test_five_stores_are_written_at_the_same_time_in_threads() -> None:
    small = world(*FIVE)
    small.world = replace(small.world, together=Threads(8))
    spans: dict[str, list[tuple[float, float, str]]] = {}
    begun = {kind: threading.Barrier(count, timeout=60) for kind, count in AT_ONCE.items()}
    for name, store in small.store.items():
        timed(store, spans.setdefault(name, []), begun)
    rotation = minted(small)
    staging.stage(rotation)
    promoting.promote(rotation)
    assert set(read_by_consumers(small).values()) == {"sk-k2"}
    for kind, count in AT_ONCE.items():
        assert overlap([span for each in spans.values() for span in each if span[2] == kind], count)


def timed(store: Store, spans: list[tuple[float, float, str]], begun: Mapping[str, threading.Barrier]) -> None:
    """Let a write take its time, and at least until the last of all has begun: a busy machine may be slow in that."""
    inner = store.write

    def write(place: Place, fields: Mapping[str, str], expected: str) -> str:
        began = monotonic()
        begun[place.kind.value].wait()
        sleep(WRITE)
        version = inner(place, fields, expected)
        spans.append((began, monotonic(), place.kind.value))
        return version

    store.write = write  # type: ignore[method-assign]


def overlap(spans: list[tuple[float, float, str]], count: int) -> bool:
    """Whether there are so many, and a moment in which all of them were under way."""
    return len(spans) == count and max(began for began, _, _ in spans) < min(ended for _, ended, _ in spans)


def test_threads_see_nothing_of_the_rotation_but_its_ports() -> None:
    """Every commit, and everything that the journal is asked, is the rotation's own thread's."""
    small = world(*FIVE)
    small.world = replace(small.world, together=Threads(8))
    at_the_journal, at_stores = set[int](), set[int]()
    small.journal.before_commit = lambda: at_the_journal.add(threading.get_ident())
    everybody = threading.Barrier(5, timeout=60)
    rotation = minted(small)

    def asked() -> None:
        at_stores.add(threading.get_ident())
        everybody.wait()

    for store in small.store.values():
        store.when_asked = asked
    promote_everywhere(rotation)
    assert at_the_journal == {threading.get_ident()}
    assert len(at_stores) == 5


def promote_everywhere(rotation: Recorded) -> None:
    value = rotation.world.provider.values["k2"]  # type: ignore[attr-defined]
    side_by_side.on_every_place(rotation, lambda each: promoting.promote_in(rotation, each, value), settles=True)


def test_all_look_then_one_commit_intends_all_then_all_write_then_all_are_read_back() -> None:
    small = world("a", "b", "c")
    promote_everywhere(minted(small))
    assert steps(small, "read", "write") == [f"{what} {name}" for what in ("read", "write", "read") for name in "abc"]
    commits = [step for step in small.trace if step[0] == "commit"]
    assert commits == [("commit", *["intent promote"] * 3)]
    assert small.together.met == [3, 3, 3]


def test_nobody_writes_before_everybody_has_looked_however_often() -> None:
    small = world("a", "b")
    rotation = minted(small)

    def looks(publication: Publication, times: int) -> Course[str]:
        found = yield from places.look(rotation, publication)
        for _ in range(times - 1):
            found = yield from places.look(rotation, publication)
        return (yield from publish(rotation, "promote", publication, {"API_KEY": "x"}, found.version, "k2"))

    courses = [looks(each, times) for each, times in zip(small.spec.publish, (1, 3), strict=True)]
    assert side_by_side.together(rotation, courses) == ("a4", "b2")
    assert steps(small, "read", "write") == ["read a", *["read b"] * 3, "write a", "write b"]
    assert small.effects() == ["write", "write"]
    assert [step[1:] for step in small.trace if step[0] == "commit"] == [("intent promote", "intent promote")]


def test_what_each_place_expected_is_durable_when_the_first_write_begins() -> None:
    small = world("a", "b", "c")
    rotation = minted(small)
    seen: list[list[str | None]] = []
    inner = small.store["a"].write

    def write(place: Place, fields: Mapping[str, str], expected: str) -> str:
        seen.append([small.committed().store(name, "app").expected for name in "abc"])
        return inner(place, fields, expected)

    small.store["a"].write = write  # type: ignore[method-assign]
    promote_everywhere(rotation)
    assert seen == [["a1", "b1", "c1"]]


def test_places_that_cannot_be_read_are_written_together_when_the_others_are_read_back() -> None:
    small = world("ci", "a", "web", "b", unread=("ci", "web"))
    promoting.promote(minted(small))
    writes = steps(small, "write")
    assert writes == ["write a", "write b", "write ci", "write web"]
    between = steps(small, "read", "write")
    assert between.index("read b", between.index("write b")) < between.index("write ci")
    noted = {each.store: (each.key_id, each.version) for each in small.credential().last_writes}
    assert noted == {"ci": ("k2", None), "web": ("k2", None)}  # the answers are durable with the next commit


def test_an_answer_that_got_lost_is_noted_of_that_place_alone() -> None:
    small = world("a", "ci", "web", unread=("ci", "web"))
    small.store["ci"].loses = Transient("timed out")
    rotation = minted(small)
    with pytest.raises(Transient):
        promoting.promote(rotation)
    noted = {each.store: (each.key_id, each.version) for each in rotation.credential.last_writes}
    assert noted == {"ci": ("k2", None), "web": ("k2", small.store["web"].held[CURRENT][0])}


# -- the trail and the lease -----------------------------------------------------------------------------------------


def test_the_trail_has_an_outcome_for_each_also_for_those_that_failed() -> None:
    small = world("a", "b", "c")
    rotation = minted(small)
    refuses_to_write(small.store["b"], Transient("down"))
    with pytest.raises(Transient):
        promote_everywhere(rotation)
    rotation.commit()
    outcomes = [each.event for each in small.journal.events() if each.event.kind is EventKind.OUTCOME]
    results = [(each.subject, each.detail["result"]) for each in outcomes]
    assert results == [("a:app", "ok"), ("b:app", "transient"), ("c:app", "ok")]


def test_who_had_to_wait_for_a_thread_beyond_the_lease_sends_nothing() -> None:
    small = world("a", "b", "c")
    rotation = minted(small)
    small.store["b"].when_asked = lambda: small.clock.move(TIMING.lease) if small.effects() else None
    with pytest.raises(LeaseOver):
        promote_everywhere(rotation)
    assert steps(small, "write") == ["write a", "write b"]


# -- one of them fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Transient("down"), Denied("no"), Permanent("never")])
def test_a_store_that_is_down_makes_a_scheduled_rotation_wait_before_anything_is_promoted(failure: Failure) -> None:
    small = world("a", "b", "c")
    rotation = minted(small)
    small.store["c"].down = failure
    with pytest.raises(type(failure)):
        promote_everywhere(rotation)
    assert small.effects() == []
    assert not rotation.row.promotion_intended


def test_in_an_emergency_the_others_are_promoted_although_one_is_down() -> None:
    small = world("a", "b", "c")
    rotation = minted(small, Mode.COMPROMISE)
    small.store["a"].down = Transient("down")
    with pytest.raises(Transient):
        promote_everywhere(rotation)
    assert read_by_consumers(small) == {"a": "sk-k1", "b": "sk-k2", "c": "sk-k2"}
    assert [each.promoted_at is not None for each in map(rotation.row.store, "bc", ("app", "app"))] == [True, True]


def test_one_that_was_written_by_somebody_else_at_the_same_time_is_a_conflict_and_the_others_are_promoted() -> None:
    small = world("a", "b", "c")
    rotation = minted(small)
    entry, store = small.spec.publish[1], small.store["b"]
    inner = store.write

    def write(place: Place, fields: Mapping[str, str], expected: str) -> str:
        store.put(entry.place, {"API_KEY": "sk-stranger"})
        return inner(place, fields, expected)

    store.write = write  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        promote_everywhere(rotation)
    assert read_by_consumers(small) == {"a": "sk-k2", "b": "sk-stranger", "c": "sk-k2"}
    assert all(rotation.row.store(name, "app").expected is not None for name in "abc")


def test_one_of_three_that_refuses_for_good_has_the_other_two_put_back() -> None:
    small = world("a", "b", "c")
    minted(small)
    refuses_to_write(small.store["b"], Permanent("it is scheduled for deletion"))
    assert run(small) is P.ROLLED_BACK
    assert set(read_by_consumers(small).values()) == {"sk-k1"}
    assert small.provider.held["k2"].state is KeyState.DELETED
    assert small.credential().current == "k1"
    assert [small.committed().store(name, "app").put_back_at is not None for name in "abc"] == [True, False, True]


def test_one_that_refuses_although_it_has_written_is_put_back_like_the_others() -> None:
    small = world("a", "b", "c")
    minted(small)
    small.store["b"].loses = Permanent("its alias may not be moved")
    assert run(small) is P.ROLLED_BACK
    assert set(read_by_consumers(small).values()) == {"sk-k1"}
    assert small.committed().store("b", "app").put_back_at is not None


def test_one_of_three_that_denies_parks_it_and_rollback_puts_the_other_two_back() -> None:
    small = world("a", "b", "c")
    minted(small)
    refuses_to_write(small.store["c"], Denied("no", permission="kms:Decrypt"))
    assert run(small) is P.STUCK
    assert read_by_consumers(small) == {"a": "sk-k2", "b": "sk-k2", "c": "sk-k1"}
    small.journal.ask(NAME, Verb.ROLLBACK, "a test", small.clock.now())
    worker = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)
    for row, at in worker.claim(small.world, 1):
        worker.run(row, at)
    assert run(small) is P.ROLLED_BACK
    assert set(read_by_consumers(small).values()) == {"sk-k1"}


def test_one_of_three_that_denies_and_then_no_longer_is_promoted_when_it_is_resumed() -> None:
    small = world("a", "b", "c")
    minted(small)
    mend = refuses_to_write(small.store["c"], Denied("no", permission="kms:Decrypt"))
    assert run(small) is P.STUCK
    mend()
    small.journal.ask(NAME, Verb.RESUME, "a test", small.clock.now())
    worker = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)
    for row, at in worker.claim(small.world, 1):
        worker.run(row, at)
    assert run(small, longest=timedelta(days=12)) is P.DONE
    assert set(read_by_consumers(small).values()) == {"sk-k2"}


@pytest.mark.parametrize("kind", [PlaceKind.PENDING, PlaceKind.CURRENT])
def test_in_an_emergency_one_of_three_that_denies_is_left_behind_in_time(kind: PlaceKind) -> None:
    small = world("a", "b", "c")
    minted(small, Mode.COMPROMISE, P.STAGING)
    refuses_to_write(small.store["b"], Denied("no", permission="kms:Decrypt"), kind)
    began = small.clock.now()
    assert run(small, P.LIVE, P.RETIRING) in (P.LIVE, P.RETIRING)
    assert small.clock.now() - began < TIMING.store_wait + TIMING.lease + timedelta(seconds=90)
    assert read_by_consumers(small) == {"a": "sk-k2", "b": "sk-k1", "c": "sk-k2"}
    assert [each.store for each in small.committed().stores if each.left_behind] == ["b"]
    assert small.credential().drift == ("b:app",)


def test_a_store_that_is_down_does_not_keep_the_others_from_being_put_back() -> None:
    small = world("a", "b", "c")
    promote_everywhere(rotation := minted(small))
    rotation.save(replace(rotation.row, phase=P.ROLLING_BACK, ends_as=P.ROLLED_BACK))
    rotation.commit()
    small.store["b"].down = Transient("down")
    assert run(small, longest=timedelta(minutes=3)) is P.ROLLING_BACK
    small.store["b"].down = None
    assert read_by_consumers(small) == {"a": "sk-k1", "b": "sk-k2", "c": "sk-k1"}
    assert run(small) is P.ROLLED_BACK
    assert set(read_by_consumers(small).values()) == {"sk-k1"}
