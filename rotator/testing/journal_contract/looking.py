"""The journal for people who look: every credential in short, what is amiss, and where the trail ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.domain.outline import Outline
from rotator.domain.records import CredentialRow
from rotator.ports import Journal, Overview
from rotator.testing.journal_contract.values import NOTHING, NOW, begun, claimed, noting

DAY = timedelta(days=1)


class ForWhoLooks:
    """`outline`, `amiss` and `last_event`."""

    @pytest.fixture
    def overview(self, journal: Journal) -> Overview:
        """The same journal; one that cannot be looked at so is skipped."""
        if not isinstance(journal, Overview):
            pytest.skip("this journal gives no overview")
        return journal

    def test_an_empty_journal_has_nothing_to_look_at(self, overview: Overview) -> None:
        assert (overview.outline(), overview.amiss(10), overview.last_event()) == ((), (), 0)

    def test_every_credential_is_told_in_short_by_name(self, journal: Journal, overview: Overview) -> None:
        journal.save(CredentialRow(name="b", current="k", current_since=NOW, next_due=NOW + DAY), NOW, NOTHING)
        journal.save(CredentialRow(name="a", held=True, drift=("vault:a",)), NOW, NOTHING)
        begun(journal, "r1", "c")
        assert overview.outline() == (
            Outline("a", keyed=False, since=None, due=None, held=True, drifts=True, rotates=False),
            Outline("b", keyed=True, since=NOW, due=NOW + DAY, held=False, drifts=False, rotates=False),
            Outline("c", keyed=False, since=None, due=None, held=False, drifts=False, rotates=True),
        )

    def test_they_come_page_by_page(self, journal: Journal, overview: Overview) -> None:
        for name in "abcde":
            journal.save(CredentialRow(name=name), NOW, NOTHING)
        pages = [overview.outline("", 2), overview.outline("b", 2), overview.outline("d", 2), overview.outline("e", 2)]
        assert ["".join(each.name for each in page) for page in pages] == ["ab", "cd", "e", ""]

    def test_what_is_held_or_was_left_behind_is_amiss(self, journal: Journal, overview: Overview) -> None:
        held = journal.save(CredentialRow(name="held", held=True, held_why="audit"), NOW, NOTHING)
        drifting = journal.save(CredentialRow(name="drifting", drift=("vault:a",)), NOW, NOTHING)
        journal.save(CredentialRow(name="fine", current="k"), NOW, NOTHING)
        assert overview.amiss(10) == (drifting, held)
        assert overview.amiss(1) == (drifting,)

    def test_many_that_are_held_hide_none_that_was_left_behind(self, journal: Journal, overview: Overview) -> None:
        first, second = (journal.save(CredentialRow(name=name, held=True), NOW, NOTHING) for name in ("a", "b"))
        drifting = journal.save(CredentialRow(name="z", drift=("vault:a",)), NOW, NOTHING)
        assert overview.amiss(2) == (drifting, first)
        assert overview.amiss(3) == (drifting, first, second)

    def test_the_last_event_is_where_the_trail_ends(self, journal: Journal, overview: Overview) -> None:
        row = claimed(journal)
        journal.commit(row, NOW, noting("mint", "stage", "promote"))
        last = overview.last_event()
        assert [each.event.action for each in journal.events(after=last - 2)] == ["stage", "promote"]
        assert journal.events(after=last) == ()
