"""Incidents as the journal keeps them: older records are read, what was fixed stays, all that are kept are found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from rotator.app.incidents import keep, recall, refused, remember, remembered, still_open
from rotator.domain.advisories import Affected
from rotator.domain.incidents import Closed, Incident, Refusal, Shown
from rotator.domain.packages import PYPI, Package
from rotator.testing.memory import MemoryJournal

NOW = datetime(2026, 3, 24, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 25, 12, tzinfo=UTC)
OPENED = Incident(
    id="inc-20260324-abcdef",
    opened_at=NOW,
    names=("a", "b"),
    advisories=("MAL-1",),
    affected=(Affected(package=Package.of(PYPI, "litellm"), versions=frozenset({"1.82.8"})),),
    bad_from=NOW,
    notes=("a note",),
    chosen=("b",),
    shown=Shown(at=NOW, names=("a",)),
)
OLDER = {
    "id": "inc-20260101-000000",
    "opened_at": "2026-01-01T00:00:00Z",
    "names": ["openai", "db"],
    "refusals": {"db": {"message": "no", "hint": "mend it"}},
    "contained_at": None,
    "reason": "",
    "packages": ["litellm==1.82.8"],
    "bad_from": "2026-01-01T00:00:00Z",
    "bad_to": "2026-01-02T00:00:00Z",
    "why": {},
    "unknown": {},
}
"""A record as it was written before there was `rotator incident open`."""


def test_an_older_record_is_about_what_its_names_say() -> None:
    journal = MemoryJournal()
    journal.remember(f"incident:{OLDER['id']}", json.dumps(OLDER))
    record = recall(journal, str(OLDER["id"]))
    assert record is not None
    assert (record.names, record.chosen, record.last_shown) == (("openai", "db"),) * 3
    assert (record.closed, record.affected, record.shown) == (None, (), None)
    assert record.refusals["db"].hint == "mend it"


def test_what_was_fixed_when_it_was_opened_stays_whatever_is_remembered_later() -> None:
    journal = MemoryJournal()
    keep(journal, OPENED)
    bare = Incident(id=OPENED.id, opened_at=LATER, names=("c",), chosen=("c",))
    merged = remember(journal, bare)
    assert merged == replace(OPENED, names=("a", "b", "c"), chosen=("b", "c"))
    assert recall(journal, OPENED.id) == merged


def test_remembered_anew_it_says_of_whom_nobody_knows_now_and_no_name_leaves_it() -> None:
    journal = MemoryJournal()
    keep(journal, replace(OPENED, unknown={"a": "who knows"}))
    kept = remember(journal, replace(OPENED, names=("c",), unknown={"d": "nobody"}), anew=True)
    assert kept.names == (*OPENED.names, "c")
    assert kept.unknown == {"d": "nobody"}


def test_at_its_end_a_run_remembers_what_it_could_not_begin_and_nothing_else() -> None:
    journal = MemoryJournal()
    keep(journal, OPENED)
    keep(journal, replace(OPENED, names=(*OPENED.names, "meanwhile")))
    why = {"a": Refusal(message="no", hint="")}
    refused(journal, OPENED.id, why)
    assert recall(journal, OPENED.id) == replace(OPENED, names=(*OPENED.names, "meanwhile"), refusals=why)


def test_all_that_are_kept_are_found_and_nothing_else_is() -> None:
    journal = MemoryJournal()
    journal.remember("reconciled at", "now")
    keep(journal, OPENED)
    keep(journal, replace(OPENED, id="inc-20260323-000000"))
    assert remembered(journal) == ("inc-20260323-000000", OPENED.id)


def test_one_that_nobody_closed_or_remembers_is_open() -> None:
    journal = MemoryJournal()
    assert still_open(journal, OPENED.id)
    keep(journal, OPENED)
    assert still_open(journal, OPENED.id)
    keep(journal, replace(OPENED, closed=Closed(at=LATER)))
    assert not still_open(journal, OPENED.id)
    assert remember(journal, OPENED).closed == Closed(at=LATER)


def test_a_window_without_an_end_goes_on_to_this_day() -> None:
    assert OPENED.window(LATER) == (NOW, LATER)
    assert replace(OPENED, bad_to=NOW).window(LATER) == (NOW, NOW)
    assert replace(OPENED, bad_from=None).window(LATER) is None
