"""What a target was told, on a journal: each trouble in one record, and what cannot be written is not forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.app.notice_memory import TOGETHER, NoticeMemory
from rotator.policy.notifying import of_alert
from tests.notifying.made import NOW, notice

DAY = timedelta(days=1)


class Watch:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def boottime(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """One that gives up at once where somebody else writes."""
    with closing(open_journal(f"sqlite:///{tmp_path / 'rotator.db'}", busy=timedelta(seconds=0.05))) as opened:
        yield opened


@contextmanager
def written_by_somebody_else(folder: Path) -> Iterator[None]:
    """The journal answers and takes nothing."""
    with closing(sqlite3.connect(folder / "rotator.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def memory(journal: SqliteJournal, watch: Watch) -> NoticeMemory:
    return NoticeMemory("ops", lambda: journal, watch, DAY)


def told_again(found: NoticeMemory, watch: Watch) -> list[str]:
    """What a look tells of what goes on."""
    goes_on = [replace(each, at=watch.at) for each in found.standing() if watch.at - each.at >= DAY]
    news = found.news(goes_on)
    found.told(news)
    return [each.subject for each in news]


def test_what_was_told_as_one_and_then_singly_is_told_again_once_a_day(journal: SqliteJournal) -> None:
    watch = Watch()
    found = memory(journal, watch)
    several = [notice(f"c{number}") for number in range(TOGETHER + 1)]
    found.told(found.news(several))
    found.told([several[3].ended(NOW)])  # five are left, which are remembered one by one when they are told again
    watch.at += DAY
    assert len(told_again(found, watch)) == TOGETHER
    for _ in range(3):
        watch.at += timedelta(minutes=1)
        assert told_again(found, watch) == []
        assert told_again(memory(journal, watch), watch) == []
    assert len(journal.remembered("notice:")) == TOGETHER


def test_of_two_records_of_one_trouble_the_newer_counts(journal: SqliteJournal) -> None:
    watch = Watch()
    memory(journal, watch).told([notice("a")])
    (record,) = journal.remembered("notice:")
    (old,) = json.loads(journal.recall(record) or "")
    journal.remember(f"{record}+6", json.dumps([{**old, "at": "2026-11-20T10:00:00Z"}]))
    assert [each.at for each in memory(journal, watch).standing()] == [NOW]


def test_one_of_several_that_shares_a_record_keeps_the_others(journal: SqliteJournal) -> None:
    watch = Watch()
    found = memory(journal, watch)
    several = [notice(f"c{number}") for number in range(TOGETHER + 1)]
    found.told(several)
    found.told([*several[:1], *(notice(f"d{number}") for number in range(TOGETHER))])  # the same record's name
    assert len(memory(journal, watch).standing()) == 2 * TOGETHER + 1


def test_a_journal_that_takes_no_writes_makes_nobody_hear_the_same_again(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    watch = Watch()
    found = memory(journal, watch)
    found.told([notice("before")])
    with written_by_somebody_else(tmp_path):
        for _ in range(3):
            found.told(found.news([notice("a")]))
            assert {each.subject for each in found.standing()} == {"a", "before"}
            assert found.news([notice("a"), notice("before")]) == []
        found.told([notice("before").ended(NOW)])
        assert [each.subject for each in found.standing()] == ["a"]
    found.standing()
    assert [each.subject for each in memory(journal, watch).standing()] == ["a"]


@pytest.mark.parametrize(("begins", "ends"), [("journal away", "journal back"), ("paused", "pause over")])
def test_what_ends_another_is_news_each_time(begins: str, ends: str, journal: SqliteJournal) -> None:
    watch = Watch()
    found = memory(journal, watch)
    for _ in range(3):
        for kind in (begins, ends):
            made = of_alert(kind, "the daemon", "", NOW)
            assert made is not None
            assert found.news([made]) == [made]
            found.told([made])
            assert found.news([made]) == []
    both = [of_alert(kind, "the daemon", "", NOW) for kind in (begins, ends)]
    found.told([each for each in both if each is not None])  # as one that sums them up
    assert [each.kind for each in found.standing()] == [ends]
