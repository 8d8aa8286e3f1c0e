"""All implementations of tokens keep the same contract; on a database the trail tells of each, and holds no token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.verifying import Intact, verify_log
from rotator.domain.tokens import chain
from rotator.ports import Tokens
from rotator.testing.journal_contract import SIGNER
from rotator.testing.tokens import MemoryTokens
from rotator.testing.tokens_contract import HOUR, NOW, PLAIN, TokensContract, event
from tests.journal.on_postgres import opened
from tests.servers.postgres import Database


class TestMemoryTokens(TokensContract):
    @pytest.fixture
    def tokens(self) -> Tokens:
        return MemoryTokens()


class TestSqliteTokens(TokensContract):
    @pytest.fixture
    def tokens(self, tmp_path: Path) -> Iterator[Tokens]:
        with open_journal(f"sqlite:///{tmp_path}/rotator.db") as journal:
            yield journal.tokens


class TestPostgresTokens(TokensContract):
    @pytest.fixture
    def tokens(self, journal_database: Database) -> Iterator[Tokens]:
        with opened(journal_database) as journal:
            yield journal.tokens


def test_each_has_a_chain_of_its_own_in_the_signed_trail(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/rotator.db", signer=SIGNER) as journal:
        journal.tokens.add(PLAIN, event(PLAIN))
        assert not journal.tokens.add(PLAIN, event(PLAIN))
        journal.tokens.used(PLAIN.name, NOW)
        journal.tokens.revoke(PLAIN.name, NOW + HOUR, event(PLAIN, "token revoked"))
        told = journal.events(chain(PLAIN.name))
        assert [(each.seq, each.event.action, each.at) for each in told] == [
            (1, "token made", NOW),
            (2, "token revoked", NOW + HOUR),
        ]
        assert journal.credentials() == ()
        journal.checkpoint(NOW + HOUR)
        assert isinstance(verify_log(journal, SIGNER.public_key, journal.checkpoints()[-1].digest), Intact)
