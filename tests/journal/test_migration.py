"""A journal of an older version, with open rotations in it, is migrated and its rotations go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.journal import rows
from rotator.adapters.journal.errors import InUse
from rotator.adapters.journal.lock import exclusively
from rotator.adapters.journal.migrating import upgrade
from rotator.adapters.journal.opening import connect, open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.verifying import Intact, verify_log
from rotator.adapters.journal.version import HEAD
from rotator.domain.failures import Permanent
from rotator.domain.records import CredentialRow, KnownKey, Origin, Request, Verb
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.domain.trail import START, chained, close
from rotator.ports import Change
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.commits import filled
from rotator.testing.journal_contract.values import LEASE, NEVER, NOTHING, NOW, SECOND, at_once, event, noting, rotation

CREDENTIALS = (
    CredentialRow(name="done", next_due=NOW, fence=4, spec="5d"),
    CredentialRow(name="full", current="k1", next_due=NOW, fence=1, drift=("aws:a",), held=True, held_why="audit"),
    CredentialRow(name="manual", next_due=NOW, fence=1),
    CredentialRow(name="parked", fence=1),
    CredentialRow(name="stolen", next_due=NOW, fence=2),
)
ROTATIONS = (
    rotation("r1", "done", phase=Phase.DONE, ended_at=NOW, fence=5),
    filled(rotation("r2", "full", fence=3, owner="a process that died")),
    rotation("r3", "manual", mode=Mode.MANUAL, fence=1),
    rotation("r4", "parked", phase=Phase.STUCK, parked_from=Phase.LIVE, next_at=NEVER, fence=2),
    rotation("r5", "stolen", mode=Mode.COMPROMISE, next_at=NOW + SECOND, fence=7),
)
KEYS = (
    KnownKey(key_id="k1", credential="full", origin=Origin.ADOPTED, since=NOW),
    KnownKey(key_id="k2", credential="full", origin=Origin.MINTED, since=NOW, rotation="r2", fingerprint="ab"),
)
ROLLBACK = Request(id=1, credential="manual", verb=Verb.ROLLBACK, why="bad key", at=NOW)


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in values)})", values)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A journal as the first version of the rotator left it."""
    path = tmp_path / "rotator.db"
    connection = connect(path, SECOND)
    connection.execute("PRAGMA journal_mode = WAL")
    upgrade(connection, "0001")
    for credential in CREDENTIALS:
        insert(connection, "credential", rows.CREDENTIAL.encode(credential))
    for key in KEYS:
        insert(connection, "key", rows.KEY.encode(key))
    for row in ROTATIONS:
        values = rows.encode_rotation(row)
        del values["priority"]
        insert(connection, "rotation", values)
        for table, shape, parts in (
            ("old_key", rows.OLD_KEY, row.old_keys),
            ("place_state", rows.PLACE_STATE, row.stores),
        ):
            for position, part in enumerate(parts):
                encoded: dict[str, Any] = shape.encode(part)  # type: ignore[arg-type]
                insert(connection, table, {"rotation": row.id, "position": position, **encoded})
    insert(connection, "request", rows.REQUEST.encode(ROLLBACK))
    link = chained("r2", 1, NOW, 3, event("mint"), START)
    insert(connection, "event", rows.encode_event(link))
    closed = close(None, NOW, {"r2": link.digest}, SIGNER)
    insert(connection, "checkpoint", {**rows.CHECKPOINT.encode(closed), "last_event": 1})
    insert(connection, "meta", {"name": "remembered: reconciled at", "value": "yesterday"})
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
    connection.execute("CREATE TABLE sighting (something TEXT)")  # the last thing that the migration makes
    with pytest.raises(Permanent, match="sighting"):
        open_journal(f"sqlite:///{older}")
    assert version(older) == "0001"
    assert "priority" not in [row[1] for row in connection.execute("PRAGMA table_info(rotation)")]
    connection.execute("DROP TABLE sighting")
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
