"""The tables: what each column holds, what the database itself forbids, and that no hot question scans a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from rotator.adapters.journal import figure_statements, inventory_statements
from rotator.adapters.journal import statements as sql
from rotator.adapters.journal.migrating import versions
from rotator.adapters.journal.opening import connect, open_journal
from rotator.adapters.journal.schema import METADATA
from rotator.adapters.journal.session import Statement
from rotator.adapters.journal.version import HEAD, KNOWN
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import NOW, begun, claimed, noting

ID, TIME, FLAG, COUNT, WORD, TEXT = "id", "time", "flag", "count", "word", "text"
"""What columns hold: a name or version that somebody chose; microseconds; 0 or 1; a number; one of ours; for people."""

HOLDS: dict[str, dict[str, str]] = {
    "credential": {
        "name": ID,
        "current": ID,
        "current_since": TIME,
        "next_due": TIME,
        "held": FLAG,
        "held_why": TEXT,
        "fence": COUNT,
        "drift": "places as store:ref",
        "outage": FLAG,
        "spec": "a digest of the config's entry",
        "last_writes": "places that cannot be read, a key's id, and a version",
        "open_rotation": ID,
    },
    "key": {
        "number": COUNT,
        "key_id": ID,
        "credential": ID,
        "origin": WORD,
        "since": TIME,
        "fingerprint": "64 bits of an HMAC under the installation's key",
        "rotation": ID,
        "dead_at": TIME,
    },
    "rotation": {
        "number": COUNT,
        "id": ID,
        "credential": ID,
        "mode": WORD,
        "reason": TEXT,
        "started_at": TIME,
        "next_at": TIME,
        "since": TIME,
        "phase": WORD,
        "fence": COUNT,
        "owner": ID,
        "clean": FLAG,
        "attempts": COUNT,
        "failing_since": TIME,
        "waiting_until": TIME,
        "waiting_for": WORD,
        "waiting_note": TEXT,
        "problem_message": TEXT,
        "problem_hint": TEXT,
        "parked_from": WORD,
        "turns": COUNT,
        "ends_as": WORD,
        "ended_at": TIME,
        "old_current": ID,
        "fixed": FLAG,
        "baseline": "key ids",
        "slot": ID,
        "mint_fences": COUNT,
        "first_mint_at": TIME,
        "last_mint_at": TIME,
        "escrow": "a store's name",
        "new_key": ID,
        "minted_at": TIME,
        "verified_at": TIME,
        "live_at": TIME,
        "beyond_pivot": FLAG,
        "exposure_end": TIME,
        "asked_at": TIME,
        "supersedes": "rotations",
        "outage": FLAG,
        "open": FLAG,
        "priority": COUNT,
    },
    "old_key": {
        "rotation": ID,
        "position": COUNT,
        "key_id": ID,
        "fingerprint": "64 bits of an HMAC under the installation's key",
        "had": FLAG,
        "kept_in": "a store's name",
        "disabled_at": TIME,
        "deleted_at": TIME,
        "first_refused_at": TIME,
        "proof": WORD,
        "dead_at": TIME,
        "to_delete_since": TIME,
    },
    "place_state": {
        "rotation": ID,
        "position": COUNT,
        "store": ID,
        "ref": "a path in a store",
        "expected": ID,
        "version": ID,
        "promoted_at": TIME,
        "put_back_at": TIME,
        "rewritten_at": TIME,
        "trouble_since": TIME,
        "left_behind": TEXT,
        "unread": FLAG,
    },
    "consumer_state": {
        "rotation": ID,
        "position": COUNT,
        "name": ID,
        "since": TIME,
        "way": WORD,
        "tell_at": TIME,
        "told_at": TIME,
        "attempts": COUNT,
        "trouble": TEXT,
        "picked_up_at": TIME,
        "how": WORD,
    },
    "request": {"id": COUNT, "credential": ID, "verb": WORD, "why": TEXT, "at": TIME, "answered_at": TIME},
    "event": {
        "number": COUNT,
        "rotation": ID,
        "seq": COUNT,
        "at": TIME,
        "fence": COUNT,
        "previous": "a digest",
        "digest": "a digest",
        "kind": WORD,
        "action": WORD,
        "subject": "a key id, a store:ref or a word",
        "detail": "words and texts for people",
    },
    "checkpoint": {
        "number": COUNT,
        "at": TIME,
        "heads": "digests by rotation",
        "previous": "a digest",
        "digest": "a digest",
        "signature": "an Ed25519 signature",
        "last_event": COUNT,
    },
    "sighting": {"credential": ID, "key_id": ID, "first_seen": TIME},
    "rate_bucket": {"account": ID, "free_at": TIME, "paused_until": TIME},
    "component": {"id": COUNT, "ecosystem": WORD, "name": ID, "version": ID, "elsewhere": WORD, "hashed": FLAG},
    "bundle": {"id": COUNT, "digest": "a digest"},
    "bundle_component": {"bundle": COUNT, "component": COUNT},
    "contents": {"id": COUNT, "digest": "a digest"},
    "contents_bundle": {"contents": COUNT, "bundle": COUNT},
    "inventory": {
        "number": COUNT,
        "consumer": ID,
        "origin": "a path",
        "kind": WORD,
        "commit": ID,
        "since": TIME,
        "until": TIME,
        "gaps": "texts for people",
        "contents": COUNT,
        "recorded_at": TIME,
    },
    "api_token": {
        "number": COUNT,
        "name": ID,
        "digest": "SHA-256 of 256 random bits",
        "role": WORD,
        "owners": "names of owners",
        "consumer": ID,
        "why": TEXT,
        "created_at": TIME,
        "expires_at": TIME,
        "last_used_at": TIME,
        "revoked_at": TIME,
    },
    "meta": {"name": WORD, "value": TEXT},
    "alembic_version": {"version_num": WORD},
}
IN_AN_INDEX = {
    "OPEN_IN_SHORT": "ix_rotation_claim",
    "ROTATING": "ux_rotation_open",
    "UNPROVEN": "ix_old_key_unproven",
}
"""Walks over all of a partial index, which has what is asked for and nothing else."""
SCANS_ALLOWED = {
    "EVERY_KEY",  # asked by a person who looks for a leaked value
    "OPEN",
    "ROTATIONS",
    "CREDENTIALS",
    "EVENTS",
    "CHECKPOINTS",
    "MOVED_HEADS",
    "LAST_CHECKPOINT",
    "LAST_EVENT",
    "RECORDS",
    "HOW_MANY",
    "HEAD",
    "ORPHANS",  # as many rows as the reconciler found
    *IN_AN_INDEX,
}
"""Asked for all rows, or for the first by primary key."""
SORTS_ALLOWED = {
    "EMERGENCIES",
    "OPEN",
    "OPEN_AMONG",
    "CREDENTIALS_AMONG",
    "DUE_AMONG",
    "KEYS_OF",
    "HOLDERS",
    "RECORDS_OF",
    "RECORDS_OF_FILE",
} | {
    "UNPROVEN",
    "CENSUS",
}
"""As many rows as there are names, groups, rotations of one incident, keys, holders, or records of one consumer."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The file of a journal with an open rotation, an event and a checkpoint."""
    path = tmp_path / "rotator.db"
    with open_journal(f"sqlite:///{path}", signer=SIGNER) as journal:
        journal.commit(claimed(journal), NOW, noting("mint"))
        journal.checkpoint(NOW)
        begun(journal, "r2", "github")
    connection = connect(path, timedelta(seconds=1))
    yield connection
    connection.close()


def test_of_each_column_it_is_said_what_it_holds_and_that_is_no_secret(database: sqlite3.Connection) -> None:
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")] for table in tables}
    assert {table: sorted(columns) for table, columns in found.items()} == {
        table: sorted(columns) for table, columns in HOLDS.items()
    }


def test_the_migrations_end_at_the_tables_of_today(database: sqlite3.Connection) -> None:
    engine = create_engine("sqlite://", creator=lambda: database, poolclass=StaticPool, pool_reset_on_return=None)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_the_partial_indexes_are_those_of_the_tables_of_today(database: sqlite3.Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    engine = create_engine("sqlite://", creator=lambda: other, poolclass=StaticPool)
    METADATA.create_all(engine)
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    assert database.execute(indexes).fetchall() == other.execute(indexes).fetchall()
    other.close()


def test_every_schema_that_there_is_a_migration_to_is_known() -> None:
    assert versions() == KNOWN
    assert versions()[-1] == HEAD


def test_the_database_itself_refuses_a_second_open_rotation(database: sqlite3.Connection) -> None:
    columns = [row[1] for row in database.execute("PRAGMA table_info(rotation)") if row[1] not in ("number", "id")]
    copy = f"INSERT INTO rotation (id, {', '.join(columns)}) SELECT 'r9', {', '.join(columns)} FROM rotation"
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: rotation\.credential"):
        database.execute(f"{copy} WHERE id = 'r1'")


def test_the_database_itself_refuses_an_end_that_is_still_open(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="open_follows_phase"):
        database.execute("UPDATE rotation SET phase = 'done' WHERE id = 'r1'")


@pytest.mark.parametrize("table", ["event", "checkpoint"])
def test_the_trail_can_only_grow(database: sqlite3.Connection, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET digest = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)
    assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def _statements() -> dict[str, Statement]:
    modules = vars(sql) | vars(inventory_statements) | vars(figure_statements)
    found = {name: each for name, each in modules.items() if isinstance(each, Statement)}
    for name, parts in (("OLD_KEYS", sql.OLD_KEYS), ("PLACE_STATES", sql.PLACE_STATES)):
        found |= {f"{name}.{each}": getattr(parts, each) for each in ("of_one", "of_many", "save", "drop")}
    return found


@pytest.mark.parametrize("name", sorted(_statements().keys() - SCANS_ALLOWED))
def test_no_question_scans_a_table_or_sorts_what_it_need_not(database: sqlite3.Connection, name: str) -> None:
    class Nulls(dict[str, Any]):
        def __missing__(self, key: str) -> None:
            return None

    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {_statements()[name].text}", Nulls())]
    scans = [
        line
        for line in plan
        if line.startswith("SCAN") and not any(name in line for name in ("json_each", "anon_1", "urgent"))
    ]
    assert scans == []
    if name not in SORTS_ALLOWED:
        assert [line for line in plan if "TEMP B-TREE" in line] == []


@pytest.mark.parametrize("name", sorted(IN_AN_INDEX))
def test_what_is_counted_at_every_scrape_is_walked_in_a_partial_index(database: sqlite3.Connection, name: str) -> None:
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {_statements()[name].text}")]
    (scan,) = (line for line in plan if line.startswith("SCAN"))
    assert f"USING INDEX {IN_AN_INDEX[name]}" in scan or f"USING COVERING INDEX {IN_AN_INDEX[name]}" in scan
