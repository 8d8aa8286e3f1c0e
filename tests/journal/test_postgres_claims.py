"""Several journals on one PostgreSQL: whose clock counts, who waits for whom, and what each knows of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest

from rotator.adapters.journal import locks
from rotator.adapters.journal.postgres import journal as on_postgresql
from rotator.adapters.journal.postgres.address import address_of
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import connect
from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.journal.rows import micros
from rotator.adapters.journal.verifying import ConsistentOnly, verify_log
from rotator.adapters.machine import MachineClock
from rotator.domain.failures import Fenced, Transient
from rotator.domain.records import CredentialRow, Verb
from rotator.domain.rotation import OldKey, Rotation
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import LEASE, NEVER, NOTHING, at_once, noting, rotation
from tests.journal.on_postgres import opened, url_of
from tests.servers.postgres import Database

HOUR = timedelta(hours=1)
SLACK = timedelta(seconds=20)
"""For a machine that is busy; the clocks that are wrong are an hour off."""
SHORT = timedelta(seconds=1)
T = TypeVar("T")


@pytest.fixture
def journals(journal_database: Database) -> Iterator[tuple[PostgresJournal, PostgresJournal]]:
    """As two replicas have it."""
    with opened(journal_database) as one, opened(journal_database) as other:
        yield one, other


def begin(journal: PostgresJournal, number: int, now: datetime) -> Rotation:
    """An open row that is due at once, by the clock of whoever begins it."""
    row = rotation(f"r{number}", f"c{number}", started_at=now, next_at=now, since=now)
    assert journal.begin(row, NOTHING)
    return row


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_who_has_a_wrong_clock_neither_steals_a_lease_nor_starves(
    journals: tuple[PostgresJournal, PostgresJournal], wrong: timedelta
) -> None:
    right, other = journals
    begin(right, 1, now())
    (row,) = right.claim(owner="right", now=now(), lease=LEASE, limit=5)
    assert other.claim(owner="wrong", now=now() + wrong, lease=LEASE, limit=5) == ()
    begin(other, 2, now() + wrong)
    (theirs,) = other.claim(owner="wrong", now=now() + wrong, lease=LEASE, limit=5)
    assert abs(theirs.next_at - now() - LEASE) < SLACK
    assert right.claim(owner="right", now=now(), lease=LEASE, limit=5) == ()
    other.commit(replace(theirs, next_at=now() + wrong + LEASE), now() + wrong, NOTHING)
    stored = right.rotation(theirs.id)
    assert stored is not None
    assert abs(stored.next_at - now() - LEASE) < SLACK
    assert right.claim(owner="right", now=now(), lease=LEASE, limit=5) == ()
    right.commit(row, now(), NOTHING)


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_what_is_released_to_wait_is_due_for_everybody_when_that_time_has_passed(
    journals: tuple[PostgresJournal, PostgresJournal], journal_database: Database, wrong: timedelta
) -> None:
    right, other = journals
    begin(right, 1, now())
    (row,) = other.claim(owner="wrong", now=now() + wrong, lease=LEASE, limit=1)
    waits = replace(row, owner=None, next_at=now() + wrong + HOUR)
    other.commit(waits, now() + wrong, NOTHING)
    assert right.claim(owner="right", now=now(), lease=LEASE, limit=1) == ()
    stored = right.rotation(row.id)
    assert stored is not None
    assert abs(stored.next_at - now() - HOUR) < SLACK
    journal_database.execute(f"update rotation set next_at = next_at - {HOUR // timedelta(microseconds=1)}")
    assert len(right.claim(owner="right", now=now(), lease=LEASE, limit=1)) == 1


def test_what_is_parked_stays_parked_whatever_the_clock_says(journals: tuple[PostgresJournal, PostgresJournal]) -> None:
    right, other = journals
    begin(right, 1, now())
    (row,) = other.claim(owner="wrong", now=now() - HOUR, lease=LEASE, limit=1)
    other.commit(replace(row, owner=None, next_at=NEVER), now() - HOUR, NOTHING)
    stored = right.rotation(row.id)
    assert stored is not None
    assert stored.next_at == NEVER
    assert right.next_wake() is None


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_a_seized_row_and_one_that_was_asked_something_are_due_by_the_databases_clock(
    journals: tuple[PostgresJournal, PostgresJournal], wrong: timedelta
) -> None:
    right, other = journals
    begin(right, 1, now())
    taken = other.seize("r1", owner="wrong", now=now() + wrong, lease=LEASE)
    assert taken is not None
    assert abs(taken.next_at - now() - LEASE) < SLACK
    other.commit(replace(taken, owner=None, next_at=NEVER), now() + wrong, NOTHING)
    other.ask("c1", Verb.RESUME, "mended", now() + wrong)
    assert len(right.claim(owner="right", now=now(), lease=LEASE, limit=1)) == 1


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_what_is_due_is_due_by_the_databases_clock(
    journals: tuple[PostgresJournal, PostgresJournal], wrong: timedelta
) -> None:
    right, other = journals
    for name, due in (("late", now() - HOUR / 2), ("early", now() + HOUR / 2)):
        right.save(CredentialRow(name=name, next_due=due), now(), NOTHING)
    assert [row.name for row in other.due(now() + wrong, 9)] == ["late"]


class Wrong(MachineClock):
    """A machine's clock that is an hour ahead."""

    def now(self) -> datetime:
        return super().now() + HOUR


def test_an_engine_has_the_databases_clock_as_soon_as_its_journal_is_open(journal_database: Database) -> None:
    clock = DatabaseClock(Wrong())
    assert clock.now() - now() > HOUR - SLACK
    with opened(journal_database, clock=clock):
        assert abs(clock.now() - now()) < SLACK


def test_an_idle_replica_learns_that_the_databases_clock_was_set(
    journal_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = DatabaseClock(MachineClock())
    with opened(journal_database, clock=clock) as journal:
        clock.learn(micros(now() - HOUR), clock.boottime())  # as it was before
        journal.next_wake()
        assert now() - clock.now() > HOUR - SLACK
        monkeypatch.setattr(on_postgresql, "HEARD", 0.0)
        journal.next_wake()
        assert abs(clock.now() - now()) < SLACK


def test_what_one_replica_wrote_is_not_taken_for_what_stands_there_under_anothers_fence(
    journals: tuple[PostgresJournal, PostgresJournal],
) -> None:
    one, other = journals
    begin(one, 1, now())
    (row,) = one.claim(owner="one", now=now(), lease=LEASE, limit=1)
    one.commit(row.with_old_key(OldKey(key_id="k1")), now(), noting("mint"))  # known from here on: parts, chain
    taken = other.seize("r1", owner="other", now=now(), lease=LEASE)
    assert taken is not None
    other.commit(replace(taken, old_keys=(OldKey(key_id="k2"),)), now(), noting("stage"))
    with pytest.raises(Fenced):
        one.commit(row, now(), noting("promote"))
    again = one.seize("r1", owner="one", now=now(), lease=LEASE)
    assert again is not None
    assert again.old_keys == (OldKey(key_id="k2"),)
    one.commit(again.with_old_key(OldKey(key_id="k1")), now(), noting("promote"))
    with pytest.raises(Fenced):
        other.commit(taken, now(), noting("late"))
    found = other.rotation("r1")
    assert found is not None
    assert {key.key_id for key in found.old_keys} == {"k1", "k2"}
    assert [(each.seq, each.event.action) for each in other.events("r1")] == [(1, "mint"), (2, "stage"), (3, "promote")]
    one.checkpoint(now())
    assert isinstance(verify_log(one, SIGNER.public_key), ConsistentOnly)


def test_parts_that_are_as_this_replica_wrote_them_under_an_earlier_fence_are_written_again(
    journals: tuple[PostgresJournal, PostgresJournal],
) -> None:
    one, other = journals
    begin(one, 1, now())
    (row,) = one.claim(owner="one", now=now(), lease=LEASE, limit=1)
    mine = (OldKey(key_id="k1"),)
    one.commit(replace(row, old_keys=mine), now(), noting("mint"))
    taken = other.seize("r1", owner="other", now=now(), lease=LEASE)
    assert taken is not None
    other.commit(replace(taken, old_keys=()), now(), noting("stage"))
    again = one.seize("r1", owner="one", now=now(), lease=LEASE)
    assert again is not None
    one.commit(replace(again, old_keys=mine), now(), NOTHING)
    found = other.rotation("r1")
    assert found is not None
    assert found.old_keys == mine


def test_a_row_that_another_transaction_keeps_is_passed_over(journal_database: Database) -> None:
    with opened(journal_database) as journal, _transaction(journal_database, timedelta(seconds=15)) as outside:
        for number in (1, 2, 3):
            begin(journal, number, now())
        outside.execute("SELECT 1 FROM rotation WHERE id = 'r1' FOR NO KEY UPDATE")
        began = time.monotonic()
        assert [row.id for row in journal.claim(owner="x", now=now(), lease=LEASE, limit=2)] == ["r2", "r3"]
        assert time.monotonic() - began < 10


def test_events_are_numbered_without_a_gap_in_the_order_of_commits_whoever_writes_them(
    journal_database: Database,
) -> None:
    with ExitStack() as ending, ThreadPoolExecutor(16) as pool:
        replicas = [ending.enter_context(opened(journal_database)) for _ in range(3)]
        rows = []
        for number in range(12):
            begin(replicas[0], number, now())
        for replica in replicas:
            rows += [(replica, row) for row in replica.claim(owner="x", now=now(), lease=LEASE, limit=4)]

        def work(replica: PostgresJournal, row: Rotation) -> None:
            for turn in range(15):
                replica.commit(replace(row, attempts=turn), now(), noting("mint"))
                if turn % 5 == 0:
                    with pytest.raises(Fenced):  # what is undone in a batch leaves no gap either
                        replica.commit(replace(row, fence=99), now(), noting("late"))
                if turn == 7:
                    replica.checkpoint(now())

        for done in [pool.submit(work, *each) for each in rows]:
            done.result()
        replicas[0].checkpoint(now())
        numbers = [number for [number] in journal_database.execute("select number from event order by number")]
        assert numbers == list(range(1, 12 * 15 + 1))
        head = replicas[0].checkpoints()[-1].digest
        verified = verify_log(replicas[1], SIGNER.public_key, head)
        assert verified.unclosed == 0, verified
        assert not getattr(verified, "problems", ())


def test_of_replicas_that_begin_at_the_same_moment_exactly_one_does(journal_database: Database) -> None:
    with ExitStack() as ending:
        replicas = [ending.enter_context(opened(journal_database)) for _ in range(4)]
        for turn in range(15):
            at = now()
            rows = [
                rotation(f"t{turn}n{number}", f"c{turn}", started_at=at, next_at=at, since=at) for number in range(4)
            ]
            outcomes = at_once(
                [partial(each.begin, row, noting("begin")) for each, row in zip(replicas, rows, strict=True)]
            )
            assert sorted(map(str, outcomes)) == ["False", "False", "False", "True"]
            assert replicas[0].credential(f"c{turn}").fence == 1
            assert len(replicas[0].rotations(f"c{turn}")) == 1


def test_who_asks_while_the_row_is_released_is_heard_or_wakes_it(journal_database: Database) -> None:
    """A request must never lie beside a row that sleeps on: not even when both commit at the same moment."""
    with opened(journal_database) as owner, opened(journal_database) as operator:
        for number in range(40):
            begin(owner, number, now())
            (row,) = owner.claim(owner="one", now=now(), lease=LEASE, limit=1)
            released = replace(row, owner=None, next_at=NEVER)
            ask: Callable[[], Any] = partial(operator.ask, row.credential, Verb.HOLD, "audit", now())
            asked = at_once([partial(owner.commit, released, now(), NOTHING, heed=True), ask])
            stored = operator.rotation(row.id)
            assert stored is not None
            heard, woken = bool(asked[0]), stored.owner is None and stored.next_at < NEVER
            assert heard or woken, (asked, stored)
            if heard:
                owner.commit(released, now(), NOTHING)
            assert owner.claim(owner="one", now=now(), lease=LEASE, limit=5, only=[row.credential])


def test_two_that_wait_for_each_other_are_both_done(journal_database: Database) -> None:
    """Each has a row that the other wants: the database ends one of them, which is done again piece by piece."""
    with opened(journal_database) as journal:
        for number in (1, 2):
            begin(journal, number, now())
        with _transaction(journal_database, timedelta(seconds=15)) as outside:
            outside.execute("SELECT 1 FROM rotation WHERE id = 'r2' FOR NO KEY UPDATE")
            going, go = threading.Event(), threading.Event()

            def slow(_: object) -> None:
                going.set()
                assert go.wait(60)

            with ThreadPoolExecutor(3) as pool:
                first = pool.submit(journal._writer.run, slow)
                assert going.wait(60)
                takes = [pool.submit(journal.seize, f"r{n}", owner="x", now=now(), lease=LEASE) for n in (1, 2)]
                while journal._writer.waiting < 2:
                    time.sleep(0.001)
                go.set()
                first.result()
                _until_somebody_waits(journal_database)  # it has r1 by now and waits for r2
                try:
                    outside.execute("SELECT 1 FROM rotation WHERE id = 'r1' FOR NO KEY UPDATE")
                except psycopg.errors.DeadlockDetected:
                    outside.execute("ROLLBACK")
                else:
                    outside.execute("COMMIT")
                assert [taken.result() is not None for taken in takes] == [True, True]


def _connection(database: Database, request: timedelta) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection like a replica's."""
    return connect(address_of(url_of(database), lambda: database.password), request)


def _transaction(database: Database, request: timedelta) -> psycopg.Connection[tuple[Any, ...]]:
    """One in a transaction."""
    connection = _connection(database, request)
    connection.execute("BEGIN")
    return connection


def _hold(connection: psycopg.Connection[Any], text: Any, *, in_the_middle_of_sending: bool) -> None:
    """Begin and lock in one breath: who stands still in between is cut off before he has anything."""
    if not in_the_middle_of_sending:
        connection.execute("BEGIN; " + text)
        return
    connection.pipeline().__enter__()
    connection.execute("BEGIN")
    connection.execute(text).fetchall()  # answered, and the server waits for what else comes


def _until_somebody_waits(database: Database) -> None:
    """Until a session waits for another one's lock."""
    question = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    ends = time.monotonic() + 60
    while database.execute(question) == [[0]]:
        assert time.monotonic() < ends
        time.sleep(0.01)


def _patiently(act: Callable[[], T]) -> T:
    """What it returns, at last: a machine may be too busy for a short time to answer."""
    for _ in range(60):
        try:
            return act()
        except Transient:
            time.sleep(0.1)
    return act()


@pytest.mark.parametrize("in_the_middle_of_sending", [False, True])
def test_a_process_that_stands_still_in_its_transaction_does_not_keep_others_out(
    journal_database: Database, in_the_middle_of_sending: bool
) -> None:
    """As one that was stopped. In the middle of several statements no timeout of the server's ends it before 17."""
    with opened(journal_database) as journal:
        begin(journal, 1, now())
        (row,) = journal.claim(owner="x", now=now(), lease=LEASE, limit=1)
    with opened(journal_database, request=SHORT) as journal, _connection(journal_database, SHORT) as stopped:
        began = time.monotonic()
        _hold(stopped, locks.TRAIL_END.postgresql, in_the_middle_of_sending=in_the_middle_of_sending)
        assert _patiently(lambda: journal.commit(row, now(), noting("mint"))) == ()
        assert time.monotonic() - began > 0.3  # it was kept out at first
        with pytest.raises(psycopg.Error):
            stopped.execute("SELECT 1").fetchall()
        stopped.close()


def test_a_row_that_a_process_cut_off_in_mid_transaction_keeps_locked_is_claimed_all_the_same(
    journal_database: Database,
) -> None:
    """Claims pass over locked rows, so nobody waits for them, and only who looks now and then finds out."""
    with opened(journal_database) as journal:
        begin(journal, 1, now())
    with opened(journal_database, request=SHORT) as journal, _connection(journal_database, SHORT) as cut_off:
        began = time.monotonic()
        _hold(cut_off, "SELECT id FROM rotation FOR UPDATE", in_the_middle_of_sending=True)
        claim = partial(journal.claim, owner="x", lease=LEASE, limit=1)
        while not (rows := _patiently(lambda: claim(now=now()))) and time.monotonic() - began < 60:
            time.sleep(0.05)
        assert time.monotonic() - began > 0.3  # it was kept out at first
        assert len(rows) == 1
        with pytest.raises(psycopg.Error):
            cut_off.execute("SELECT 1").fetchall()
        cut_off.close()
