"""Credentials between rotations, who holds a key, and the reconciler's sightings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from rotator.domain.failures import Fenced
from rotator.domain.records import CredentialRow, KnownKey, LastWrite, Origin, Sighting
from rotator.domain.rotation import Phase
from rotator.ports import Change, Journal
from rotator.testing.journal_contract.values import (
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

FULL = CredentialRow(
    name="openai",
    current="k1",
    current_since=NOW,
    next_due=NOW + SECOND,
    held=True,
    held_why="audit",
    drift=("aws:prod/openai", "vault:ai/openai"),
    outage=True,
    spec="5d",
    last_writes=(
        LastWrite(store="ci", ref="org/app", key_id="k1", version="4"),
        LastWrite(store="ci", ref="org/web", key_id=None),
    ),
)


class Credentials:
    """`credential`, `credentials`, `due`, `save`, `keys`, `every_key`, `holders` and `sight`."""

    def test_a_name_never_saved_has_a_fresh_row(self, journal: Journal) -> None:
        assert journal.credential("openai") == CredentialRow(name="openai")
        assert journal.credentials() == ()
        assert journal.keys("openai") == ()

    def test_a_credential_is_read_as_it_was_saved_with_the_next_fence(self, journal: Journal) -> None:
        saved = journal.save(FULL, NOW, NOTHING)
        assert saved == replace(FULL, fence=1) == journal.credential("openai")
        again = journal.save(CredentialRow(name="openai", fence=1), NOW, NOTHING)
        assert again == CredentialRow(name="openai", fence=2) == journal.credential("openai")

    def test_all_credentials_are_listed_by_name(self, journal: Journal) -> None:
        begun(journal, "r1", "github")
        for name in ("openai", "aws"):
            journal.save(CredentialRow(name=name), NOW, NOTHING)
        assert [row.name for row in journal.credentials()] == ["aws", "github", "openai"]

    def test_credentials_are_listed_page_by_page(self, journal: Journal) -> None:
        for name in ("c", "B", "a", "é"):
            journal.save(CredentialRow(name=name), NOW, NOTHING)
        rows = journal.credentials()
        assert journal.credentials(limit=2) == rows[:2]
        assert journal.credentials(rows[1].name, 1) == rows[2:3]
        assert journal.credentials(rows[1].name, 9) == rows[2:]
        assert journal.credentials(rows[3].name, 9) == ()
        assert journal.credentials(limit=0) == ()

    def test_the_credentials_of_some_names_are_listed_once_each(self, journal: Journal) -> None:
        for name in ("c", "B", "a"):
            journal.save(CredentialRow(name=name), NOW, NOTHING)
        assert journal.credentials_among(("c", "nobody", "B", "c")) == (
            journal.credential("B"),
            journal.credential("c"),
        )
        assert journal.credentials_among(()) == ()

    def test_under_another_fence_a_credential_is_not_saved(self, journal: Journal) -> None:
        saved = journal.save(FULL, NOW, NOTHING)
        key = KnownKey(key_id="k9", credential="openai", origin=Origin.ADOPTED, since=NOW)
        for fence in (0, 2):
            with pytest.raises(Fenced):
                journal.save(replace(FULL, current="k9", fence=fence), NOW, Change(events=(event(),), keys=(key,)))
        with pytest.raises(Fenced):
            journal.save(CredentialRow(name="github", fence=1), NOW, NOTHING)
        assert journal.credentials() == (saved,)
        assert (journal.keys("openai"), journal.events()) == ((), ())

    def test_with_a_rotation_open_a_credential_is_not_saved(self, journal: Journal) -> None:
        begun(journal)
        with pytest.raises(Fenced):
            journal.save(replace(FULL, fence=journal.credential("openai").fence), NOW, noting("mend"))
        assert journal.credential("openai") == CredentialRow(name="openai", fence=1)
        assert journal.events() == ()

    def test_whoever_read_a_credential_before_a_rotation_began_is_fenced_after_it_ended(self, journal: Journal) -> None:
        read = journal.credential("openai")
        row = claimed(journal)
        journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, NOTHING)
        with pytest.raises(Fenced):
            journal.save(replace(read, current="k0"), NOW, NOTHING)
        assert journal.save(replace(journal.credential("openai"), current="k2"), NOW, NOTHING).fence == 2

    def test_a_save_whose_answer_was_lost_is_fenced_and_happened_once(self, journal: Journal) -> None:
        with pytest.raises(Fenced):
            answer_lost(lambda: journal.save(FULL, NOW, noting("adopt")))
        assert journal.credential("openai") == replace(FULL, fence=1)
        assert len(journal.events()) == 1

    def test_of_many_that_save_at_the_same_moment_exactly_one_does(self, journal: Journal) -> None:
        rows = [replace(FULL, current=f"k{number}") for number in range(THREADS)]
        outcomes = at_once([partial(journal.save, row, NOW, noting("mend")) for row in rows])
        saved = [outcome for outcome in outcomes if isinstance(outcome, CredentialRow)]
        assert saved == [journal.credential("openai")]
        assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == THREADS - 1
        assert len(journal.events()) == 1

    def test_of_a_save_and_a_beginning_at_the_same_moment_the_save_came_first_or_not_at_all(
        self, journal: Journal
    ) -> None:
        for turn in range(20):
            name = f"c{turn}"
            row = replace(FULL, name=name)
            outcomes = at_once(
                [
                    partial(journal.save, row, NOW, NOTHING),
                    partial(journal.begin, rotation(f"r{turn}", name), NOTHING),
                ]
            )
            assert outcomes[1] is True
            if isinstance(outcomes[0], Fenced):
                assert journal.credential(name) == CredentialRow(name=name, fence=1)
            else:
                assert journal.credential(name) == replace(row, fence=2)

    def test_what_is_saved_with_a_credential_is_chained_under_its_name(self, journal: Journal) -> None:
        key = KnownKey(key_id="k1", credential="openai", origin=Origin.ADOPTED, since=NOW)
        journal.save(FULL, NOW, Change(events=(event("adopt", "k1"),), keys=(key,)))
        (chained,) = journal.events("credential:openai")
        assert (chained.rotation, chained.seq, chained.fence, chained.at) == ("credential:openai", 1, 1, NOW)
        assert journal.events() == (chained,)
        assert journal.keys("openai") == (key,)

    def test_a_credential_is_saved_by_itself(self, journal: Journal) -> None:
        other = KnownKey(key_id="k1", credential="github", origin=Origin.ADOPTED, since=NOW)
        for defect in (Change(credential=FULL), Change(successor=rotation("r1")), Change(keys=(other,))):
            with pytest.raises(ValueError):
                journal.save(FULL, NOW, defect)
        assert journal.credentials() == ()

    # -- due -------------------------------------------------------------------------------------------------------

    def test_credentials_are_due_the_longest_first_and_no_more_than_asked_for(self, journal: Journal) -> None:
        for name, due in (("a", NOW), ("b", NOW - SECOND), ("c", NOW + SECOND), ("d", None)):
            journal.save(CredentialRow(name=name, next_due=due), NOW, NOTHING)
        assert [row.name for row in journal.due(NOW, 10)] == ["b", "a"]
        assert [row.name for row in journal.due(NOW + SECOND, 2)] == ["b", "a"]
        assert journal.due(NOW - 2 * SECOND, 10) == ()
        assert journal.due(NOW, 0) == ()
        (first,) = journal.due(NOW, 1)
        assert first == journal.credential("b")

    def test_what_is_held_is_not_due(self, journal: Journal) -> None:
        held = journal.save(CredentialRow(name="openai", next_due=NOW, held=True), NOW, NOTHING)
        assert journal.due(NOW, 10) == ()
        journal.save(replace(held, held=False), NOW, NOTHING)
        assert len(journal.due(NOW, 10)) == 1

    def test_what_has_an_open_rotation_is_not_due_until_that_is_over(self, journal: Journal) -> None:
        journal.save(CredentialRow(name="openai", next_due=NOW), NOW, NOTHING)
        row = claimed(journal)
        assert journal.due(NOW, 10) == ()
        journal.commit(replace(row, phase=Phase.SUPERSEDED), NOW, Change(successor=rotation("r2")))
        assert journal.due(NOW, 10) == ()
        (row,) = journal.claim(owner="anna", now=NOW, lease=SECOND, limit=1)
        journal.commit(replace(row, phase=Phase.ROLLED_BACK, owner=None), NOW, NOTHING)
        assert [each.name for each in journal.due(NOW, 10)] == ["openai"]

    def test_the_next_due_time_is_the_one_that_the_ending_commit_wrote(self, journal: Journal) -> None:
        row = claimed(journal)
        planned = CredentialRow(name="openai", next_due=NOW + SECOND)
        journal.commit(replace(row, phase=Phase.DONE, owner=None), NOW, Change(credential=planned))
        assert journal.due(NOW, 10) == ()
        assert len(journal.due(NOW + SECOND, 10)) == 1

    # -- who holds a key ---------------------------------------------------------------------------------------------

    def test_the_holders_of_a_key_are_the_credentials_whose_current_key_it_is(self, journal: Journal) -> None:
        for name, current in (("b", "k1"), ("a", "k1"), ("c", "k2"), ("d", None)):
            journal.save(CredentialRow(name=name, current=current), NOW, NOTHING)
        assert journal.holders("k1") == ("a", "b")
        assert journal.holders("k3") == ()
        journal.save(CredentialRow(name="b", current="k2", fence=1), NOW, NOTHING)
        assert (journal.holders("k1"), journal.holders("k2")) == (("a",), ("b", "c"))

    # -- all keys ----------------------------------------------------------------------------------------------------

    def test_the_keys_of_all_credentials_come_by_name_the_dead_ones_too(self, journal: Journal) -> None:
        assert journal.every_key() == ()
        expected: dict[str, list[KnownKey]] = {"aws": [], "openai": []}
        for fence, (name, key_id, dead) in enumerate(
            (("openai", "k2", None), ("aws", "k9", NOW), ("openai", "k1", NOW), ("aws", "k2", None))
        ):
            key = KnownKey(
                key_id=key_id, credential=name, origin=Origin.ADOPTED, since=NOW, fingerprint="0" * 16, dead_at=dead
            )
            journal.save(CredentialRow(name=name, fence=fence // 2), NOW, Change(keys=(key,)))
            expected[name].append(key)
        assert journal.every_key() == (*expected["aws"], *expected["openai"])
        assert journal.every_key() == journal.keys("aws") + journal.keys("openai")

    # -- sightings ---------------------------------------------------------------------------------------------------

    def test_the_first_sighting_counts_and_what_is_no_longer_seen_is_forgotten(self, journal: Journal) -> None:
        def sighted(key_id: str, seconds: int) -> Sighting:
            return Sighting(credential="openai", key_id=key_id, first_seen=NOW + seconds * SECOND)

        assert journal.sight("openai", ["k2", "k1"], NOW) == (sighted("k1", 0), sighted("k2", 0))
        assert journal.sight("openai", {"k3", "k1"}, NOW + SECOND) == (sighted("k1", 0), sighted("k3", 1))
        assert journal.sight("openai", ["k2"], NOW + 2 * SECOND) == (sighted("k2", 2),)
        assert journal.sight("openai", [], NOW) == ()

    def test_sightings_of_one_credential_are_not_anothers(self, journal: Journal) -> None:
        journal.sight("openai", ["k1"], NOW)
        assert journal.sight("github", ["k1"], NOW + SECOND)[0].first_seen == NOW + SECOND
        assert journal.sight("openai", ["k1"], NOW + SECOND)[0].first_seen == NOW

    def test_a_sighting_whose_answer_was_lost_is_the_same(self, journal: Journal) -> None:
        (seen,) = answer_lost(lambda: journal.sight("openai", ["k1", "k1"], NOW))
        assert seen == Sighting(credential="openai", key_id="k1", first_seen=NOW)

    def test_many_who_see_a_key_at_the_same_moment_agree_since_when(self, journal: Journal) -> None:
        times = [NOW + number * SECOND for number in range(THREADS)]
        outcomes = at_once([partial(journal.sight, "openai", ["k1"], now) for now in times])
        assert len({str(outcome) for outcome in outcomes}) == 1
