"""Databases with a journal in them: migrated once, copied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journal.on_postgres import prepare
from tests.servers.postgres import Database, PostgresServer


@pytest.fixture(scope="session")
def journal_template(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with an empty journal and a clock that can be set."""
    with postgres_server.database() as database:
        prepare(database)
        yield database


@pytest.fixture
def journal_database(postgres_server: PostgresServer, journal_template: Database) -> Iterator[Database]:
    """A copy of it."""
    with postgres_server.database(journal_template.name) as database:
        yield database
