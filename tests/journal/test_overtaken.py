"""A newer rotator migrates the journal under one that runs: what that bears, and that else it writes nothing more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.journal.migrating import upgrade
from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.version import HEAD, KNOWN, ROLLING, may_go_on
from rotator.domain.failures import Overtaken
from rotator.testing.journal_contract.values import NOTHING, NOW, begun, noting, rotation
from tests.journal.on_postgres import end_sessions, opened
from tests.servers.postgres import Database


@dataclass(frozen=True, slots=True)
class Shared:
    """A journal that is open, and what somebody else does to it."""

    journal: DurableJournal
    execute: Callable[[str], Any]
    migrate: Callable[[], None]


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    newer = "update alembic_version set version_num = '9999'"
    if request.param == "sqlite":
        path = tmp_path / "rotator.db"
        with open_journal(f"sqlite:///{path}") as journal, closing(sqlite3.connect(path)) as other:

            def execute(statement: str) -> Any:
                found = other.execute(statement).fetchall()
                other.commit()
                return found

            def migrate() -> None:
                other.execute("create table of_the_future (something text)")
                execute(newer)

            yield Shared(journal, execute, migrate)
        return
    database: Database = request.getfixturevalue("postgres_database")
    with opened(database) as replica:

        def migrate_and_cut() -> None:
            database.execute(newer)
            end_sessions(database)

        yield Shared(replica, database.execute, migrate_and_cut)


def test_who_is_overtaken_writes_nothing_more_and_says_so_in_two_lines(shared: Shared) -> None:
    row = begun(shared.journal)
    shared.migrate()
    for write in (
        lambda: shared.journal.commit(row, NOW, noting("late")),
        lambda: shared.journal.begin(rotation("late"), NOTHING),
        lambda: shared.journal.remember("late", "text"),
    ):
        with pytest.raises(Overtaken) as found:
            write()
        assert found.value.message == f"a newer rotator wrote this journal (schema '9999', this one knows {HEAD})"
        assert found.value.hint == "this process ends; start the newer one, which goes on with what it had in hand"
    [[count]] = shared.execute("select count(*) from rotation")
    assert count == 1
    [[events]] = shared.execute("select count(*) from event where action = 'late'")
    assert events == 0


def test_other_changes_of_the_tables_overtake_nobody(shared: Shared) -> None:
    row = begun(shared.journal)
    shared.execute("create index by_hand on event (action)")
    assert shared.journal.begin(rotation("more", "other"), NOTHING)
    assert shared.journal.rotation(row.id) is not None


def _structure(connection: sqlite3.Connection) -> dict[str, Any]:
    """By name what a program that knows it relies on: columns in their order, triggers, and what must be unique."""
    found: dict[str, Any] = {}
    for kind, name, table, text in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if kind == "index" and "UNIQUE" not in (text or "UNIQUE"):
            continue
        found[f"{kind} {name} of {table}"] = text
    return found


def _added(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The tables that something was done to, new ones left out."""
    known = {name.split()[-1] for name in before}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {name for name in changed if name.split()[-1] in known}


def _changed_from(version: str) -> set[str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        upgrade(connection, version)
        before = _structure(connection)
        upgrade(connection)
        return _added(before, _structure(connection))


def test_what_came_since_the_schema_that_may_go_on_changes_nothing_that_was_there() -> None:
    assert _changed_from(ROLLING) == set()
    assert _changed_from("0004"), "a column more is a change"


def test_only_schemas_from_that_one_on_may_go_on() -> None:
    assert [version for version in KNOWN if may_go_on(version)] == list(KNOWN[KNOWN.index(ROLLING) :])
    assert may_go_on(HEAD)
