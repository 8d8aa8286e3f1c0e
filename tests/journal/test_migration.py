"""A journal of an older version, with open rotations in it, is migrated and its rotations go on."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from rotator.adapters.journal.errors import InUse
from rotator.adapters.journal.lock import exclusively
from rotator.adapters.journal.migrating import upgrade
from rotator.adapters.journal.opening import connect, open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.verifying import Intact, verify_log
from rotator.adapters.journal.version import HEAD
from rotator.domain.failures import Permanent
from rotator.domain.rotation import Phase, Rotation
from rotator.ports import Change
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import LEASE, NOTHING, NOW, SECOND, at_once, noting, rotation
from tests.journal.older import CREDENTIALS, KEYS, ROLLBACK, ROTATIONS, first_rows


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A journal as the first version of the rotator left it."""
    path = tmp_path / "rotator.db"
    connection = connect(path, SECOND)
    connection.execute("PRAGMA journal_mode = WAL")
    upgrade(connection, "0001")
    for table, values in first_rows():
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    connection.close()
    return path


def version(path: Path) -> str:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(found)


def test_everything_is_there_as_it_was(older: Path) -> None:
    assert version(older) == "0001"
    with open_journal(f"sqlite:///{older}") as journal:
        assert version(older) == HEAD
        assert journal.rotations() == tuple(reversed(ROTATIONS))
        assert journal.credentials() == CREDENTIALS
        assert journal.keys("full") == KEYS
        assert len(journal.events()) == len(journal.checkpoints()) == 1
        assert journal.recall("reconciled at") == "yesterday"


def test_open_rotations_go_on_the_most_urgent_first(older: Path) -> None:
    with open_journal(f"sqlite:///{older}", signer=SIGNER) as journal:
        later = NOW + LEASE
        claimed = journal.claim(owner="anna", now=later, lease=LEASE, limit=9)
        assert [row.id for row in claimed] == ["r2", "r5", "r3"]
        assert claimed[0] == replace(ROTATIONS[1], owner="anna", fence=4, next_at=later + LEASE, clean=False)
        assert claimed[1].clean
        _end(journal, claimed[0])
        assert journal.commit(claimed[2], later, NOTHING, heed=True) == (ROLLBACK,)
        assert not journal.begin(rotation("r6", "parked"), NOTHING)
        assert journal.begin(rotation("r7", "full"), NOTHING)
        assert journal.credential("full").fence == 2


def _end(journal: SqliteJournal, row: Rotation) -> None:
    ended = replace(row, phase=Phase.DONE, owner=None)
    journal.commit(ended, NOW, replace(noting("end"), credential=replace(CREDENTIALS[1], held=False)))
    assert [each.seq for each in journal.events("r2")] == [1, 2]
    head = journal.checkpoints()[0].digest
    journal.checkpoint(NOW)
    assert isinstance(verify_log(journal, SIGNER.public_key, head), Intact)


def test_what_is_open_is_not_due_and_what_is_over_is(older: Path) -> None:
    with open_journal(f"sqlite:///{older}") as journal:
        assert [row.name for row in journal.due(NOW, 10)] == ["done"]
        (row,) = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=1, only=["manual"])
        journal.commit(replace(row, phase=Phase.ROLLED_BACK, owner=None), NOW, Change(answered=(ROLLBACK.id,)))
        assert [row.name for row in journal.due(NOW, 10)] == ["done", "manual"]


def test_a_migration_that_fails_leaves_the_journal_as_it_was(older: Path) -> None:
    connection = connect(older, SECOND)
    connection.execute("CREATE TABLE inventory (something TEXT)")  # the last thing that the migrations make
    with pytest.raises(Permanent, match="inventory"):
        open_journal(f"sqlite:///{older}")
    assert version(older) == "0001"
    assert "priority" not in [row[1] for row in connection.execute("PRAGMA table_info(rotation)")]
    connection.execute("DROP TABLE inventory")
    connection.close()
    with open_journal(f"sqlite:///{older}") as journal:
        assert journal.rotations() == tuple(reversed(ROTATIONS))


def test_nothing_is_migrated_under_a_running_daemon(older: Path) -> None:
    with exclusively(older):
        with pytest.raises(InUse, match="daemon"):
            open_journal(f"sqlite:///{older}")
        assert version(older) == "0001"
        open_journal(f"sqlite:///{older}", locked=True).close()  # the daemon itself
    assert version(older) == HEAD


def test_many_who_migrate_at_the_same_moment_all_have_it_or_are_told_to_wait(older: Path) -> None:
    opened = at_once([partial(open_journal, f"sqlite:///{older}", busy=timedelta(seconds=9)) for _ in range(4)])
    journals = [each for each in opened if isinstance(each, SqliteJournal)]
    assert journals
    assert all(isinstance(each, (SqliteJournal, InUse)) for each in opened), opened
    for journal in journals:
        assert journal.rotations() == tuple(reversed(ROTATIONS))
        journal.close()
