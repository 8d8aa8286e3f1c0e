"""What every implementation of `rotator.ports.Tokens` must do, as tests: inherit it and give a fixture.

class TestMine(TokensContract):
    @pytest.fixture
    def tokens(self) -> Iterator[Tokens]:
        yield a fresh and empty one
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotator.domain.records import Event, EventKind
from rotator.domain.tokens import Role, Token, digest_of
from rotator.ports import Tokens

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
FULL = Token(
    name="ci",
    digest=digest_of("rotk_one"),
    role=Role.OPERATOR,
    owners=("team-ml", "téam"),
    consumer="agents-api",
    why="the night of the 24th",
    created_at=NOW,
    expires_at=NOW + HOUR,
)
PLAIN = Token(name="dashboard", digest=digest_of("rotk_two"), role=Role.VIEWER, created_at=NOW)


def event(token: Token, action: str = "token made") -> Event:
    """What the trail says of it."""
    return Event(kind=EventKind.OPERATOR, action=action, subject=token.name, detail={"role": token.role.value})


class TokensContract:
    """The contract of `rotator.ports.Tokens`."""

    def test_what_was_added_is_there_as_it_was(self, tokens: Tokens) -> None:
        assert tokens.add(FULL, event(FULL))
        assert tokens.add(PLAIN, event(PLAIN))
        assert tokens.every() == (FULL, PLAIN)
        assert tokens.find(FULL.digest) == FULL
        assert tokens.find(digest_of("rotk_three")) is None

    def test_a_name_is_given_once_and_for_all(self, tokens: Tokens) -> None:
        assert tokens.add(PLAIN, event(PLAIN))
        another = replace(PLAIN, digest=digest_of("rotk_three"))
        assert not tokens.add(another, event(another))
        assert tokens.revoke(PLAIN.name, NOW, event(PLAIN, "token revoked"))
        assert not tokens.add(another, event(another))
        assert tokens.find(another.digest) is None

    def test_one_that_is_revoked_says_since_when_and_once(self, tokens: Tokens) -> None:
        tokens.add(PLAIN, event(PLAIN))
        assert not tokens.revoke("nobody", NOW, event(PLAIN, "token revoked"))
        assert tokens.revoke(PLAIN.name, NOW + HOUR, event(PLAIN, "token revoked"))
        assert not tokens.revoke(PLAIN.name, NOW + 2 * HOUR, event(PLAIN, "token revoked"))
        assert tokens.find(PLAIN.digest) == replace(PLAIN, revoked_at=NOW + HOUR)

    def test_of_when_it_was_used_the_later_time_counts(self, tokens: Tokens) -> None:
        tokens.add(PLAIN, event(PLAIN))
        for at in (NOW + HOUR, NOW):
            tokens.used(PLAIN.name, at)
        tokens.used("nobody", NOW)
        assert tokens.find(PLAIN.digest) == replace(PLAIN, last_used_at=NOW + HOUR)

    def test_of_many_that_give_one_name_at_the_same_time_one_does(self, tokens: Tokens) -> None:
        given = [replace(PLAIN, digest=digest_of(f"rotk_{n}")) for n in range(8)]
        with ThreadPoolExecutor(8) as threads:
            done = list(threads.map(lambda each: tokens.add(each, event(each)), given))
        assert done.count(True) == 1
        assert tokens.every() == (given[done.index(True)],)
