"""The journal in numbers: what is open, what is wrong, and a census of all credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from rotator.domain.figures import Census, Counted, Figures, Group, Head, OpenRotation, Tally
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Mode, OldKey, Phase, Proof, WaitFor, Waiting
from rotator.ports import Accounts, Journal
from rotator.testing.journal_contract.values import (
    NOTHING,
    NOW,
    SECOND,
    THREADS,
    at_once,
    begun,
    claimed,
    event,
    noting,
)

DAY = timedelta(days=1)


def having(name: str, age: timedelta, due_in: timedelta | None = None, **fields: object) -> CredentialRow:
    """A credential whose key is so old at `NOW`."""
    next_due = NOW + due_in if due_in is not None else None
    known = {"current": f"key of {name}", "current_since": NOW - age, "next_due": next_due}
    return CredentialRow(name=name, **{**known, **fields})  # type: ignore[arg-type]


def saved(journal: Journal, *rows: CredentialRow) -> None:
    """Save them."""
    for row in rows:
        journal.save(row, NOW, NOTHING)


class InNumbers:
    """`figures` and `census`."""

    @pytest.fixture
    def accounts(self, journal: Journal) -> Accounts:
        """The same journal, asked for numbers; one that has none is skipped."""
        if not isinstance(journal, Accounts):
            pytest.skip("this journal tells no numbers")
        return journal

    def test_of_an_empty_journal_there_is_nothing_to_tell(self, accounts: Accounts) -> None:
        assert accounts.figures() == Figures()
        asked = (Group(names=frozenset({"openai"}), allowed=DAY), Group(names=frozenset()))
        assert accounts.census(asked, NOW) == Census(groups=(Tally(), Tally()))
        assert accounts.census((), NOW) == Census()

    def test_what_is_open_is_told_in_short_and_what_is_over_is_not(self, journal: Journal, accounts: Accounts) -> None:
        old = (
            OldKey(key_id="k1"),
            OldKey(key_id="k2", disabled_at=NOW),
            OldKey(key_id="k3", proof=Proof.REFUSED, dead_at=NOW),
        )
        row = claimed(journal, "r1", "openai", mode=Mode.COMPROMISE)
        waiting = Waiting(until=NOW + DAY, for_=WaitFor.QUIET, note="still used")
        row = replace(row, phase=Phase.LIVE, since=NOW + SECOND, live_at=NOW + SECOND, failing_since=NOW)
        journal.commit(replace(row, old_keys=old, waiting=waiting), NOW, NOTHING)
        begun(journal, "r2", "github")
        ended = claimed(journal, "r3", "aws")
        journal.commit(replace(ended, phase=Phase.DONE, owner=None, ended_at=NOW, old_keys=old), NOW, NOTHING)
        found = {each.credential: each for each in accounts.figures().open}
        assert found == {
            "openai": OpenRotation(
                credential="openai",
                mode=Mode.COMPROMISE,
                phase=Phase.LIVE,
                started_at=NOW,
                since=NOW + SECOND,
                waiting_for=WaitFor.QUIET,
                failing_since=NOW,
                live_at=NOW + SECOND,
                living=2,
            ),
            "github": OpenRotation(
                credential="github", mode=Mode.SCHEDULED, phase=Phase.PLANNED, started_at=NOW, since=NOW
            ),
        }

    def test_deaths_that_nobody_can_prove_are_counted_long_after(self, journal: Journal, accounts: Accounts) -> None:
        for number, (credential, dead_at) in enumerate((("aws", NOW), ("aws", NOW - DAY), ("openai", NOW - DAY))):
            row = claimed(journal, f"r{number}", credential)
            keys = (
                OldKey(key_id="k1", proof=Proof.UNPROVEN, dead_at=dead_at),
                OldKey(key_id="k2", proof=Proof.ABSENT, dead_at=NOW),
            )
            journal.commit(replace(row, phase=Phase.DONE, owner=None, ended_at=NOW, old_keys=keys), NOW, NOTHING)
        assert accounts.figures().unproven == {
            "aws": Counted(number=2, at=NOW),
            "openai": Counted(number=1, at=NOW - DAY),
        }

    def test_orphans_are_counted_until_they_are_seen_no_more(self, journal: Journal, accounts: Accounts) -> None:
        journal.sight("openai", ["k8", "k9"], NOW)
        journal.sight("openai", ["k7", "k8"], NOW + SECOND)
        journal.sight("aws", ["k1"], NOW)
        assert accounts.figures().orphans == {"openai": Counted(number=2, at=NOW), "aws": Counted(number=1, at=NOW)}
        journal.sight("aws", [], NOW)
        assert set(accounts.figures().orphans) == {"openai"}

    def test_the_head_is_the_last_checkpoint_and_what_came_after_it(self, journal: Journal, accounts: Accounts) -> None:
        row = claimed(journal)
        journal.commit(row, NOW, noting("mint", "stage"))
        assert accounts.figures().head == Head(unclosed=2)
        journal.checkpoint(NOW)
        journal.commit(row, NOW, noting("promote"))
        last = journal.checkpoint(NOW + SECOND)
        assert last is not None
        assert accounts.figures().head == Head(number=2, at=NOW + SECOND, digest=last.digest)
        journal.commit(row, NOW, noting("delete"))
        assert accounts.figures().head.unclosed == 1

    def test_a_journal_older_than_the_world_says_so(self, journal: Journal, accounts: Accounts) -> None:
        journal.set_older_than_world("key k9 is unknown")
        assert accounts.figures().older
        journal.set_older_than_world(None)
        assert not accounts.figures().older

    def test_each_credential_is_counted_in_its_group_and_a_stranger_in_none(
        self, journal: Journal, accounts: Accounts
    ) -> None:
        saved(journal, having("a", DAY, DAY), having("b", 3 * DAY, -DAY), having("c", DAY), having("gone", DAY))
        journal.note("the config", (event("config approved", "rotator.yaml"),), NOW)  # a trail, and no credential
        groups = (Group(names=frozenset("ac"), allowed=2 * DAY), Group(names=frozenset({"b", "never seen"})))
        found = accounts.census(groups, NOW)
        assert [each.known for each in found.groups] == [2, 1]
        assert found.strangers == 1
        assert [each.oldest for each in found.groups] == [NOW - DAY, NOW - 3 * DAY]
        assert [each.next_due for each in found.groups] == [NOW + DAY, NOW - DAY]

    def test_an_age_is_judged_by_what_the_group_allows(self, journal: Journal, accounts: Accounts) -> None:
        ages = (DAY, 5 * DAY, 10 * DAY, 10 * DAY + SECOND, 12 * DAY, 19 * DAY, 21 * DAY)
        saved(journal, *(having(f"c{number}", age) for number, age in enumerate(ages)))
        group = Group(names=frozenset(f"c{each}" for each in range(len(ages))), allowed=10 * DAY)
        (found,) = accounts.census([group], NOW).groups
        assert (found.aged, found.overdue) == (7, 4)
        assert found.within == (1, 2, 2, 2, 3, 5, 6)

    def test_without_an_allowed_age_the_due_time_says_how_old_it_may_become(
        self, journal: Journal, accounts: Accounts
    ) -> None:
        saved(
            journal,
            having("half", 5 * DAY, 5 * DAY),
            having("over", 5 * DAY, -SECOND),
            having("never due", 5 * DAY),
            having("due before it had its key", DAY, -2 * DAY),
            CredentialRow(name="no key", next_due=NOW),
        )
        names = frozenset(row.name for row in journal.credentials())
        (found,) = accounts.census([Group(names=names)], NOW).groups
        assert (found.known, found.aged, found.overdue, found.keyless) == (5, 3, 2, 1)
        assert found.within == (0, 1, 1, 1, 1, 2, 2)

    def test_what_is_held_or_rotates_is_not_due_and_can_be_overdue(self, journal: Journal, accounts: Accounts) -> None:
        old = {"age": 3 * DAY, "due_in": -DAY}
        saved(
            journal,
            having("due", **old),
            having("held", **old, held=True, held_why="audit"),
            having("rotating", **old, outage=True),
            having("drifting", DAY, DAY, drift=("vault:a",)),
        )
        begun(journal, "r1", "rotating")
        names = frozenset(row.name for row in journal.credentials())
        (found,) = accounts.census([Group(names=names, allowed=2 * DAY)], NOW).groups
        assert (found.due, found.held, found.rotating, found.overdue) == (1, 1, 1, 3)
        assert (found.drifting, found.outage) == (1, 1)

    def test_a_clock_that_is_far_off_makes_no_number_too_large(self, journal: Journal, accounts: Accounts) -> None:
        saved(journal, having("openai", DAY, DAY))
        group = Group(names=frozenset({"openai"}), allowed=36500 * DAY)
        for now, overdue in ((NOW.replace(year=9998), 1), (NOW.replace(year=1971), 0)):
            assert accounts.census([group], now).groups[0].overdue == overdue

    def test_many_may_ask_while_others_write(self, journal: Journal, accounts: Accounts) -> None:
        saved(journal, having("openai", DAY, DAY))
        group = Group(names=frozenset({"openai"}), allowed=DAY)
        calls: list[Callable[[], object]] = [partial(accounts.census, [group], NOW), accounts.figures] * (THREADS // 2)
        calls += [partial(journal.save, having(f"c{each}", DAY), NOW, NOTHING) for each in range(2)]
        answers = at_once(calls)
        assert not [each for each in answers if isinstance(each, Exception)]
        assert {each.groups[0].known for each in answers if isinstance(each, Census)} == {1}
