"""The newest events of a chain are the newest, and found without reading all of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rotator.app import chain_tail
from rotator.app.chain_tail import course, tail
from rotator.domain.records import Event, EventKind
from rotator.domain.trail import credential_chain
from rotator.testing.memory import MemoryJournal

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def journal_of(number: int) -> MemoryJournal:
    journal = MemoryJournal()
    events = [
        Event(kind=EventKind.OBSERVATION, action="left behind" if each % 2 else "seen", subject=f"E{each}", detail={})
        for each in range(1, number + 1)
    ]
    if events:
        journal.note("app", tuple(events), NOW)
    return journal


@pytest.mark.parametrize("number", [0, 1, 6, 7, 8, 20, 21, 27, 28, 29, 100, 1000])
def test_the_newest_are_found_of_any_length(number: int) -> None:
    found = tail(journal_of(number), credential_chain("app"), 7)
    assert [each.event.subject for each in found] == [f"E{each}" for each in range(max(number - 6, 1), number + 1)]


@pytest.mark.parametrize("most", [10, 10_000])
def test_a_long_course_has_its_last_events_and_says_how_many_came_before(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_tail, "MOST", most)
    monkeypatch.setattr(chain_tail, "A_PAGE", 10)
    found = course(journal_of(2501), credential_chain("app"), 5)
    assert [each.event.subject for each in found.newest] == ["E2497", "E2498", "E2499", "E2500", "E2501"]
    assert found.hidden == 2496
    assert {each.event.action for each in found.drawn} == {"left behind"}
