"""All journals keep the same contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.ports import Journal
from rotator.testing.journal_contract import SIGNER, JournalContract
from rotator.testing.memory import MemoryJournal
from tests.journal.on_postgres import at_the_tests_time, prepare
from tests.servers.postgres import Database, PostgresServer


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal(SIGNER)


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        with open_journal(f"sqlite:///{tmp_path}/rotator.db", signer=SIGNER) as opened:
            yield opened


@pytest.fixture(scope="module")
def template(each_postgres_server: PostgresServer) -> Iterator[Database]:
    """Migrated once for all tests on this version."""
    with each_postgres_server.database() as database:
        prepare(database)
        yield database


class TestPostgresJournal(JournalContract):
    @pytest.fixture
    def journal(self, each_postgres_server: PostgresServer, template: Database) -> Iterator[Journal]:
        with each_postgres_server.database(template.name) as database, at_the_tests_time(database) as opened:
            yield opened
