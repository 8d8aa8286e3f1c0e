"""The writing thread: one transaction for many, each undone alone, and an end that finishes what was asked for."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.journal.opening import connect, open_journal
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.sqlite import SqliteJournal, SqliteSession
from rotator.adapters.journal.writer import MOST, Writer
from rotator.domain.failures import Fenced, Permanent, Transient
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import OldKey
from rotator.domain.secret import Secret
from rotator.ports import Change
from rotator.testing.journal_contract.values import LEASE, NOTHING, NOW, claimed, noting

BUSY = timedelta(milliseconds=200)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rotator.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    with open_journal(f"sqlite:///{path}", busy=BUSY) as opened:
        yield opened


class Traced:
    """A writer on a table of one column, and what it told SQLite."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.connection = connect(path, BUSY)
        self.connection.execute("CREATE TABLE made (number INTEGER PRIMARY KEY)")
        self.connection.set_trace_callback(self.said.append)
        self.writer = Writer(SqliteSession(self.connection))

    def insert(self, number: int) -> int:
        def work(_: Session) -> int:
            self.connection.execute("INSERT INTO made VALUES (?)", (number,))
            if number % 10 == 3:
                raise Fenced("not this one")
            return number

        return self.writer.run(work)

    def count(self, beginning: str) -> int:
        return sum(text.startswith(beginning) for text in self.said)


@pytest.fixture
def traced(path: Path) -> Iterator[Traced]:
    made = Traced(path)
    yield made
    made.writer.close()


def test_what_waits_while_one_transaction_is_written_becomes_the_next_one(traced: Traced, path: Path) -> None:
    going, go = threading.Event(), threading.Event()

    def slow(_: Session) -> None:
        going.set()
        go.wait(60)

    def insert(number: int) -> Any:
        try:
            return traced.insert(number)
        except Fenced as fenced:
            return fenced

    with ThreadPoolExecutor(41) as pool:
        first = pool.submit(traced.writer.run, slow)
        assert going.wait(60)
        later = [pool.submit(insert, number) for number in range(40)]
        while traced.writer.waiting < 40:
            time.sleep(0.001)
        go.set()
        first.result()
        outcomes = [each.result() for each in later]
    begun_again = 1  # what went wrong in four of them undid the others too, and was done again with savepoints
    assert (traced.count("BEGIN"), traced.count("COMMIT")) == (2 + begun_again, 2)
    fenced = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Fenced)]
    assert fenced == [3, 13, 23, 33]
    with sqlite3.connect(path) as other:
        made = [number for (number,) in other.execute("SELECT number FROM made ORDER BY number")]
    other.close()
    assert made == [number for number in range(40) if number % 10 != 3]


def test_a_transaction_has_an_upper_limit() -> None:
    assert 64 <= MOST <= 1000


def test_whatever_goes_wrong_reaches_the_thread_that_waits_and_the_writer_goes_on(traced: Traced) -> None:
    def defect(_: Session) -> None:
        raise ZeroDivisionError

    def exits(_: Session) -> None:
        raise SystemExit(3)

    with pytest.raises(ZeroDivisionError):
        traced.writer.run(defect)
    with pytest.raises(SystemExit):
        traced.writer.run(exits)
    with pytest.raises(Permanent, match="UNIQUE"):
        traced.writer.run(lambda _: traced.connection.execute("INSERT INTO made VALUES (1), (1)"))
    assert traced.insert(7) == 7


def test_a_lock_of_another_process_is_transient_and_nothing_is_written(journal: SqliteJournal, path: Path) -> None:
    row = claimed(journal)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match="locked"):
        journal.commit(replace(row, attempts=1), NOW, noting("mint"))
    assert journal.rotation("r1") == row  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    journal.commit(replace(row, attempts=2), NOW, noting("mint"))
    assert len(journal.events()) == 1


def test_a_lock_that_ends_in_time_is_only_waited_for(path: Path) -> None:
    with open_journal(f"sqlite:///{path}") as journal:
        row = claimed(journal)
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        releasing = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        releasing.start()
        assert journal.commit(row, NOW, NOTHING) == ()
        releasing.join()
        other.close()


def test_closing_finishes_what_was_asked_for_and_refuses_the_rest(path: Path) -> None:
    journal = open_journal(f"sqlite:///{path}")
    rows = [claimed(journal, f"r{number}", f"c{number}") for number in range(8)]

    begun = threading.Event()

    def work(number: int) -> int:
        for committed in count():
            try:
                journal.commit(rows[number], NOW, noting("mint"))
            except Permanent:
                return committed
            begun.set()
        raise AssertionError("it never closed")

    with ThreadPoolExecutor(8) as pool:
        working = [pool.submit(work, number) for number in range(8)]
        assert begun.wait(60)
        journal.close()
        committed = [each.result() for each in working]
    journal.close()
    with open_journal(f"sqlite:///{path}") as again:
        assert [len(again.events(row.id)) for row in rows] == committed
        assert sum(committed) > 0


def test_a_secret_is_refused_and_spoils_nobody_elses_commit(journal: SqliteJournal) -> None:
    row = claimed(journal)
    secret: Any = Secret({"secret": "sk-live-1"})
    changes = [
        Change(events=(Event(kind=EventKind.OUTCOME, action="mint", subject=secret),)),
        Change(events=(Event(kind=EventKind.OUTCOME, action="mint", detail={"value": secret}),)),
    ]
    for change in changes:
        with pytest.raises(TypeError) as found:
            journal.commit(replace(row, attempts=1), NOW, change)
        assert "sk-live-1" not in str(found.value)
    with pytest.raises(TypeError):
        journal.commit(replace(row, new_key=secret), NOW, NOTHING)
    assert journal.rotation("r1") == row
    assert journal.events() == ()


def test_what_was_rolled_back_with_anothers_work_is_not_taken_for_written(journal: SqliteJournal) -> None:
    row = claimed(journal)
    journal.commit(row, NOW, noting("mint"))  # from now on its parts and the chain's end are known
    changed = row.with_old_key(OldKey(key_id="k1"))
    going, go = threading.Event(), threading.Event()

    def slow(_: Session) -> None:
        going.set()
        go.wait(60)

    def wrong(_: Session) -> None:
        raise Fenced("not this one")

    writer = journal._writer
    with ThreadPoolExecutor(3) as pool:
        pool.submit(writer.run, slow)
        assert going.wait(60)
        good = pool.submit(journal.commit, changed, NOW, noting("stage"))
        while writer.waiting < 1:
            time.sleep(0.001)
        bad = pool.submit(writer.run, wrong)
        while writer.waiting < 2:
            time.sleep(0.001)
        go.set()
        assert good.result() == ()
        with pytest.raises(Fenced):
            bad.result()
    journal.commit(changed, NOW, noting("promote"))
    assert journal.rotation("r1") == changed
    chain = journal.events("r1")
    assert [(each.seq, each.event.action) for each in chain] == [(1, "mint"), (2, "stage"), (3, "promote")]
    assert [each.previous for each in chain[1:]] == [each.digest for each in chain[:-1]]


def test_what_one_owner_wrote_is_not_taken_for_what_stands_there_under_the_next_one(journal: SqliteJournal) -> None:
    row = claimed(journal)
    journal.commit(row.with_old_key(OldKey(key_id="k1")), NOW, noting("mint"))
    taken = journal.seize("r1", owner="eve", now=NOW, lease=LEASE)
    assert taken is not None
    journal.commit(replace(taken, old_keys=()), NOW, noting("stage"))
    with pytest.raises(Fenced):
        journal.commit(row, NOW, noting("promote"))
    found = journal.rotation("r1")
    assert found is not None
    assert found.old_keys == ()
    assert [(each.seq, each.event.action) for each in journal.events("r1")] == [(1, "mint"), (2, "stage")]


def test_many_threads_read_at_the_same_moment(journal: SqliteJournal) -> None:
    row = claimed(journal)
    with ThreadPoolExecutor(48) as pool:
        found = list(pool.map(lambda _: journal.rotation("r1"), range(480)))
    assert found == [row] * 480


def test_a_leftover_of_threads_does_not_outlive_the_journal(path: Path) -> None:
    before = set(threading.enumerate())
    with open_journal(f"sqlite:///{path}") as journal:
        journal.claim(owner="anna", now=NOW, lease=LEASE, limit=1)
        (_,) = set(threading.enumerate()) - before
    assert set(threading.enumerate()) <= before
