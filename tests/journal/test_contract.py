"""All journals keep the same contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.ports import Journal
from rotator.testing.journal_contract import SIGNER, JournalContract
from rotator.testing.memory import MemoryJournal
from tests.journal.on_postgres import at_the_tests_time
from tests.servers.postgres import Database


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal(SIGNER)


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        with open_journal(f"sqlite:///{tmp_path}/rotator.db", signer=SIGNER) as opened:
            yield opened


class TestPostgresJournal(JournalContract):
    @pytest.fixture
    def journal(self, journal_database: Database) -> Iterator[Journal]:
        with at_the_tests_time(journal_database) as opened:
            yield opened
