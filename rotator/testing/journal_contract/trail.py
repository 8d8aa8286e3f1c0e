"""The trail: chained events, signed checkpoints; and the journal's own age."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from rotator.domain.failures import Fenced
from rotator.domain.records import Checkpoint, CredentialRow
from rotator.domain.rotation import OldKey, Phase
from rotator.domain.trail import START, checkpoint_digest, event_digest, signed_text
from rotator.ports import Change, Journal
from rotator.testing.journal_contract.values import (
    NOTHING,
    NOW,
    SECOND,
    SIGNER,
    THREADS,
    answer_lost,
    at_once,
    claimed,
    event,
    noting,
    rotation,
)


class Trail:
    """`events`, `checkpoints`, `checkpoint`, and both methods of `older_than_world`."""

    def test_an_event_is_read_with_all_that_was_written(self, journal: Journal) -> None:
        row = claimed(journal)
        written = event("promote", "vault:ai/openai", place="current", note="“quoted”\n\u2028")
        journal.commit(row, NOW + SECOND, Change(events=(written,)))
        (chained,) = journal.events("r1")
        assert chained.event == written
        assert (chained.rotation, chained.seq, chained.at, chained.fence) == ("r1", 1, NOW + SECOND, 1)
        assert chained.previous == START
        assert chained.digest == event_digest("r1", 1, NOW + SECOND, 1, written, START)

    def test_a_note_is_added_to_the_credential_s_own_chain_whoever_has_its_rotation(self, journal: Journal) -> None:
        row = claimed(journal)
        before = journal.credential(row.credential)
        journal.note(row.credential, (event("revoke foreign", "key-9"), event("revoke foreign", "key-9")), NOW)
        journal.note("never seen", (event("revoke foreign", "key-8"),), NOW)
        chain = journal.events(f"credential:{row.credential}")
        assert [(each.seq, each.event.subject) for each in chain] == [(1, "key-9"), (2, "key-9")]
        assert [each.event.subject for each in journal.events("credential:never seen")] == ["key-8"]
        assert journal.credential(row.credential) == before
        journal.commit(row, NOW + SECOND, Change())  # still under its fence

    def test_notes_of_many_are_one_chain(self, journal: Journal) -> None:
        at_once([partial(journal.note, "aws", (event("revoke foreign", "key-9"),), NOW)] * THREADS)
        chain = journal.events("credential:aws")
        assert [each.seq for each in chain] == list(range(1, THREADS + 1))
        assert [each.previous for each in chain[1:]] == [each.digest for each in chain[:-1]]

    def test_each_rotation_has_a_chain_of_its_own_and_all_are_read_in_the_order_of_their_commits(
        self, journal: Journal
    ) -> None:
        assert journal.begin(rotation("r1"), noting("begin"))
        (row,) = journal.claim(owner="anna", now=NOW, lease=SECOND, limit=1)
        other = claimed(journal, "r2", "github")
        for committed, action in ((other, "a"), (row, "b"), (other, "c")):
            journal.commit(committed, NOW, noting(action))
        journal.save(CredentialRow(name="aws"), NOW, noting("d"))
        found = [(each.rotation, each.seq, each.fence, each.event.action) for each in journal.events()]
        assert found == [
            ("r1", 1, 0, "begin"),
            ("r2", 1, 1, "a"),
            ("r1", 2, 1, "b"),
            ("r2", 2, 1, "c"),
            ("credential:aws", 1, 1, "d"),
        ]
        first, second = journal.events("r1")
        assert second.previous == first.digest

    def test_events_are_read_page_by_page(self, journal: Journal) -> None:
        row, other = claimed(journal), claimed(journal, "r2", "github")
        journal.commit(row, NOW, noting("a", "b"))
        journal.commit(other, NOW, noting("c", "d"))
        assert [each.event.action for each in journal.events(after=1, limit=2)] == ["b", "c"]
        assert [each.event.action for each in journal.events("r2", after=1)] == ["d"]
        assert journal.events(after=4) == journal.events("r2", after=2) == journal.events(limit=0) == ()

    def test_a_checkpoint_holds_the_heads_of_the_chains_that_moved(self, journal: Journal) -> None:
        row, other = claimed(journal), claimed(journal, "r2", "github")
        journal.commit(row, NOW, noting("a", "b"))
        journal.commit(other, NOW, noting("c"))
        first = journal.checkpoint(NOW)
        journal.commit(other, NOW, noting("d"))
        second = journal.checkpoint(NOW + SECOND)
        assert first is not None
        assert second is not None
        assert first.heads == {"r1": journal.events("r1")[1].digest, "r2": journal.events("r2")[0].digest}
        assert second.heads == {"r2": journal.events("r2")[1].digest}
        assert (first.number, first.previous, second.number, second.previous) == (1, START, 2, first.digest)
        assert second.digest == checkpoint_digest(2, NOW + SECOND, second.heads, first.digest)
        SIGNER.check(signed_text(second.digest), second.signature)
        assert journal.checkpoints() == (first, second)

    def test_nothing_that_happened_makes_no_checkpoint(self, journal: Journal) -> None:
        assert journal.checkpoint(NOW) is None
        journal.commit(claimed(journal), NOW, NOTHING)
        assert journal.checkpoint(NOW) is None
        assert journal.checkpoints() == ()

    def test_a_checkpoint_whose_answer_was_lost_is_there_once(self, journal: Journal) -> None:
        journal.commit(claimed(journal), NOW, noting("a"))
        assert answer_lost(lambda: journal.checkpoint(NOW)) is None
        assert len(journal.checkpoints()) == 1

    def test_of_many_that_close_at_the_same_moment_exactly_one_does(self, journal: Journal) -> None:
        journal.commit(claimed(journal), NOW, noting("a"))
        outcomes = at_once([partial(journal.checkpoint, NOW) for _ in range(THREADS)])
        made = tuple(outcome for outcome in outcomes if isinstance(outcome, Checkpoint))
        assert outcomes.count(None) == THREADS - 1
        assert made == journal.checkpoints()

    # -- what outlives a process, and its own age --------------------------------------------------------------------

    def test_what_is_remembered_is_recalled_until_it_is_forgotten(self, journal: Journal) -> None:
        assert journal.recall("reconciled at") is None
        journal.remember("reconciled at", "now")
        answer_lost(lambda: journal.remember("reconciled at", "later"))
        journal.remember("older than the world", "a name like any other")
        assert journal.recall("reconciled at") == "later"
        assert journal.older_than_world() is None
        answer_lost(lambda: journal.remember("reconciled at", None))
        assert journal.recall("reconciled at") is None

    def test_what_is_remembered_is_replaced_by_who_knows_what_it_was(self, journal: Journal) -> None:
        assert not journal.replace("approved", "b", expected="a")
        assert journal.recall("approved") is None
        assert answer_lost(lambda: journal.replace("approved", "a", expected=None))
        assert not journal.replace("approved", "b", expected=None)
        assert answer_lost(lambda: journal.replace("approved", "“b”", expected="a"))
        assert not journal.replace("approved", "c", expected="a")
        assert journal.recall("approved") == "“b”"
        assert journal.replace("approved", "c", expected="“b”")

    @pytest.mark.parametrize("expected", ["before", None])
    def test_of_many_that_replace_the_same_at_the_same_moment_one_does(
        self, journal: Journal, expected: str | None
    ) -> None:
        journal.remember("approved", expected)
        texts = [f"by {number}" for number in range(THREADS)]
        outcomes = at_once([partial(journal.replace, "approved", each, expected=expected) for each in texts])
        assert sorted(outcomes) == [False] * (THREADS - 1) + [True]
        assert journal.recall("approved") == texts[outcomes.index(True)]

    def test_what_is_remembered_is_found_by_how_its_name_begins(self, journal: Journal) -> None:
        for name in ("incident:b", "incident:a", "incidental", "other"):
            journal.remember(name, "something")
        assert journal.remembered("incident:") == ("incident:a", "incident:b")
        journal.remember("incident:a", None)
        assert journal.remembered("incident:") == ("incident:b",)
        assert journal.remembered("%") == ()

    def test_a_row_that_the_world_remembers_is_restored_and_is_over(self, journal: Journal) -> None:
        row = rotation("r1", phase=Phase.SUPERSEDED, fence=4, mint_fences=(2, 4), old_keys=(OldKey(key_id="k1"),))
        answer_lost(lambda: journal.restore(row, NOW))
        assert journal.rotation("r1") == row
        assert journal.open_rotation("openai") is None
        assert [(each.fence, each.event.action) for each in journal.events("r1")] == [(4, "restore")]
        assert journal.credential("openai").fence == 0
        assert journal.begin(rotation("r2"), NOTHING)

    def test_an_ended_row_is_overwritten_by_what_is_restored(self, journal: Journal) -> None:
        ended = replace(claimed(journal), phase=Phase.DONE, owner=None, old_keys=(OldKey(key_id="k1"),))
        journal.commit(ended, NOW, NOTHING)
        claimed(journal, "r2")
        restored = replace(ended, phase=Phase.SUPERSEDED, fence=7, mint_fences=(7,), old_keys=())
        journal.restore(restored, NOW)
        assert journal.rotation("r1") == restored
        assert [row.id for row in journal.rotations("openai")] == ["r2", "r1"]

    def test_what_is_open_is_not_restored(self, journal: Journal) -> None:
        row = claimed(journal)
        with pytest.raises(Fenced):
            journal.restore(replace(row, phase=Phase.SUPERSEDED, owner=None), NOW)
        with pytest.raises(ValueError):
            journal.restore(row, NOW)
        assert journal.open_rotation("openai") == row
        assert journal.events() == ()

    def test_that_it_is_older_than_the_world_is_remembered_until_it_was_rebuilt(self, journal: Journal) -> None:
        assert journal.older_than_world() is None
        journal.set_older_than_world("key k9 is unknown")
        answer_lost(lambda: journal.set_older_than_world("key k8 is unknown"))
        assert journal.older_than_world() == "key k8 is unknown"
        answer_lost(lambda: journal.set_older_than_world(None))
        assert journal.older_than_world() is None
