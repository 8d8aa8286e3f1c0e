"""A bucket that processes share: spread as one, asked for in few round trips, and paused for all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import pytest

from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.limits import AT_ONCE, SharedBucket
from rotator.domain.failures import Transient
from tests.journal.on_postgres import opened
from tests.servers.postgres import Database
from tests.servers.proxy import Fault, FaultProxy, Kind

NOTHING = timedelta(0)


@dataclass
class Counted:
    """The turns of a journal, how often it was asked, and how many it gave."""

    journal: PostgresJournal
    asked: int = 0
    given: int = 0

    def reserve(self, account: str, count: int, interval: timedelta, patience: timedelta) -> object:
        self.asked += 1
        found = self.journal.reserve(account, count, interval, patience)
        self.given += found.count
        return found

    def pause(self, account: str, duration: timedelta) -> None:
        self.journal.pause(account, duration)


@pytest.fixture
def replicas(postgres_database: Database) -> Iterator[list[Counted]]:
    with ExitStack() as ending:
        yield [Counted(ending.enter_context(opened(postgres_database))) for _ in range(3)]


def test_turns_are_apart_and_no_further_than_one_waits(replicas: list[Counted]) -> None:
    journal, minute = replicas[0].journal, timedelta(minutes=1)
    first = journal.reserve("a", 3, minute, 60 * minute)
    assert (first.wait, first.count) == (NOTHING, 3)
    more = journal.reserve("a", 9, minute, 5 * minute)
    assert more.count in (2, 3)  # of nine, those that come within five minutes
    assert minute < more.wait <= 3 * minute
    none = journal.reserve("a", 1, minute, NOTHING)
    assert none.count == 0
    assert none.wait > minute
    assert journal.reserve("another", 1, minute, NOTHING).count == 1


def test_threads_of_all_replicas_together_keep_under_the_rate_and_near_it(replicas: list[Counted]) -> None:
    rate, each, threads = 40.0, 8, 5
    buckets = [SharedBucket("ks", rate, replica) for replica in replicas]  # type: ignore[arg-type]
    began = time.monotonic()

    def work(bucket: SharedBucket) -> None:
        for _ in range(each):
            bucket.take(60)

    with ThreadPoolExecutor(len(buckets) * threads) as pool:
        for done in [pool.submit(work, bucket) for bucket in buckets for _ in range(threads)]:
            done.result()
    count = len(buckets) * each * threads
    assert time.monotonic() - began >= (count - 1) / rate - 0.1
    assert count <= sum(replica.given for replica in replicas) < 2 * count  # hardly a turn is lost
    asked = sum(replica.asked for replica in replicas)
    assert asked < count  # several turns a round trip


def test_a_pause_of_one_replica_is_a_pause_of_all(replicas: list[Counted]) -> None:
    one, other = (SharedBucket("ks", 1000.0, replica) for replica in replicas[:2])  # type: ignore[arg-type]
    one.take(60)
    one.heard(Transient("slow down", throttled=True, retry_after=timedelta(seconds=30)), time.monotonic())
    for bucket in (one, other):
        with pytest.raises(Transient, match="rate limit") as found:
            bucket.take(0.1)
        assert found.value.throttled
        assert found.value.retry_after is not None
        assert timedelta(seconds=20) < found.value.retry_after < timedelta(seconds=40)


def test_those_who_are_refused_are_told_turns_of_their_own(replicas: list[Counted]) -> None:
    bucket = SharedBucket("ks", 0.1, replicas[0])  # type: ignore[arg-type]
    bucket.take(60)
    turns = []
    for _ in range(4):
        with pytest.raises(Transient) as found:
            bucket.take(0)
        assert found.value.retry_after is not None
        turns.append(found.value.retry_after.total_seconds())
    assert all(later - earlier > 5 for earlier, later in pairwise(turns))


def test_without_the_database_nobody_has_a_turn(postgres_database: Database) -> None:
    with FaultProxy(postgres_database.host, postgres_database.port) as proxy:
        journal = opened(postgres_database, port=proxy.port, request=timedelta(seconds=15))
        with journal:
            bucket = SharedBucket("ks", 1000.0, journal)
            bucket.take(60)
            proxy.inject(Fault(kind=Kind.RESET, times=None))
            with pytest.raises(Transient, match="connection") as found:
                bucket.take(1)
            assert not found.value.throttled
            bucket.heard(Transient("slow down", throttled=True), time.monotonic())  # and nothing else is raised
            proxy.inject()
            bucket.take(60)


def test_few_enough_turns_are_asked_for_at_once() -> None:
    assert 1 < AT_ONCE <= 64
