"""Claims: who may work on which row, and until when."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rotator.domain.consumers import ConsumerState
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, OldKey, Phase, Rotation, StoreState
from rotator.ports import Journal
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
)

MICROSECOND = SECOND / 1_000_000


class Claims:
    """`claim` and `next_wake`."""

    def test_a_claimed_row_has_its_owner_the_next_fence_and_the_end_of_the_lease(self, journal: Journal) -> None:
        row = begun(journal)
        claimed_rows = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5)
        assert claimed_rows == (replace(row, fence=1, owner="anna", next_at=NOW + LEASE),)
        assert journal.rotation("r1") == claimed_rows[0]

    def test_a_row_comes_back_from_a_claim_with_all_its_parts(self, journal: Journal) -> None:
        old = (OldKey(key_id="k1", had=True), OldKey(key_id="k2"))
        stores = (StoreState(store="vault", ref="a"), StoreState(store="aws", ref="b", expected="7"))
        consumers = (ConsumerState(name="web", since=NOW, tell_at=NOW), ConsumerState(name="cron", since=NOW))
        begun(journal, "r1", old_keys=old, stores=stores, consumers=consumers)
        begun(journal, "r2", "github", old_keys=old[:1])
        first, second = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5)
        assert (first.old_keys, first.stores, first.consumers) == (old, stores, consumers)
        assert (second.old_keys, second.stores, second.consumers) == (old[:1], (), ())

    def test_a_row_is_claimed_when_it_is_due_and_not_before(self, journal: Journal) -> None:
        begun(journal, next_at=NOW + SECOND)
        assert journal.claim(owner="anna", now=NOW + SECOND - MICROSECOND, lease=LEASE, limit=5) == ()
        assert len(journal.claim(owner="anna", now=NOW + SECOND, lease=LEASE, limit=5)) == 1

    def test_a_claimed_row_is_nobody_elses_until_the_lease_is_over(self, journal: Journal) -> None:
        claimed(journal)
        assert journal.claim(owner="ben", now=NOW + LEASE - MICROSECOND, lease=LEASE, limit=5) == ()
        (row,) = journal.claim(owner="ben", now=NOW + LEASE, lease=LEASE, limit=5)
        assert (row.owner, row.fence, row.clean) == ("ben", 2, False)

    def test_a_claim_whose_answer_was_lost_gives_the_row_when_the_lease_is_over_and_not_clean(
        self, journal: Journal
    ) -> None:
        begun(journal)
        assert answer_lost(lambda: journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5)) == ()
        (row,) = journal.claim(owner="anna", now=NOW + LEASE, lease=LEASE, limit=5)
        assert (row.fence, row.clean) == (2, False)

    def test_a_row_that_was_released_comes_back_clean(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, owner=None, next_at=NOW + SECOND), NOW, NOTHING)
        (again,) = journal.claim(owner="ben", now=NOW + SECOND, lease=LEASE, limit=5)
        assert (again.fence, again.clean) == (2, True)

    def test_what_was_once_not_clean_stays_so(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, owner=None, next_at=NOW, clean=False), NOW, NOTHING)
        (again,) = journal.claim(owner="ben", now=NOW, lease=LEASE, limit=5)
        assert not again.clean

    def test_the_most_urgent_is_claimed_first_then_the_longest_due(self, journal: Journal) -> None:
        begun(journal, "r1", "scheduled-late", next_at=NOW - SECOND)
        begun(journal, "r2", "scheduled-early", next_at=NOW - 9 * SECOND)
        begun(journal, "r3", "manual", mode=Mode.MANUAL)
        begun(journal, "r4", "stolen", mode=Mode.COMPROMISE)
        begun(journal, "r5", "contained", mode=Mode.CONTAIN_FIRST)
        order = ["contained", "stolen", "manual", "scheduled-early", "scheduled-late"]
        first = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=3)
        rest = journal.claim(owner="ben", now=NOW, lease=LEASE, limit=3)
        assert [row.credential for row in (*first, *rest)] == order

    def test_the_urgency_is_that_of_the_mode_as_last_committed(self, journal: Journal) -> None:
        row = claimed(journal, "r1", "joined")
        begun(journal, "r2", "manual", mode=Mode.MANUAL)
        journal.commit(replace(row, mode=Mode.COMPROMISE, owner=None, next_at=NOW), NOW, NOTHING)
        (first,) = journal.claim(owner="ben", now=NOW, lease=LEASE, limit=1)
        assert first.credential == "joined"

    def test_no_more_rows_are_claimed_than_asked_for(self, journal: Journal) -> None:
        for number in range(5):
            begun(journal, f"r{number}", f"c{number}")
        assert journal.claim(owner="anna", now=NOW, lease=LEASE, limit=0) == ()
        assert len(journal.claim(owner="anna", now=NOW, lease=LEASE, limit=3)) == 3
        assert len(journal.claim(owner="anna", now=NOW, lease=LEASE, limit=3)) == 2

    def test_a_claim_may_be_restricted_to_hundreds_of_credentials(self, journal: Journal) -> None:
        for number in range(6):
            begun(journal, f"r{number}", f"c{number}", mode=Mode.COMPROMISE if number == 4 else Mode.SCHEDULED)
        only = ["c1", "c4", *(f"nobody-{number}" for number in range(900))]
        assert journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5, only=()) == ()
        rows = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5, only=only)
        assert [row.credential for row in rows] == ["c4", "c1"]
        assert len(journal.claim(owner="anna", now=NOW, lease=LEASE, limit=9)) == 4

    def test_what_is_over_is_not_claimed(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.ROLLED_BACK, owner=None, next_at=NOW), NOW, NOTHING)
        assert journal.claim(owner="ben", now=NOW + LEASE, lease=LEASE, limit=5) == ()

    def test_of_many_that_claim_at_the_same_moment_no_two_get_the_same_row(self, journal: Journal) -> None:
        for number in range(5 * THREADS):
            begun(journal, f"r{number:03}", f"c{number:03}")
        claims = [
            partial(journal.claim, owner=f"owner-{number}", now=NOW, lease=LEASE, limit=7) for number in range(THREADS)
        ]
        found: list[Rotation] = []
        for outcome in at_once(claims):
            assert not isinstance(outcome, Exception)
            found += outcome
        assert sorted(row.credential for row in found) == [f"c{number:03}" for number in range(5 * THREADS)]
        assert all(row.fence == 1 for row in found)
        assert all(journal.rotation(row.id) == row for row in found)

    def test_a_journal_that_is_older_than_the_world_gives_no_row(self, journal: Journal) -> None:
        begun(journal)
        journal.set_older_than_world("key k9 was minted by a rotation that it does not know")
        assert journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5) == ()
        assert journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5, only=["openai"]) == ()
        assert journal.rotation("r1") == begun_row(journal)
        journal.set_older_than_world(None)
        assert len(journal.claim(owner="anna", now=NOW, lease=LEASE, limit=5)) == 1

    # -- when to look again --------------------------------------------------------------------------------------

    def test_the_next_wake_is_the_earliest_time_at_which_a_row_is_due(self, journal: Journal) -> None:
        begun(journal, "r1", "c1", next_at=NOW + 9 * SECOND)
        begun(journal, "r2", "c2", next_at=NOW + 5 * SECOND, mode=Mode.COMPROMISE)
        begun(journal, "r3", "c3", next_at=NOW + 7 * SECOND)
        assert journal.next_wake() == NOW + 5 * SECOND
        assert journal.next_wake(only=["c1", "c3", "nobody"]) == NOW + 7 * SECOND
        assert journal.next_wake(only=["nobody"]) is None
        assert journal.next_wake(only=[]) is None

    def test_the_end_of_a_lease_is_a_time_to_wake(self, journal: Journal) -> None:
        claimed(journal)
        assert journal.next_wake() == NOW + LEASE

    def test_what_is_parked_or_over_wakes_nobody(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.STUCK, owner=None, next_at=NEVER), NOW, NOTHING)
        over = claimed(journal, "r2", "github")
        journal.commit(replace(over, phase=Phase.DONE, owner=None), NOW, NOTHING)
        assert journal.next_wake() is None
        assert journal.next_wake(only=["openai", "github"]) is None
        assert journal.claim(owner="ben", now=NOW + 9999 * LEASE, lease=LEASE, limit=5) == ()

    def test_a_parked_row_that_was_asked_something_wakes_its_claimant(self, journal: Journal) -> None:
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.STUCK, owner=None, next_at=NEVER), NOW, NOTHING)
        journal.ask("openai", Verb.RESUME, "mended", NOW + SECOND)
        assert journal.next_wake() == NOW + SECOND
        (again,) = journal.claim(owner="ben", now=NOW + SECOND, lease=LEASE, limit=5)
        assert again.phase is Phase.STUCK


def begun_row(journal: Journal) -> Rotation:
    """The open row as it was begun: no claim has touched it."""
    row = journal.open_rotation("openai")
    assert row is not None
    assert (row.owner, row.fence, row.next_at) == (None, 0, NOW)
    return row
