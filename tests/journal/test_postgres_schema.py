"""The tables on PostgreSQL: those of today, what the database itself forbids, and that hot questions use an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from rotator.adapters.journal import locks
from rotator.adapters.journal import statements as sql
from rotator.adapters.journal.postgres.address import address_of
from rotator.adapters.journal.postgres.connecting import Connection, connect
from rotator.adapters.journal.schema import METADATA
from rotator.adapters.journal.session import Statement
from rotator.testing.journal_contract.values import NOW, begun, noting
from tests.journal.on_postgres import REQUEST, opened, url_of
from tests.journal.test_schema import HOLDS
from tests.servers.postgres import Database

HOT = {
    "DUE": "ix_rotation_claim",
    "SOONEST_OF_EACH_PRIORITY": "ix_rotation_claim",
    "DUE_CREDENTIALS": "ix_credential_due",
    "OPEN_OF_CREDENTIAL": "ux_rotation_open",
    "SAVE_UNASKED_ROTATION": "rotation_id_key",
    "HEAD_OF": "event_rotation_seq_key",
    "WAITING_REQUESTS": "ix_request_waiting",
    "EMERGENCIES": "ix_rotation_emergency",
    "HOLDERS": "ix_credential_current",
}


@pytest.fixture
def connection(journal_database: Database) -> Iterator[Connection]:
    """A connection to a journal with an open rotation, an event and a checkpoint."""
    with opened(journal_database) as journal:
        row = begun(journal)
        (row,) = journal.claim(owner="anna", now=NOW, lease=REQUEST, limit=1)
        journal.commit(row, NOW, noting("mint"))
        journal.checkpoint(NOW)
    with connect(address_of(url_of(journal_database), lambda: journal_database.password), REQUEST) as made:
        yield made


def test_it_has_the_same_tables_and_columns_as_on_sqlite(connection: Connection) -> None:
    found: dict[str, set[str]] = {}
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    for table, column in connection.execute(columns):
        found.setdefault(table, set()).add(column)
    assert found == {table: set(columns) for table, columns in HOLDS.items()}


def test_the_migrations_end_at_the_tables_of_today(connection: Connection) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, use_native_hstore=False
    )
    with engine.connect() as checking:
        context = MigrationContext.configure(checking, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_the_database_itself_refuses_a_second_open_rotation(connection: Connection) -> None:
    names = "column_name FROM information_schema.columns WHERE table_name = 'rotation' AND table_schema = 'public'"
    columns = ", ".join(
        f'"{name}"' for (name,) in connection.execute(f"SELECT {names}") if name not in ("number", "id")
    )
    with pytest.raises(psycopg.errors.UniqueViolation, match="ux_rotation_open"):
        connection.execute(f"INSERT INTO rotation (id, {columns}) SELECT 'r9', {columns} FROM rotation")


def _copied(connection: Connection, table: str, *without: str) -> list[str]:
    """The columns of a table, but for these."""
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'"
    return [f'"{name}"' for (name,) in connection.execute(columns, (table,)) if name not in without]


def test_the_database_itself_refuses_an_end_that_is_still_open(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="open_follows_phase"):
        connection.execute("UPDATE rotation SET phase = 'done' WHERE id = 'r1'")


@pytest.mark.parametrize("table", ["event", "checkpoint"])
def test_the_trail_can_only_grow(connection: Connection, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET digest = ''", f"TRUNCATE {table}"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            connection.execute(statement)
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def _statements() -> dict[str, Statement]:
    found = {f"{module.__name__}.{name}": each for module in (sql, locks) for name, each in vars(module).items()}
    return {name.rpartition(".")[2]: each for name, each in found.items() if isinstance(each, Statement)}


class Nulls(dict[str, Any]):
    """A value for each parameter."""

    def __missing__(self, key: str) -> object:
        return {"limit": 5}.get(key)

    def __contains__(self, key: object) -> bool:
        return True


@pytest.mark.parametrize("name", sorted(_statements()))
def test_every_statement_is_understood(connection: Connection, name: str) -> None:
    text = _statements()[name].postgresql
    values = {each: Nulls()[each] for each in _parameters(text)}
    assert connection.execute(f"EXPLAIN {text}", values).fetchone()


@pytest.mark.parametrize(("name", "index"), HOT.items())
def test_a_hot_question_uses_its_index(connection: Connection, name: str, index: str) -> None:
    """Among a few thousand rows: what fits into a page is always scanned."""
    _fill(connection)
    text = _statements()[name].postgresql
    values = {each: 5 if each in ("limit", "now", "never", "priority") else "x" for each in _parameters(text)}
    values |= {each: 1 for each in _parameters(text) if each in INTEGERS}
    plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {text}", values))
    assert index in plan
    assert "Seq Scan" not in plan


def _fill(connection: Connection) -> None:
    columns = ", ".join(_copied(connection, "rotation", "number", "id", "credential"))
    connection.execute("INSERT INTO credential (name, current) SELECT n, n FROM generate_series(1, 3000) AS n")
    connection.execute(
        f"INSERT INTO rotation (id, credential, {columns}) SELECT n, n, {columns}"
        " FROM rotation, generate_series(1, 3000) AS n WHERE id = 'r1'"
    )
    columns = ", ".join(_copied(connection, "event", "number", "rotation"))
    connection.execute(
        f"INSERT INTO event (number, rotation, {columns}) SELECT 1 + n, n, {columns}"
        " FROM event, generate_series(1, 3000) AS n"
    )
    connection.execute(
        "INSERT INTO request (credential, verb, why, at) SELECT n, 'hold', '', 1 FROM generate_series(1, 3000) AS n"
    )
    connection.execute("ANALYZE")


INTEGERS = {
    column.name for table in METADATA.tables.values() for column in table.columns if column.type.python_type is int
}


def _parameters(text: str) -> set[str]:
    import re

    return set(re.findall(r"%\((\w+)\)s", text))
