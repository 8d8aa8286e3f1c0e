"""Opening rotations: one at a time per credential (I5), whoever tries."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from rotator.domain.failures import Fenced
from rotator.domain.records import KnownKey, Origin, Verb
from rotator.domain.rotation import Mode, Phase
from rotator.ports import Change, Journal
from rotator.testing.journal_contract.values import (
    LEASE,
    NOTHING,
    NOW,
    SECOND,
    THREADS,
    answer_lost,
    at_once,
    begun,
    claimed,
    event,
    noting,
    rotation,
)


class Beginning:
    """`begin`, and reading what was begun."""

    def test_a_rotation_that_begins_is_open_and_lets_the_fence_of_its_credential_grow(self, journal: Journal) -> None:
        row = rotation("r1")
        assert journal.begin(row, NOTHING)
        assert journal.rotation("r1") == journal.open_rotation("openai") == row
        assert journal.rotations() == journal.rotations("openai") == (row,)
        assert journal.credential("openai").fence == 1

    def test_what_is_unknown_is_none_or_empty(self, journal: Journal) -> None:
        assert journal.rotation("r1") is None
        assert journal.open_rotation("openai") is None
        assert journal.rotations() == journal.rotations("openai") == ()
        assert journal.next_wake() is None

    def test_what_is_open_is_listed_the_oldest_first_and_of_some_credentials_alone(self, journal: Journal) -> None:
        assert journal.open_rotations() == journal.open_rotations(("openai",)) == ()
        assert journal.rotating() == ()
        journal.commit(replace(claimed(journal, "r3", "github"), phase=Phase.DONE, owner=None), NOW, NOTHING)
        first, second = begun(journal, "r2", "openai"), begun(journal, "r1", "aws")
        rows = journal.open_rotations()
        assert [row.id for row in rows] == [first.id, second.id]
        assert rows == (journal.open_rotation("openai"), journal.open_rotation("aws"))
        assert journal.open_rotations(("aws", "github", "nobody")) == rows[1:]
        assert journal.open_rotations(()) == ()
        assert journal.rotating() == ("aws", "openai")

    def test_a_second_rotation_of_a_credential_does_not_begin_and_writes_nothing(self, journal: Journal) -> None:
        row = begun(journal)
        key = KnownKey(key_id="k1", credential="openai", origin=Origin.FOUND, since=NOW)
        assert not journal.begin(rotation("r2"), Change(events=(event(),), keys=(key,)))
        assert journal.open_rotation("openai") == row
        assert journal.rotation("r2") is None
        assert journal.events() == ()
        assert journal.keys("openai") == ()
        assert journal.credential("openai").fence == 1

    def test_a_beginning_whose_answer_was_lost_has_begun_once(self, journal: Journal) -> None:
        assert answer_lost(lambda: journal.begin(rotation("r1"), noting("begin"))) is False
        assert [each.event.action for each in journal.events("r1")] == ["begin"]
        assert journal.credential("openai").fence == 1

    def test_an_ended_rotation_does_not_begin_again(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        assert not journal.begin(rotation("r1"), NOTHING)
        assert journal.open_rotation("openai") is None

    def test_of_many_that_begin_at_the_same_moment_exactly_one_does(self, journal: Journal) -> None:
        for turn in range(10):
            name = f"credential-{turn}"
            rows = [rotation(f"t{turn}n{number}", name) for number in range(THREADS)]
            outcomes = at_once([partial(journal.begin, row, noting("begin")) for row in rows])
            assert sorted(map(str, outcomes)) == ["False"] * (THREADS - 1) + ["True"]
            winner = journal.open_rotation(name)
            assert winner == rows[outcomes.index(True)]
            assert journal.rotations(name) == (winner,)
            assert journal.credential(name).fence == 1

    def test_rotations_are_listed_the_newest_first_and_no_more_than_asked_for(self, journal: Journal) -> None:
        for number in range(3):
            row = claimed(journal, f"r{number}", started_at=NOW + number * SECOND)
            journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        begun(journal, "other", "github")
        assert [row.id for row in journal.rotations()] == ["other", "r2", "r1", "r0"]
        assert [row.id for row in journal.rotations("openai", limit=2)] == ["r2", "r1"]
        assert journal.rotations("openai", limit=0) == ()

    def test_the_rotations_of_an_incident_are_found_behind_any_number_of_others(self, journal: Journal) -> None:
        for name in ("a", "b"):
            row = claimed(journal, f"old-{name}", name, mode=Mode.COMPROMISE, reason="compromise: inc-1: a: é", turns=3)
            journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        row = claimed(journal, "joined", "c")
        journal.commit(replace(row, mode=Mode.CONTAIN_FIRST, reason="compromise: inc-1"), NOW, NOTHING)
        for name, reason in (("d", "compromise: inc-10"), ("e", "compromise"), ("f", "Compromise: inc-1")):
            begun(journal, name, name, mode=Mode.COMPROMISE, reason=reason)
        begun(journal, "manual", "g", mode=Mode.MANUAL, reason="compromise: inc-1")
        found = journal.emergencies("compromise: inc-1")
        assert [row.id for row in found] == ["d", "joined", "old-b", "old-a"]
        assert found[1:] == tuple(filter(None, map(journal.rotation, ("joined", "old-b", "old-a"))))
        assert [row.id for row in journal.emergencies()] == ["f", "e", "d", "joined", "old-b", "old-a"]
        assert journal.emergencies("compromise: inc-2") == ()

    def test_what_was_asked_of_an_earlier_rotation_is_not_asked_of_the_next(self, journal: Journal) -> None:
        row = claimed(journal)
        for verb in (Verb.ROLLBACK, Verb.PROVIDE, Verb.ACKNOWLEDGE):
            journal.ask("openai", verb, "r1 web", NOW)
        hold = journal.ask("openai", Verb.HOLD, "audit", NOW)
        journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        later = claimed(journal, "r2")
        assert journal.commit(later, NOW, NOTHING, heed=True) == (hold,)

    def test_what_cannot_begin_is_a_defect_and_writes_nothing(self, journal: Journal) -> None:
        key = KnownKey(key_id="k1", credential="github", origin=Origin.FOUND, since=NOW)
        with pytest.raises(ValueError):
            journal.begin(rotation("r1"), Change(keys=(key,)))
        with pytest.raises(ValueError):
            journal.begin(rotation("r1"), Change(successor=rotation("r2")))
        with pytest.raises(ValueError):
            journal.begin(rotation("r1", phase=Phase.DONE), NOTHING)
        assert journal.rotations() == ()

    def test_seizing_takes_the_row_from_its_owner_who_is_fenced_then(self, journal: Journal) -> None:
        row = claimed(journal)
        taken = journal.seize("r1", owner="ben", now=NOW, lease=LEASE)
        assert taken == replace(row, fence=2, owner="ben", next_at=NOW + LEASE, clean=False)
        assert journal.rotation("r1") == taken
        with pytest.raises(Fenced):
            journal.commit(row, NOW, noting("late"))
        assert journal.events() == ()

    def test_seizing_what_nobody_holds_leaves_it_clean(self, journal: Journal) -> None:
        begun(journal)
        taken = journal.seize("r1", owner="ben", now=NOW, lease=LEASE)
        assert taken is not None
        assert taken.clean

    def test_seizing_twice_takes_it_twice(self, journal: Journal) -> None:
        begun(journal)
        taken = answer_lost(lambda: journal.seize("r1", owner="ben", now=NOW, lease=LEASE))
        assert taken is not None
        assert (taken.fence, taken.clean) == (2, False)

    def test_what_is_over_or_unknown_cannot_be_seized(self, journal: Journal) -> None:
        row = claimed(journal)
        ended = replace(row, phase=Phase.DONE, owner=None)
        journal.commit(ended, NOW, NOTHING)
        assert journal.seize("r1", owner="ben", now=NOW, lease=LEASE) is None
        assert journal.seize("r2", owner="ben", now=NOW, lease=LEASE) is None
        assert journal.rotation("r1") == ended

    def test_of_many_that_seize_at_the_same_moment_each_gets_a_fence_of_its_own(self, journal: Journal) -> None:
        begun(journal)
        owners = [f"owner-{number}" for number in range(THREADS)]
        taken = at_once([partial(journal.seize, "r1", owner=owner, now=NOW, lease=LEASE) for owner in owners])
        fences = {row.fence: row for row in taken if row is not None and not isinstance(row, Exception)}
        assert sorted(fences) == list(range(1, THREADS + 1))
        assert journal.rotation("r1") == fences[THREADS]
