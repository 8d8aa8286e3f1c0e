"""Operators' requests (rule 12): read by the owner of the row before every intent."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from rotator.domain.failures import Fenced
from rotator.domain.records import Request, Verb
from rotator.domain.rotation import Phase
from rotator.ports import Change, Journal
from rotator.testing.journal_contract.values import (
    LEASE,
    NEVER,
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
)


class Requests:
    """`ask`, and `commit` with `heed`."""

    def test_a_waiting_request_forbids_the_commit_that_heeds(self, journal: Journal) -> None:
        row = claimed(journal)
        asked = journal.ask("openai", Verb.ROLLBACK, "bad key", NOW)
        assert (asked.credential, asked.verb, asked.why, asked.at) == ("openai", Verb.ROLLBACK, "bad key", NOW)
        assert journal.commit(replace(row, attempts=9), NOW, noting("mint"), heed=True) == (asked,)
        assert journal.rotation("r1") == row
        assert journal.events() == ()

    def test_a_commit_that_does_not_heed_is_written(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.ask("openai", Verb.ROLLBACK, "", NOW)
        assert journal.commit(replace(row, attempts=9), NOW, noting("outcome")) == ()
        assert journal.rotation("r1") == replace(row, attempts=9)
        assert len(journal.events("r1")) == 1

    def test_what_the_commit_answers_does_not_forbid_it_and_never_comes_again(self, journal: Journal) -> None:
        row = claimed(journal)
        first = journal.ask("openai", Verb.HOLD, "audit", NOW)
        second = journal.ask("openai", Verb.ROLLBACK, "", NOW + SECOND)
        assert journal.commit(row, NOW, Change(answered=(first.id,)), heed=True) == (second,)
        assert journal.commit(row, NOW, NOTHING, heed=True) == (first, second)
        assert journal.commit(row, NOW, Change(answered=(first.id, second.id)), heed=True) == ()
        assert journal.commit(row, NOW, NOTHING, heed=True) == ()

    def test_answering_twice_changes_nothing_more(self, journal: Journal) -> None:
        row = claimed(journal)
        asked = journal.ask("openai", Verb.HOLD, "audit", NOW)
        assert answer_lost(lambda: journal.commit(row, NOW, Change(answered=(asked.id,)))) == ()
        assert journal.commit(row, NOW, NOTHING, heed=True) == ()

    def test_nobody_answers_what_was_asked_of_another_credential(self, journal: Journal) -> None:
        row, other = claimed(journal), claimed(journal, "r2", "github")
        asked = journal.ask("openai", Verb.HOLD, "audit", NOW)
        assert journal.commit(other, NOW, Change(answered=(asked.id,)), heed=True) == ()
        assert journal.commit(row, NOW, NOTHING, heed=True) == (asked,)

    def test_a_stale_owner_is_fenced_before_it_hears_of_a_request(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.ask("openai", Verb.ROLLBACK, "", NOW)
        with pytest.raises(Fenced):
            journal.commit(replace(row, fence=0), NOW, NOTHING, heed=True)

    def test_with_no_rotation_open_there_is_nobody_to_ask(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        for verb in Verb:
            for name in ("openai", "github"):
                with pytest.raises(LookupError):
                    journal.ask(name, verb, "", NOW)
        claimed_again = claimed(journal, "r2")
        assert journal.commit(claimed_again, NOW, NOTHING, heed=True) == ()

    def test_asking_wakes_a_row_that_nobody_holds(self, journal: Journal) -> None:
        begun(journal, next_at=NEVER)
        journal.ask("openai", Verb.RESUME, "", NOW)
        assert journal.next_wake() == NOW
        assert len(journal.claim(owner="ben", now=NOW, lease=LEASE, limit=5)) == 1

    def test_asking_never_lets_a_row_wait_longer(self, journal: Journal) -> None:
        begun(journal, next_at=NOW - SECOND)
        journal.ask("openai", Verb.HOLD, "", NOW)
        assert journal.next_wake() == NOW - SECOND

    def test_asking_takes_the_row_from_nobody(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.ask("openai", Verb.ROLLBACK, "", NOW)
        assert journal.rotation("r1") == row
        assert journal.claim(owner="ben", now=NOW, lease=LEASE, limit=5) == ()

    def test_a_row_that_is_released_while_a_request_waits_is_due_at_once(self, journal: Journal) -> None:
        row = claimed(journal)
        answered = journal.ask("openai", Verb.HOLD, "audit", NOW)
        journal.ask("openai", Verb.RESUME, "", NOW)
        parked = replace(row, phase=Phase.STUCK, owner=None, next_at=NEVER)
        journal.commit(parked, NOW + SECOND, Change(answered=(answered.id,)))
        assert journal.next_wake() == NOW + SECOND
        assert journal.rotation("r1") == replace(parked, next_at=NOW + SECOND)

    def test_a_request_whose_answer_was_lost_is_asked_once(self, journal: Journal) -> None:
        row = claimed(journal)
        asked = answer_lost(lambda: journal.ask("openai", Verb.ROLLBACK, "bad key", NOW))
        assert journal.commit(row, NOW, NOTHING, heed=True) == (asked,)

    def test_holding_and_releasing_in_turn_are_requests_of_their_own(self, journal: Journal) -> None:
        row = claimed(journal)
        asked = tuple(journal.ask("openai", verb, "", NOW) for verb in (Verb.HOLD, Verb.RELEASE, Verb.HOLD))
        assert len({each.id for each in asked}) == 3
        assert journal.commit(row, NOW, NOTHING, heed=True) == asked

    def test_what_many_ask_at_the_same_moment_is_all_there(self, journal: Journal) -> None:
        row = claimed(journal)
        asked = at_once([partial(journal.ask, "openai", Verb.HOLD, f"why {n}", NOW) for n in range(THREADS)])
        found = journal.commit(row, NOW, NOTHING, heed=True)
        assert set(found) == set(asked)
        assert [each.id for each in found] == sorted({each.id for each in asked if isinstance(each, Request)})

    def test_a_request_lies_either_before_an_intent_or_behind_it(self, journal: Journal) -> None:
        """Whoever asked before the intent was committed has forbidden it."""
        for turn in range(20):
            row = claimed(journal, f"r{turn}", f"c{turn}")
            outcomes = at_once(
                [
                    partial(journal.commit, row, NOW, Change(events=(event("mint"),)), heed=True),
                    partial(journal.ask, row.credential, Verb.ROLLBACK, "", NOW),
                ]
            )
            forbidden = outcomes[0] != ()
            assert len(journal.events(row.id)) == (0 if forbidden else 1)
            assert journal.commit(row, NOW, NOTHING, heed=True) == (outcomes[1],)
