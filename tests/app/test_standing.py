"""Troubles that a duty found, kept for whoever looks later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rotator.app import standing
from rotator.domain.failures import Transient
from rotator.testing.memory import MemoryJournal

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIND = "driver would not start"


def test_what_is_found_again_keeps_its_beginning() -> None:
    journal = MemoryJournal()
    standing.keep(journal, KIND, [("ks", "its pin names another hash")], NOW)
    standing.keep(journal, KIND, [("ks", "its pin is gone"), ("pg", "no such driver")], NOW + HOUR)
    first, second = standing.recall(journal, KIND)
    assert (first.subject, first.words, first.since, first.at) == ("ks", "its pin is gone", NOW, NOW + HOUR)
    assert (second.subject, second.since) == ("pg", NOW + HOUR)


def test_what_is_over_is_forgotten() -> None:
    journal = MemoryJournal()
    standing.keep(journal, KIND, [("ks", "x")], NOW)
    standing.keep(journal, KIND, (), NOW + HOUR)
    assert standing.recall(journal, KIND) == ()
    assert journal.remembered(standing.PREFIX) == ()


def test_of_nothing_nothing_is_written() -> None:
    journal = MemoryJournal()
    standing.keep(journal, KIND, (), NOW)
    assert journal.remembered("") == ()


def test_it_is_bounded() -> None:
    journal = MemoryJournal()
    standing.keep(journal, KIND, ((f"{each}" * 1000, "x" * 9000) for each in range(1000)), NOW)
    found = standing.recall(journal, KIND)
    assert len(found) == standing.MOST
    assert max(len(each.words) for each in found) == standing.LONGEST


def test_what_nobody_understands_is_nothing() -> None:
    journal = MemoryJournal()
    for text in ("", "{}", "[]", '{"at": "yesterday", "found": []}', '{"at": "2026-11-26T10:00:00Z", "found": [1]}'):
        journal.remember(standing.PREFIX + KIND, text)
        assert standing.recall(journal, KIND) == ()


def test_a_journal_that_is_away_keeps_nobody_from_his_duty() -> None:
    class Away(MemoryJournal):
        def recall(self, name: str) -> str | None:
            raise Transient("it is away")

    standing.keep(Away(), KIND, [("ks", "x")], NOW)
