"""Commits: all of a change or nothing of it, and only under the row's fence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from rotator.domain.failures import Fenced
from rotator.domain.records import CredentialRow, KnownKey, LastWrite, Origin, Verb
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Rotation
from rotator.ports import Change, Journal
from rotator.testing.journal_contract.full import filled
from rotator.testing.journal_contract.values import (
    LEASE,
    NOTHING,
    NOW,
    SECOND,
    THREADS,
    answer_lost,
    at_once,
    claimed,
    event,
    noting,
    rotation,
)

KEY = KnownKey(
    key_id="k2",
    credential="openai",
    origin=Origin.MINTED,
    since=NOW,
    fingerprint="0123456789abcdef",
    rotation="r1",
    dead_at=NOW + SECOND,
)


class Commits:
    """`commit`."""

    def test_a_row_is_read_as_it_was_committed(self, journal: Journal) -> None:
        row = filled(claimed(journal))
        assert journal.commit(row, NOW, NOTHING) == ()
        assert journal.rotation("r1") == journal.open_rotation("openai") == row
        assert journal.rotations("openai") == (row,)

    def test_what_a_row_no_longer_has_is_gone(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(filled(row), NOW, NOTHING)
        fewer = replace(row, old_keys=(OldKey(key_id="k3"),), stores=(), consumers=filled(row).consumers[1:])
        journal.commit(fewer, NOW, NOTHING)
        assert journal.rotation("r1") == fewer

    def test_a_change_is_written_with_its_row(self, journal: Journal) -> None:
        row = claimed(journal)
        credential = CredentialRow(
            name="openai",
            current="k2",
            current_since=NOW,
            next_due=NOW + LEASE,
            held=True,
            held_why="audit",
            drift=("aws:prod/openai",),
            outage=True,
            spec="5d",
            last_writes=(LastWrite(store="ci", ref="org/app", key_id="k2"),),
            fence=1,
        )
        journal.commit(row, NOW, Change(events=(event("mint"), event("promote")), credential=credential, keys=(KEY,)))
        assert journal.credential("openai") == credential
        assert journal.keys("openai") == (KEY,)
        assert [each.event.action for each in journal.events("r1")] == ["mint", "promote"]

    def test_a_key_that_is_known_already_is_told_anew(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(row, NOW, Change(keys=(replace(KEY, dead_at=None), replace(KEY, key_id="k1"))))
        journal.commit(row, NOW, Change(keys=(KEY,)))
        assert journal.keys("openai") == (KEY, replace(KEY, key_id="k1"))
        assert journal.keys("github") == ()

    def test_the_fence_of_a_credential_is_the_journals_whatever_a_row_says(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(row, NOW, Change(credential=CredentialRow(name="openai", current="k2", fence=99)))
        assert journal.credential("openai") == CredentialRow(name="openai", current="k2", fence=1)

    def test_under_another_fence_nothing_is_written(self, journal: Journal) -> None:
        row = claimed(journal)
        change = Change(events=(event(),), credential=CredentialRow(name="openai", current="k2"), keys=(KEY,))
        for stale in (replace(row, fence=0), replace(row, fence=2), replace(row, id="r2")):
            with pytest.raises(Fenced):
                journal.commit(replace(stale, attempts=9), NOW, change)
            with pytest.raises(Fenced):
                journal.commit(replace(stale, attempts=9), NOW, change, heed=True)
        assert journal.rotation("r1") == row
        assert journal.rotation("r2") is None
        assert journal.credential("openai").current is None
        assert (journal.keys("openai"), journal.events()) == ((), ())

    def test_whoever_lost_the_row_to_another_claim_is_fenced(self, journal: Journal) -> None:
        row = claimed(journal)
        (taken,) = journal.claim(owner="ben", now=NOW + LEASE, lease=LEASE, limit=5)
        with pytest.raises(Fenced):
            journal.commit(replace(row, attempts=9), NOW + LEASE, noting("late"))
        assert journal.rotation("r1") == taken
        assert journal.events() == ()

    def test_a_commit_whose_answer_was_lost_is_saved_once_more_with_its_events(self, journal: Journal) -> None:
        row = replace(claimed(journal), attempts=1)
        assert answer_lost(lambda: journal.commit(row, NOW, replace(noting("mint"), keys=(KEY,)))) == ()
        assert journal.rotation("r1") == row
        assert [(each.seq, each.event.action) for each in journal.events("r1")] == [(1, "mint"), (2, "mint")]
        assert journal.keys("openai") == (KEY,)

    def test_many_rows_are_committed_at_the_same_moment_and_one_that_is_fenced_spoils_no_other(
        self, journal: Journal
    ) -> None:
        rows = [claimed(journal, f"r{number}", f"c{number}") for number in range(THREADS)]
        stale = replace(rows[3], fence=0)
        outcomes = at_once(
            [
                partial(journal.commit, replace(row, attempts=7), NOW, noting("mint", "promote"))
                for row in (*rows, stale, stale)
            ]
        )
        assert outcomes[:THREADS] == [()] * THREADS
        assert all(isinstance(outcome, Fenced) for outcome in outcomes[THREADS:])
        for row in rows:
            assert journal.rotation(row.id) == replace(row, attempts=7)
            assert [each.seq for each in journal.events(row.id)] == [1, 2]

    def test_a_defect_of_one_commit_spoils_no_other(self, journal: Journal) -> None:
        rows = [claimed(journal, f"r{number}", f"c{number}") for number in range(THREADS)]
        ends = replace(claimed(journal, "old", "c8"), phase=Phase.SUPERSEDED, owner=None)
        defect = Change(events=(event(),), successor=rotation("r1", "c8"))  # there is one already
        outcomes = at_once(
            [
                partial(journal.commit, ends, NOW, defect),
                *(partial(journal.commit, row, NOW, noting("mint")) for row in rows),
            ]
        )
        assert isinstance(outcomes[0], ValueError)
        assert outcomes[1:] == [()] * THREADS
        still_open = journal.open_rotation("c8")
        assert still_open is not None
        assert still_open.phase is Phase.PLANNED
        assert journal.events("old") == ()

    def test_the_commits_of_one_row_at_the_same_moment_make_one_unbroken_chain(self, journal: Journal) -> None:
        row = claimed(journal)
        commits = [partial(journal.commit, row, NOW, noting(f"a{number}", "b")) for number in range(THREADS)]
        assert at_once(commits) == [()] * THREADS
        events = journal.events("r1")
        assert [each.seq for each in events] == list(range(1, 2 * THREADS + 1))
        assert [each.previous for each in events[1:]] == [each.digest for each in events[:-1]]
        assert {each.event.action for each in events[1::2]} == {"b"}

    def test_a_reader_never_sees_half_a_commit(self, journal: Journal) -> None:
        row = claimed(journal)

        def write() -> None:
            for turn in range(60):
                parts = tuple(OldKey(key_id=f"k{turn}-{number}") for number in range(turn % 5))
                journal.commit(replace(row, attempts=turn, old_keys=parts), NOW, NOTHING)

        def torn() -> list[Rotation]:
            seen = [each for _ in range(60) if (each := journal.rotation("r1")) is not None]
            return [
                each
                for each in seen
                if [old.key_id for old in each.old_keys] != [f"k{each.attempts}-{n}" for n in range(each.attempts % 5)]
            ]

        with ThreadPoolExecutor(3) as pool:
            writer = pool.submit(write)
            readers = [pool.submit(torn) for _ in range(2)]
            writer.result()
            assert [reader.result() for reader in readers] == [[], []]

    # -- the end ---------------------------------------------------------------------------------------------------

    def test_an_ended_row_frees_its_credential(self, journal: Journal) -> None:
        row = claimed(journal)
        ended = replace(row, phase=Phase.DONE, owner=None, ended_at=NOW)
        journal.commit(ended, NOW, NOTHING)
        assert journal.rotation("r1") == ended
        assert journal.open_rotation("openai") is None
        assert journal.begin(rotation("r2"), NOTHING)
        assert journal.credential("openai").fence == 2

    def test_an_ended_row_may_be_saved_again_but_not_opened(self, journal: Journal) -> None:
        row = claimed(journal)
        ended = replace(row, phase=Phase.DONE, owner=None)
        journal.commit(ended, NOW, noting("end"))
        journal.commit(replace(ended, problem=Problem(message="late")), NOW, noting("again"))
        with pytest.raises(Fenced):
            journal.commit(row, NOW, noting("opened"))
        assert journal.open_rotation("openai") is None
        assert [each.event.action for each in journal.events("r1")] == ["end", "again"]

    def test_an_ended_row_is_fenced_once_another_is_open(self, journal: Journal) -> None:
        ended = replace(claimed(journal), phase=Phase.DONE, owner=None)
        journal.commit(ended, NOW, NOTHING)
        claimed(journal, "r2")
        with pytest.raises(Fenced):
            journal.commit(ended, NOW, Change(credential=CredentialRow(name="openai", current="k9")))
        assert journal.credential("openai").current is None

    def test_a_successor_is_opened_in_the_same_breath_as_the_row_ends(self, journal: Journal) -> None:
        row = claimed(journal)
        successor = rotation("r2", mode=Mode.COMPROMISE, supersedes=("r1",))
        ended = replace(row, phase=Phase.SUPERSEDED, owner=None)
        journal.commit(ended, NOW, Change(events=(event("superseded"),), successor=successor))
        assert journal.rotation("r1") == ended
        assert journal.open_rotation("openai") == successor
        assert journal.credential("openai").fence == 2
        assert [each.rotation for each in journal.events()] == ["r1"]

    def test_a_succession_whose_answer_was_lost_is_fenced_and_happened_once(self, journal: Journal) -> None:
        ended = replace(claimed(journal), phase=Phase.SUPERSEDED, owner=None)
        change = Change(events=(event("superseded"),), successor=rotation("r2"))
        with pytest.raises(Fenced):
            answer_lost(lambda: journal.commit(ended, NOW, change))
        assert [row.id for row in journal.rotations("openai")] == ["r2", "r1"]
        assert len(journal.events("r1")) == 1

    def test_of_many_successions_at_the_same_moment_exactly_one_happens(self, journal: Journal) -> None:
        ended = replace(claimed(journal), phase=Phase.SUPERSEDED, owner=None)
        changes = [Change(successor=rotation(f"s{number}")) for number in range(THREADS)]
        outcomes = at_once([partial(journal.commit, ended, NOW, change) for change in changes])
        assert outcomes.count(()) == 1
        assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == THREADS - 1
        assert len(journal.rotations("openai")) == 2

    def test_what_was_asked_is_asked_of_the_successor(self, journal: Journal) -> None:
        row = claimed(journal)
        hold = journal.ask("openai", Verb.HOLD, "audit", NOW)
        ended = replace(row, phase=Phase.SUPERSEDED, owner=None)
        journal.commit(ended, NOW, Change(successor=rotation("r2")))
        (successor,) = journal.claim(owner="ben", now=NOW, lease=LEASE, limit=1)
        assert journal.commit(successor, NOW, NOTHING, heed=True) == (hold,)

    def test_a_change_of_another_credential_is_a_defect_and_writes_nothing(self, journal: Journal) -> None:
        row = claimed(journal)
        ended = replace(row, phase=Phase.DONE, owner=None)
        defects = [
            (row, Change(credential=CredentialRow(name="github"))),
            (row, Change(keys=(replace(KEY, credential="github"),))),
            (row, Change(successor=rotation("r2"))),
            (ended, Change(successor=rotation("r2", "github"))),
            (ended, Change(successor=rotation("r2", phase=Phase.DONE))),
        ]
        for written, change in defects:
            with pytest.raises(ValueError):
                journal.commit(written, NOW, change)
        assert journal.rotation("r1") == row
        assert journal.rotations() == (row,)
        assert [each.name for each in journal.credentials()] == ["openai"]
