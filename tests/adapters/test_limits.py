"""Limits: how many calls are under way, how they are spread, and that a throttle holds everybody back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rotator_keyserver import Keyserver as Driver

from rotator.adapters.limits import LONGEST_LINE, LONGEST_PAUSE, Bucket, LimitedProvider, Limits
from rotator.domain.credential import Principal
from rotator.domain.failures import Denied, Transient
from rotator.domain.keys import KeyState, MintRequest, Verdict
from rotator.ports import Provider
from rotator.testing.keyserver import FaultKind, Keyserver, Operation, RetryAfter
from tests.sleeping import Clock

SVC = Principal(name="svc")


def bucket(rate: float | None) -> tuple[Bucket, Clock]:
    clock = Clock()
    return Bucket(rate, clock, clock.sleep), clock


def turn(asked: Bucket, patience: float = 0.0) -> float:
    """0 where the token was there; else the seconds that the caller is told."""
    try:
        asked.take(patience)
    except Transient as transient:
        refused = transient
    else:
        return 0.0
    assert refused.throttled, "a limit is no failed attempt"
    assert refused.retry_after is not None
    return refused.retry_after.total_seconds()


# -- the bucket --------------------------------------------------------------------------------------------------------


def test_requests_are_spread_evenly_and_idleness_saves_none_up() -> None:
    limited, clock = bucket(5.0)
    clock.now += 3600
    began = clock.now
    for _ in range(11):
        limited.take(math.inf)
    assert clock.now - began == pytest.approx(10 / 5)


def test_without_a_rate_nobody_waits() -> None:
    free, clock = bucket(None)
    assert [turn(free) for _ in range(1000)] == [0.0] * 1000
    assert clock.now == 1000.0


def test_who_would_wait_too_long_is_told_a_turn_of_his_own() -> None:
    limited, clock = bucket(5.0)
    assert turn(limited) == 0
    assert [turn(limited, 0.1) for _ in range(4)] == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert clock.now == 1000.0, "who is refused does not sleep"
    assert turn(limited, 0.2) == 0, "a refusal takes no token"
    assert clock.now == pytest.approx(1000.2)


def test_turns_are_not_given_out_for_ever() -> None:
    limited, _ = bucket(0.01)
    turn(limited)
    turns = [turn(limited) for _ in range(10)]
    assert max(turns) <= 100 + LONGEST_LINE.total_seconds()


@given(
    rate=st.floats(0.01, 1000),
    calls=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 2)), min_size=2, max_size=50),
)
def test_no_two_requests_are_nearer_than_the_rate_allows(rate: float, calls: list[tuple[float, float]]) -> None:
    limited, clock = bucket(rate)
    sent = []
    for idle, patience in calls:
        clock.now += idle
        asked_at = clock.now
        if turn(limited, patience) == 0:
            sent.append(clock.now)
            assert clock.now - asked_at <= patience + 1e-6
        else:
            assert clock.now == asked_at
    assert sent
    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in pairwise(sent))


def test_a_server_that_says_how_long_pauses_the_bucket_so_long() -> None:
    limited, clock = bucket(100.0)
    limited.heard(Transient("down", retry_after=timedelta(seconds=30)), clock.now)
    assert turn(limited) == pytest.approx(30, abs=0.1)
    clock.now += 30
    assert turn(limited) == 0


def test_an_absurd_pause_is_cut() -> None:
    limited, clock = bucket(None)
    limited.heard(Transient("never", retry_after=timedelta(days=999), throttled=True), clock.now)
    assert turn(limited) == LONGEST_PAUSE.total_seconds()


def test_throttles_that_do_not_say_how_long_pause_longer_each_time() -> None:
    limited, clock = bucket(None)
    pauses = []
    for _ in range(4):
        limited.heard(Transient("throttled", throttled=True), clock.now)
        pauses.append(turn(limited))
        clock.now += pauses[-1]
    assert pauses == [1, 2, 4, 8]
    limited.went_well()
    limited.heard(Transient("throttled", throttled=True), clock.now)
    assert turn(limited) == 1


def test_throttles_of_calls_that_were_under_way_together_count_once() -> None:
    limited, clock = bucket(None)
    sent_at = clock.now
    clock.now += 0.5
    for _ in range(64):
        limited.heard(Transient("throttled", throttled=True), sent_at)
    assert turn(limited) == 1


def test_a_failure_that_is_no_throttle_pauses_nothing() -> None:
    limited, clock = bucket(None)
    limited.heard(Transient("the connection broke"), clock.now)
    assert turn(limited) == 0


def test_a_pause_that_begins_while_somebody_waits_holds_him_too() -> None:
    clock = Clock()
    limited: Bucket

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now < 1001:
            limited.heard(Transient("throttled", retry_after=timedelta(seconds=3)), clock.now)

    limited = Bucket(2.0, clock, sleep)
    limited.take(0)
    limited.take(10)
    assert clock.now == pytest.approx(1003.5)


# -- around a real provider --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Keyserver]:
    with Keyserver() as server:
        yield server


@pytest.fixture
def limited(server: Keyserver) -> Callable[..., LimitedProvider]:
    def limit(**limits: Any) -> LimitedProvider:
        driver = Driver.from_settings("ks", {"base_url": server.url}, server.admin, timedelta(seconds=10))
        return LimitedProvider(driver, **limits)

    return limit


def most_at_once(server: Keyserver) -> int:
    begun = [(record.received_at, 1) for record in server.log]
    ended = [(record.answered_at or math.inf, -1) for record in server.log]
    under_way = most = 0
    for _, change in sorted(begun + ended):
        under_way += change
        most = max(most, under_way)
    return most


def test_every_call_reaches_the_provider_and_its_answer_comes_back(
    server: Keyserver, limited: Callable[..., LimitedProvider]
) -> None:
    provider: Provider = limited(parallel=2)
    provider.check_admin(SVC)
    minted = provider.mint(SVC, MintRequest(mark="m"))
    assert [key.id for key in provider.keys(SVC)] == [minted.key_id]
    assert provider.verify(SVC, minted.value) is Verdict.WORKS
    assert provider.identify(SVC, minted.value) == minted.key_id
    provider.set_state(SVC, minted.key_id, KeyState.DELETED)
    assert server.live("svc") == ()
    seen = [record.operation for record in server.log]
    assert seen == ["check_admin", "mint", "list", "resource", "identify", "delete"]


def test_no_more_calls_are_under_way_than_the_bulkhead_holds(
    server: Keyserver, limited: Callable[..., LimitedProvider]
) -> None:
    server.tell(latency=0.05)
    provider = limited(parallel=3, patience=timedelta(seconds=60))
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: provider.check_admin(SVC), range(24)))
    assert len(server.log) == 24
    assert most_at_once(server) == 3


def test_calls_are_spread_over_time_at_the_server(server: Keyserver, limited: Callable[..., LimitedProvider]) -> None:
    began = time.time()  # a busy machine may hold the first one up, and those of the threads that wait no longer
    provider = limited(parallel=8, rate=20.0, patience=timedelta(seconds=60))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: provider.check_admin(SVC), range(16)))
    arrived = sorted(record.received_at for record in server.log)
    assert len(arrived) == 16
    assert arrived[-1] - began >= 15 / 20 - 0.05


@pytest.mark.parametrize("form", list(RetryAfter))
def test_a_throttle_of_one_call_holds_all_back_until_it_is_over(
    server: Keyserver, limited: Callable[..., LimitedProvider], form: RetryAfter
) -> None:
    server.tell(retry_after=form)
    server.fail(Operation.LIST, FaultKind.THROTTLED, seconds=30.0)
    clock = Clock()
    provider = limited(parallel=8, clock=clock, sleep=clock.sleep)
    with pytest.raises(Transient) as throttled:
        provider.keys(SVC)
    assert throttled.value.throttled
    turns = []
    for call in (provider.check_admin, provider.keys, lambda svc: provider.mint(svc, MintRequest(mark="m"))):
        with pytest.raises(Transient) as held:
            call(SVC)
        assert held.value.throttled
        turns.append(held.value.retry_after or timedelta(0))
    assert all(timedelta(0) < turn <= timedelta(seconds=31) for turn in turns)
    assert len(server.log) == 1, "what is held back was not sent"
    clock.now += max(turns).total_seconds()
    provider.check_admin(SVC)
    assert len(server.log) == 2


def test_a_failure_leaves_its_room_to_the_next_call(server: Keyserver, limited: Callable[..., LimitedProvider]) -> None:
    provider = limited(parallel=1)
    server.fail(Operation.CHECK_ADMIN, FaultKind.FORBIDDEN, calls=3)
    for _ in range(3):
        with pytest.raises(Denied):
            provider.check_admin(SVC)
    provider.check_admin(SVC)


def test_capabilities_are_no_request(limited: Callable[..., LimitedProvider], server: Keyserver) -> None:
    provider = limited(parallel=1, rate=0.001)
    provider.check_admin(SVC)
    assert [provider.capabilities(SVC).probe is not None for _ in range(100)] == [True] * 100
    with pytest.raises(Transient):
        provider.check_admin(SVC)
    assert len(server.log) == 1


# -- the bulkhead ------------------------------------------------------------------------------------------------------


def test_a_full_bulkhead_gives_the_thread_back_and_sends_nothing() -> None:
    limits, sent = Limits(parallel=1, bucket=Bucket(None), patience=timedelta(milliseconds=50)), 0
    with limits.one_call():
        began = time.monotonic()
        with pytest.raises(Transient) as refused, limits.one_call():
            sent += 1
        assert 0.05 <= time.monotonic() - began < 5
    assert sent == 0
    assert refused.value.throttled
    assert refused.value.retry_after is not None
    with limits.one_call():
        sent += 1
    assert sent == 1
