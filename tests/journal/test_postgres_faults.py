"""A database that goes away: noticed in time, come back to by itself, and what was in mid-commit done again rightly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.journal.verifying import ConsistentOnly, verify_log
from rotator.domain.failures import Fenced, Permanent, Transient
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Rotation
from rotator.ports import Change
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import LEASE, NOTHING, noting, rotation
from tests.journal.on_postgres import end_sessions, opened
from tests.servers.postgres import Database
from tests.servers.proxy import Fault, FaultProxy, Kind

REQUEST = timedelta(seconds=4)
SHORT = timedelta(seconds=2)
"""For whoever waits in vain."""
ANSWERS = 30
"""Seconds: a connection that is found dead is made anew once, and a busy machine takes its time."""


@pytest.fixture
def proxy(journal_database: Database) -> Iterator[FaultProxy]:
    with FaultProxy(journal_database.host, journal_database.port) as made:
        yield made


@pytest.fixture
def journal(journal_database: Database, proxy: FaultProxy) -> Iterator[PostgresJournal]:
    with opened(journal_database, port=proxy.port, request=REQUEST) as made:
        yield made


def now() -> datetime:
    return datetime.now(UTC)


def claimed(journal: PostgresJournal, number: int = 1) -> Rotation:
    at = now()
    assert journal.begin(rotation(f"r{number}", f"c{number}", started_at=at, next_at=at, since=at), NOTHING)
    (row,) = journal.claim(owner="one", now=at, lease=LEASE, limit=1)
    return row


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.BLACKHOLE])
def test_a_database_that_is_cut_off_is_transient_in_time_and_come_back_to(
    journal: PostgresJournal, journal_database: Database, proxy: FaultProxy, kind: Kind
) -> None:
    row = claimed(journal)
    with opened(journal_database, port=proxy.port, request=SHORT) as hasty:
        _cut_off_and_come_back_to(hasty, row, proxy, kind)


def _cut_off_and_come_back_to(journal: PostgresJournal, row: Rotation, proxy: FaultProxy, kind: Kind) -> None:
    proxy.inject(Fault(kind=kind, times=None))
    calls: list[Callable[[], object]] = [
        lambda: journal.commit(row, now(), noting("lost")),
        lambda: journal.rotation("r1"),
        journal.rotations,
        lambda: journal.claim(owner="one", now=now(), lease=LEASE, limit=1),
    ]
    for call in calls:
        began = time.monotonic()
        with pytest.raises(Transient, match="lost") as found:
            call()
        assert time.monotonic() - began < ANSWERS
        assert found.value.hint
    assert proxy.fired >= len(calls)
    proxy.inject()
    for _ in range(20):
        with suppress(Transient):  # a machine may be too busy to answer in so short a time
            assert journal.commit(row, now(), noting("mint")) == ()
            break
    assert {each.event.action for each in journal.events("r1")} == {"mint"}


@pytest.mark.parametrize("kind", [Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
def test_a_commit_whose_answer_was_lost_is_transient_and_right_when_done_again(
    journal: PostgresJournal, proxy: FaultProxy, kind: Kind
) -> None:
    row = claimed(journal)
    journal.commit(row, now(), noting("first"))
    proxy.inject(Fault(kind=kind, request=b"COMMIT", response=b"COMMIT"))
    with pytest.raises(Transient):
        journal.commit(replace(row, attempts=1), now(), noting("intent"))
    assert proxy.fired == 1
    stored = journal.rotation("r1")
    assert stored is not None
    assert (stored.attempts, stored.fence) == (1, row.fence)  # it was written, and nobody was told
    journal.commit(replace(row, attempts=1), now(), noting("intent"))
    chain = journal.events("r1")
    assert [(each.seq, each.event.action) for each in chain] == [(1, "first"), (2, "intent"), (3, "intent")]
    journal.checkpoint(now())
    assert isinstance(verify_log(journal, SIGNER.public_key), ConsistentOnly)


def test_a_commit_that_never_arrived_is_transient_and_nothing_was_written(
    journal: PostgresJournal, proxy: FaultProxy
) -> None:
    row = claimed(journal)
    journal.commit(row, now(), noting("first"))
    proxy.inject(Fault(kind=Kind.RESET, request=b"COMMIT\0"))
    with pytest.raises(Transient):
        journal.commit(replace(row, attempts=1), now(), noting("intent"))
    assert proxy.fired == 1
    stored = journal.rotation("r1")
    assert stored is not None
    assert stored.attempts == 0
    journal.commit(replace(row, attempts=2), now(), noting("intent"))
    assert [each.event.action for each in journal.events("r1")] == ["first", "intent"]


def test_a_claim_whose_answer_was_lost_is_nobodys_until_its_lease_is_over(
    journal: PostgresJournal, journal_database: Database, proxy: FaultProxy
) -> None:
    at = now()
    journal.begin(rotation("r1", "c1", started_at=at, next_at=at, since=at), NOTHING)
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"COMMIT", response=b"COMMIT"))
    with pytest.raises(Transient):
        journal.claim(owner="one", now=at, lease=LEASE, limit=1)
    assert proxy.fired == 1
    assert journal.claim(owner="one", now=now(), lease=LEASE, limit=1) == ()
    journal_database.execute(f"update rotation set next_at = next_at - {LEASE // timedelta(microseconds=1)}")
    (row,) = journal.claim(owner="one", now=now(), lease=LEASE, limit=1)
    assert (row.fence, row.clean) == (2, False)


def test_a_beginning_whose_answer_was_lost_has_begun_once(journal: PostgresJournal, proxy: FaultProxy) -> None:
    at = now()
    row = rotation("r1", "c1", started_at=at, next_at=at, since=at)
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"COMMIT", response=b"COMMIT"))
    with pytest.raises(Transient):
        journal.begin(row, noting("begin"))
    assert proxy.fired == 1
    assert not journal.begin(row, noting("begin"))
    assert [each.event.action for each in journal.events()] == ["begin"]
    assert journal.credential("c1").fence == 1


def test_connections_that_died_while_nobody_needed_them_are_made_anew_without_a_word(
    journal: PostgresJournal, journal_database: Database
) -> None:
    row = claimed(journal)
    assert journal.rotation("r1") == row
    end_sessions(journal_database)
    assert journal.rotation("r1") == row
    assert journal.commit(row, now(), noting("mint")) == ()


def test_a_row_that_somebody_keeps_is_transient_and_spoils_nobody_elses_commit(
    journal: PostgresJournal, journal_database: Database
) -> None:
    kept, free = claimed(journal, 1), claimed(journal, 2)
    with journal_database.connect() as outside:
        outside.autocommit = False
        cursor = outside.cursor()
        cursor.execute("select 1 from rotation where id = 'r1' for update")
        with pytest.raises(Transient, match="kept a row"):
            journal.commit(kept, now(), noting("mint"))
        assert journal.commit(free, now(), noting("mint")) == ()
        outside.rollback()
    assert journal.commit(kept, now(), noting("mint")) == ()


def test_what_the_database_cannot_hold_is_refused_and_spoils_nobody_elses_commit(journal: PostgresJournal) -> None:
    row = claimed(journal)
    event = Event(kind=EventKind.OUTCOME, action="mint", subject="a\x00b")
    with pytest.raises(Permanent, match="refuses"):
        journal.commit(replace(row, attempts=1), now(), Change(events=(event,)))
    assert journal.rotation("r1") == row
    journal.commit(row, now(), noting("mint"))
    with pytest.raises(Fenced):
        journal.commit(replace(row, fence=9), now(), NOTHING)


def test_a_closed_journal_leaves_no_session_behind(journal_database: Database) -> None:
    question = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    journal = opened(journal_database)
    claimed(journal)
    journal.rotations()
    journal.close()
    journal.close()
    with pytest.raises(Permanent, match="closed"):
        journal.commit(rotation("r1"), now(), NOTHING)
    for _ in range(1200):
        if journal_database.execute(question) == [[0]]:
            return
        time.sleep(0.05)
    raise AssertionError(journal_database.execute(question))
