"""Telling consumers and knowing that they have moved, step by step: what is told when, what is counted, what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

import pytest

from rotator.domain.acknowledgement import acknowledgement
from rotator.domain.consumers import ConsumerState, Happened, Heard, PickedUp
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.policy import Policy
from rotator.domain.records import Request, Verb
from rotator.domain.rotation import Mode, OldKey, Phase, Rotation, StoreState, WaitFor
from rotator.engine import picked_up, telling
from rotator.engine.acknowledging import Refused, acknowledge
from rotator.engine.recorded import Recorded
from rotator.engine.saga import advance
from rotator.ports import Way
from tests.engine.small_world import NAME, START, TIMING, SmallWorld

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
POLICY = Policy(every=timedelta(days=30), overlap=24 * HOUR, min_overlap=HOUR, quiet_for=HOUR)


class Told(SmallWorld):
    """A world with a rotation whose new key is live: `web` is told by webhook, `cron` reads by itself."""

    def __init__(self, *, policy: Policy = POLICY, consumers: tuple[str, ...] = ("web", "cron")) -> None:
        super().__init__()
        self.others.ways["web"] = Way(kind="webhook")
        self.spec = replace(self.spec, policy=policy, consumers=consumers)
        self.publish("k1")
        self.new = self.provider.add("k2")
        self.know("k2", self.new)
        for entry in self.spec.publish:
            self.store[entry.store].put(entry.place, entry.render(self.new))
            self.store[entry.store].put(entry.previous("k1"), {"value.secret": "sk-k1", "key_id": "k1", "rotation": ""})

    def promoting(self, mode: Mode = Mode.MANUAL, **fields: object) -> Recorded:
        """The rotation right before its last promotion is noted."""
        stores = tuple(StoreState(store=name, ref="app", expected="") for name in self.stores)
        given: dict[str, object] = {
            "phase": Phase.PROMOTING,
            "new_key": "k2",
            "old_current": "k1",
            "old_keys": (OldKey(key_id="k1", had=True, kept_in="vault"),),
            "fixed": True,
            "stores": stores,
            "verified_at": self.clock.now(),
        }
        return self.begin(mode, **(given | fields))

    def live(self, mode: Mode = Mode.MANUAL) -> Recorded:
        """The rotation as `live`, nobody told yet."""
        rotation = self.promoting(mode)
        advance(rotation)
        assert rotation.row.phase is Phase.LIVE
        return rotation

    def proof(self, consumer: str, rotation: str = "r1", secret: str = "sk-k2") -> str:  # noqa: S107 - a test's key
        return acknowledgement(secret, rotation, consumer)

    def acknowledge(self, consumer: str, text: str | None = None) -> bool:
        """As it comes in from outside; whether it was known already."""
        return acknowledge(self.spec, self.world, consumer, self.proof(consumer) if text is None else text).again

    def step(self, then: timedelta = timedelta(0)) -> Rotation:
        """Somebody else claims the row so much later and advances it until it waits."""
        self.clock.move(then)
        rotation = self.claim()
        while rotation.row.owner is not None and rotation.row.phase is Phase.LIVE:
            advance(rotation)
        if rotation.row.owner is not None:
            rotation.release()
        return self.committed()

    def used(self, key_id: str, at: datetime, by: str = "") -> None:
        key = self.provider.held[key_id]
        self.provider.held[key_id] = replace(key, last_used_at=at, last_used_by=by)

    def state(self, name: str) -> ConsumerState:
        found = self.committed().consumer(name)
        assert found is not None
        return found

    def alerts(self) -> list[str]:
        return [action for action, _, _ in self.others.alerts]


def waits_until(row: Rotation) -> datetime:
    assert row.waiting is not None
    return row.waiting.until


# -- telling ----------------------------------------------------------------------------------------------------------


def test_a_consumer_is_told_after_an_intent_and_one_that_reads_by_itself_is_not() -> None:
    world = Told()
    rotation = world.live()
    advance(rotation)
    ((names, news),) = world.others.told
    assert names == ("web",)
    assert (news.what, news.credential, news.rotation, news.at) == (Happened.ROTATED, NAME, "r1", START)
    assert [(each.store, each.version) for each in news.places] == [("vault", "vault2"), ("file", "file2")]
    assert ("commit", "phase phase", "intent tell") in world.trace
    assert (world.state("web").told_at, world.state("web").tell_at) == (START, None)
    assert (world.state("cron").way, world.state("cron").told_at) == ("", None)


def test_telling_is_spread_by_name_over_at_most_half_the_overlap() -> None:
    world = Told(consumers=tuple(f"app-{number}" for number in range(40)))
    for name in world.spec.consumers:
        world.others.ways[name] = Way(kind="webhook", spread=30 * SECOND)
    row = world.live().row
    delays = [each.tell_at - START for each in row.consumers if each.tell_at is not None]
    assert len(set(delays)) == 40
    assert timedelta(0) <= min(delays) < 3 * SECOND
    assert 27 * SECOND < max(delays) <= 30 * SECOND
    short = Told(policy=replace(POLICY, overlap=10 * SECOND, min_overlap=None), consumers=world.spec.consumers)
    short.others.ways = world.others.ways
    assert max(each.tell_at - START for each in short.live().row.consumers if each.tell_at) <= 5 * SECOND


def test_nobody_waits_in_a_step_and_whoever_looks_next_tells_those_whose_time_has_come() -> None:
    world = Told()
    world.others.ways["web"] = Way(kind="webhook", spread=30 * SECOND)
    rotation = world.live()
    advance(rotation)
    assert world.others.told == []
    row = world.committed()
    assert row.next_at == world.state("web").tell_at
    assert waits_until(row) == START + 24 * HOUR, "what is waited for stays as it is shown"
    world.step(row.next_at - START)
    assert [names for names, _ in world.others.told] == [("web",)]
    assert world.committed().next_at == START + 24 * HOUR


def test_in_an_emergency_there_is_no_spread() -> None:
    world = Told()
    world.others.ways["web"] = Way(kind="webhook", spread=HOUR)
    rotation = world.live(Mode.COMPROMISE)
    advance(rotation)
    assert [names for names, _ in world.others.told] == [("web",)]


def test_an_emergency_that_joins_tells_at_once_who_had_to_wait_for_its_turn() -> None:
    world = Told()
    world.others.ways["web"] = Way(kind="webhook", spread=HOUR)
    rotation = world.live()
    rotation.update(mode=Mode.COMPROMISE)
    advance(rotation)
    assert [names for names, _ in world.others.told] == [("web",)]


def test_who_did_not_hear_is_told_again_with_growing_pauses_and_that_is_an_alert() -> None:
    world = Told()
    world.others.answers["web"] = Transient("its webhook answers with status 503")
    rotation = world.live()
    advance(rotation)
    assert world.alerts() == ["consumer not told"]
    pauses = []
    for _ in range(12):
        pauses.append(world.committed().next_at - world.clock.now())
        world.step(pauses[-1])
    assert pauses[:4] == [10 * SECOND, 20 * SECOND, 40 * SECOND, 80 * SECOND]
    assert pauses[-1] == HOUR
    assert world.state("web").attempts == 13
    assert world.state("web").trouble == "its webhook answers with status 503"
    world.others.answers["web"] = Heard()
    world.step(HOUR)
    assert (world.state("web").attempts, world.state("web").trouble) == (0, None)
    assert len({news.at for _, news in world.others.told}) == 1, "the same news each time"


def test_a_server_that_says_when_to_come_back_is_heeded_within_bounds() -> None:
    world = Told()
    world.others.answers["web"] = Transient("status 429", retry_after=timedelta(minutes=20))
    advance(world.live())
    assert world.committed().next_at == START + timedelta(minutes=20)
    world.others.answers["web"] = Transient("status 429", retry_after=timedelta(days=3))
    world.step(timedelta(minutes=20))
    assert world.committed().next_at == world.clock.now() + HOUR


def test_what_makes_no_sense_is_not_tried_again() -> None:
    world = Told()
    world.others.answers["web"] = Permanent("its webhook is gone")
    advance(world.live())
    assert world.committed().next_at == START + 24 * HOUR
    assert world.state("web").tell_at is None
    assert world.alerts() == ["consumer not told"]


def test_a_crash_while_telling_tells_again_and_loses_nothing() -> None:
    world = Told()
    rotation = world.live()

    def dies(*_: object) -> dict[str, Heard]:
        raise KeyboardInterrupt

    world.others.tell = dies  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        advance(rotation)
    del world.others.tell
    world.step(TIMING.lease)
    assert [names for names, _ in world.others.told] == [("web",)]
    assert world.others.told[0][1].at == START


def test_a_consumer_that_left_the_config_is_told_no_more_and_nobody_waits_for_it() -> None:
    world = Told()
    world.others.answers["web"] = Transient("down")
    advance(world.live())
    world.spec = replace(world.spec, consumers=("cron",))
    world.step(10 * SECOND)
    assert len(world.others.told) == 1
    assert world.committed().next_at == START + 24 * HOUR


def test_while_held_nobody_is_told() -> None:
    world = Told()
    rotation = world.live()
    rotation.credential = replace(rotation.credential, held=True)
    advance(rotation)
    assert world.others.told == []
    assert waits_until(world.committed()) == START + TIMING.hold_poll


def test_after_a_rollback_they_are_told_again_that_the_old_value_is_back() -> None:
    world = Told()
    advance(world.live())
    world.acknowledge("web")
    world.journal.ask(NAME, Verb.ROLLBACK, "", world.clock.now())
    rotation = world.claim()
    while rotation.row.owner is not None:
        advance(rotation)
    assert rotation.row.phase is Phase.WITHDRAWING
    (_, first), (names, second) = world.others.told
    assert (first.what, second.what) == (Happened.ROTATED, Happened.PUT_BACK)
    assert names == ("web",)
    assert [(each.store, each.version) for each in second.places] == [("vault", None), ("file", None)]
    assert not world.state("web").acknowledged, "it proved that it has a key that goes away again"


@pytest.mark.parametrize("failure", [None, Transient("503"), Denied("no"), Permanent("never")])
def test_they_are_told_that_the_old_value_is_back_although_the_new_key_cannot_be_withdrawn_now(
    failure: Failure | None,
) -> None:
    world = Told(policy=replace(POLICY, overlap=timedelta(0), min_overlap=timedelta(0)))
    world.provider.offers = replace(world.provider.offers, list_lag=HOUR)
    minted = world.clock.now() if failure is None else None
    rotation = world.promoting(phase=Phase.ROLLING_BACK, ends_as=Phase.ROLLED_BACK, last_mint_at=minted)
    advance(rotation)
    assert (rotation.row.phase, world.others.told) == (Phase.WITHDRAWING, [])
    if failure is not None:
        world.provider.keys = raising(failure)  # type: ignore[method-assign]
    advance(rotation)
    assert rotation.row.phase in (Phase.WITHDRAWING, Phase.STUCK)
    assert [news.what for _, news in world.others.told] == [Happened.PUT_BACK]


def raising(failure: Failure) -> Callable[..., NoReturn]:
    def fails(*_: object) -> NoReturn:
        raise failure

    return fails


def test_behind_the_pivot_a_stolen_key_dies_before_anybody_is_told() -> None:
    world = Told()
    world.others.answers["web"] = Transient("hangs")
    rotation = world.live(Mode.COMPROMISE)
    advance(rotation)
    world.trace.clear()
    world.clock.move(world.spec.policy.compromise_grace + 10 * SECOND)
    world.others.told.clear()
    rotation = world.claim()
    advance(rotation)
    assert rotation.row.phase is Phase.RETIRING
    rotation.row = rotation.row.with_consumer(replace(world.state("web"), tell_at=world.clock.now(), attempts=0))
    advance(rotation)
    assert world.effects() == ["set_state"], "told, which hung, only then"
    assert world.others.told


# -- acknowledging ----------------------------------------------------------------------------------------------------


def test_who_answers_with_the_proof_has_picked_it_up() -> None:
    world = Told()
    world.others.answers["web"] = Heard(f'{{"acknowledgement": "{world.proof("web")}"}}')
    advance(world.live())
    state = world.state("web")
    assert (state.how, state.took) == (PickedUp.ACKNOWLEDGED, timedelta(0))
    assert world.alerts() == []


@pytest.mark.parametrize(
    "proof",
    [
        lambda world: world.proof("web", secret="sk-k1"),  # the old key
        lambda world: world.proof("web", rotation="r0"),
        lambda world: world.proof("cron"),
        lambda world: "ack1_" + "0" * 64,
    ],
    ids=["old key", "another rotation", "another consumer", "made up"],
)
def test_another_proof_is_counted_nowhere(proof: Callable[[Told], str]) -> None:
    world = Told()
    world.others.answers["web"] = Heard(proof(world))
    advance(world.live())
    assert (world.state("web").how, world.state("web").told_at) == (None, START)
    assert world.alerts() == ["acknowledgement refused"]
    with pytest.raises(Refused, match="does not prove"):
        world.acknowledge("web", proof(world))
    assert world.committed().next_at == START + 24 * HOUR, "nobody was asked to look"
    assert world.state("web").how is None


def test_who_is_no_consumer_or_comes_at_another_time_is_refused() -> None:
    world = Told()
    with pytest.raises(Refused, match="no new key"):
        world.acknowledge("web")
    rotation = world.live()
    with pytest.raises(Refused, match="no consumer"):
        world.acknowledge("wev")
    advance(rotation)
    world.acknowledge("web")
    world.journal.ask(NAME, Verb.ROLLBACK, "", world.clock.now())
    rotation = world.claim()
    while rotation.row.owner is not None:
        advance(rotation)
    with pytest.raises(Refused, match="no new key"):
        world.acknowledge("cron")


def test_an_acknowledgement_from_outside_is_noted_by_the_owner_of_the_row_and_never_kept() -> None:
    world = Told()
    advance(world.live())
    world.clock.move(40 * SECOND)
    assert world.acknowledge("cron") is False
    assert world.state("cron").how is None
    world.step(2 * SECOND)
    assert (world.state("cron").how, world.state("cron").took) == (PickedUp.ACKNOWLEDGED, 40 * SECOND)
    assert world.acknowledge("cron") is True
    kept = repr([*world.journal.events(), *world.journal.rotations(), *vars(world.journal).values()])
    assert "ack1_" not in kept


def test_it_may_come_before_the_last_store_is_promoted() -> None:
    world = Told()
    world.promoting().release()
    world.acknowledge("web")
    rotation = world.claim()
    while rotation.row.owner is not None:
        advance(rotation)
    assert rotation.row.phase is Phase.LIVE
    assert world.state("web").how is PickedUp.ACKNOWLEDGED
    assert world.others.told == [], "it need not be told any more"


def test_a_request_of_another_rotation_is_counted_nowhere() -> None:
    world = Told()
    row = world.live().row
    request = Request(id=1, credential=NAME, verb=Verb.ACKNOWLEDGE, why="r0 web", at=START)
    assert picked_up.acknowledged(row, request) is row


def test_while_the_new_value_cannot_be_read_it_is_told_again() -> None:
    world = Told()
    rotation = world.live()
    rotation.values.clear()
    world.others.answers["web"] = Heard(world.proof("web"))
    for store in world.store.values():
        store.down = Transient("sealed")
    advance(rotation)
    assert (world.state("web").how, world.state("web").trouble) == (None, "sealed")
    for store in world.store.values():
        store.down = None
    world.step(10 * SECOND)
    assert world.state("web").how is PickedUp.ACKNOWLEDGED


# -- shortening -------------------------------------------------------------------------------------------------------


def _acknowledged(world: Told, *names: str) -> Rotation:
    advance(world.live())
    for name in names:
        world.acknowledge(name)
    return world.step() if names else world.committed()


def test_when_all_have_acknowledged_the_overlap_ends_at_min_overlap() -> None:
    row = _acknowledged(Told(), "web", "cron")
    assert waits_until(row) == START + HOUR
    assert row.waiting is not None
    assert "every consumer has acknowledged" in row.waiting.note


@pytest.mark.parametrize(
    ("world", "names"),
    [
        (Told, ("web",)),
        (lambda: Told(policy=replace(POLICY, min_overlap=None)), ("web", "cron")),
        (lambda: Told(consumers=()), ()),
    ],
    ids=["one has not", "the policy says nothing", "none is declared"],
)
def test_otherwise_it_is_as_long_as_ever(world: Callable[[], Told], names: tuple[str, ...]) -> None:
    assert waits_until(_acknowledged(world(), *names)) == START + 24 * HOUR


def test_nothing_shortens_below_the_provider_s_propagation() -> None:
    world = Told(policy=replace(POLICY, min_overlap=SECOND))
    world.provider.offers = replace(world.provider.offers, propagation=10 * MINUTE)
    assert waits_until(_acknowledged(world, "web", "cron")) == START + 10 * MINUTE


def test_an_overlap_shorter_than_that_is_not_made_longer() -> None:
    world = Told(policy=replace(POLICY, overlap=MINUTE, min_overlap=SECOND))
    world.provider.offers = replace(world.provider.offers, propagation=10 * MINUTE)
    assert waits_until(_acknowledged(world, "web", "cron")) == START + MINUTE


def test_the_stores_are_looked_at_however_many_have_acknowledged() -> None:
    world = Told()
    _acknowledged(world, "web", "cron")
    entry = world.spec.publish[1]
    world.store["file"].put(entry.place, entry.render(world.provider.values["k1"]))
    world.clock.move(HOUR)
    advance(world.claim())
    assert world.committed().phase is not Phase.RETIRING
    assert "set_state" not in world.effects()


# -- the provider's word ----------------------------------------------------------------------------------------------


def _telling_use(**given: object) -> Told:
    world = Told(**given)  # type: ignore[arg-type]
    world.provider.offers = replace(world.provider.offers, usage=True)
    return world


def test_the_old_key_used_after_all_have_acknowledged_is_a_strangers_use_and_overrules_them() -> None:
    world = _telling_use()
    _acknowledged(world, "web", "cron")
    world.used("k1", START + 50 * MINUTE, by="198.51.100.7")
    row = world.step(HOUR)
    assert (row.phase, waits_until(row)) == (Phase.LIVE, START + 50 * MINUTE + HOUR)
    assert row.waiting is not None
    assert row.waiting.for_ is WaitFor.QUIET
    assert "stranger's use" in row.waiting.note
    ((action, subject, message),) = world.others.alerts
    assert (action, subject) == ("stranger's use", NAME)
    assert "k1 was used by 198.51.100.7" in message
    assert "stranger's use" in [each.event.action for each in world.journal.events()]


@pytest.mark.parametrize(
    ("names", "used"),
    [(("web",), 50 * MINUTE), (("web", "cron"), timedelta(0)), (("web", "cron"), 5 * SECOND)],
    ids=["one has not acknowledged", "used before", "under way"],
)
def test_otherwise_it_is_only_still_used(names: tuple[str, ...], used: timedelta) -> None:
    world = _telling_use(policy=replace(POLICY, overlap=HOUR, quiet_for=2 * HOUR))
    _acknowledged(world, *names)
    world.used("k1", START + used)
    row = world.step(HOUR)
    assert row.waiting is not None
    assert (row.phase, row.waiting.note) == (Phase.LIVE, "k1 is still used")
    assert world.alerts() == []


def test_a_strangers_use_that_is_over_is_told_and_not_waited_for() -> None:
    world = _telling_use(policy=replace(POLICY, min_overlap=20 * HOUR))
    _acknowledged(world, "web", "cron")
    world.used("k1", START + HOUR)
    world.step(20 * HOUR)
    assert world.alerts() == ["stranger's use"]
    assert world.committed().waiting is None or "k1" not in world.committed().waiting.note  # type: ignore[union-attr]


def test_who_used_the_new_key_last_is_known_to_have_moved_and_that_shortens_nothing() -> None:
    world = _telling_use()
    advance(world.live())
    world.used("k2", START + HOUR, by="cron")
    world.used("k1", START + 24 * HOUR - MINUTE, by="web")
    row = world.step(24 * HOUR)
    assert row.phase is Phase.LIVE
    assert (world.state("cron").how, world.state("cron").took) == (PickedUp.USED, None)
    assert world.state("web").how is None


@pytest.mark.parametrize(
    ("usage", "how"), [(True, PickedUp.USED), (False, PickedUp.TIME)], ids=["the provider tells", "it does not"]
)
def test_before_the_pivot_it_is_said_how_each_is_known_to_have_moved(usage: bool, how: PickedUp) -> None:
    world = Told()
    world.provider.offers = replace(world.provider.offers, usage=usage)
    advance(world.live())
    world.used("k2", START + HOUR)
    world.clock.move(24 * HOUR)
    rotation = world.claim()
    advance(rotation)
    assert rotation.row.phase is Phase.RETIRING
    assert [each.how for each in rotation.row.consumers] == [how, how]


# -- what was measured ------------------------------------------------------------------------------------------------


def test_the_latest_measures_are_kept_by_the_rows_themselves() -> None:
    def row(number: int, took: int | None, how: PickedUp | None = PickedUp.ACKNOWLEDGED) -> Rotation:
        at = START + took * SECOND if took is not None else None
        state = ConsumerState(name="web", since=START, how=how, picked_up_at=at)
        base = telling_row(f"r{number}")
        return replace(base, consumers=(state,))

    rows = [row(9, None, None), *(row(8 - number, number) for number in range(8)), row(0, 5, PickedUp.USED)]
    assert picked_up.times(rows, "web") == tuple(number * SECOND for number in range(5))
    assert picked_up.times(rows, "cron") == ()


def telling_row(rotation_id: str) -> Rotation:
    return Rotation(
        id=rotation_id, credential=NAME, mode=Mode.MANUAL, reason="", started_at=START, next_at=START, since=START
    )


def test_a_step_tells_no_more_than_a_batch_and_goes_on_at_once() -> None:
    names = tuple(f"app-{number}" for number in range(telling.BATCH + 3))
    world = Told(consumers=names)
    world.others.ways = dict.fromkeys(names, Way(kind="webhook"))
    rotation = world.live()
    advance(rotation)
    assert [len(told) for told, _ in world.others.told] == [telling.BATCH]
    advance(rotation)
    assert [len(told) for told, _ in world.others.told] == [telling.BATCH, 3]
