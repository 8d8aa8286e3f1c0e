"""A journal for somebody names him in what people do, and in nothing that a rotation does by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.adapters.attributed import attributed, signed
from rotator.adapters.journal.opening import open_journal as open_sqlite
from rotator.domain.records import Event, EventKind, Verb
from rotator.domain.rotation import Mode, Rotation
from rotator.ports import Change, Journal

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
WORD = Event(kind=EventKind.OPERATOR, action="rebuild", subject="r1")
STEP = Event(kind=EventKind.PHASE, action="phase", subject="live")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_sqlite(f"sqlite:///{tmp_path / 'j.db'}") as opened:
        yield attributed(opened, "bert")


def begun(journal: Journal) -> Rotation:
    row = Rotation(id="r1", credential="a", mode=Mode.MANUAL, reason="", started_at=NOW, next_at=NOW, since=NOW)
    assert journal.begin(row, Change())
    found = journal.rotation("r1")
    assert found is not None
    return found


def told(journal: Journal) -> list[tuple[str, str | None]]:
    return [(each.event.action, each.event.detail.get("by")) for each in journal.events()]


def test_of_a_rotation_only_peoples_words_are_signed(journal: Journal) -> None:
    journal.commit(begun(journal), NOW, Change(events=(WORD, STEP)))
    assert told(journal)[-2:] == [("rebuild", "bert"), ("phase", None)]


def test_what_somebody_else_asked_and_is_answered_here_is_not_signed(journal: Journal) -> None:
    row = begun(journal)
    asked = journal.ask("a", Verb.HOLD, "audit", NOW)
    journal.commit(row, NOW, Change(events=(WORD,), answered=(asked.id,)))
    assert told(journal)[-2:] == [("hold", "bert"), ("rebuild", None)]


def test_all_of_a_credentials_own_trail_is_signed(journal: Journal) -> None:
    journal.note("a", (STEP,), NOW)
    journal.save(journal.credential("a"), NOW, Change(events=(WORD,)))
    assert told(journal) == [("phase", "bert"), ("rebuild", "bert")]


def test_who_is_named_already_stays() -> None:
    report = Event(kind=EventKind.OBSERVATION, action="leak reported", detail={"by": "gitleaks"})
    assert signed(report, "bert").detail == {"by": "gitleaks, bert"}
    assert signed(WORD, "") == WORD
