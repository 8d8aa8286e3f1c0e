"""`verify_log` finds whatever somebody with the database, and without the installation's key, did to the trail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rotator.adapters.journal import rows
from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.readonly import look_at
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.verifying import PAGE, Broken, ConsistentOnly, Counted, Intact, verifies, verify_log
from rotator.domain.failures import Permanent
from rotator.domain.records import ChainedEvent, CredentialRow
from rotator.domain.trail import START, chained, checkpoint_digest, signed_text
from rotator.ports import Change, Journal
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import NOW, SECOND, claimed, event, noting
from rotator.testing.memory import MemoryJournal


def busy_day(journal: Journal) -> list[str]:
    """Two rotations and a credential, three checkpoints, and an event behind them; returns the checkpoints' digests."""
    first, second = claimed(journal, "r1", "openai"), claimed(journal, "r2", "github")
    journal.commit(first, NOW, noting("mint", "stage"))
    journal.commit(second, NOW, noting("mint"))
    journal.checkpoint(NOW)
    journal.commit(first, NOW, noting("promote"))
    journal.save(CredentialRow(name="aws"), NOW, noting("adopt"))
    journal.checkpoint(NOW + SECOND)
    journal.commit(second, NOW, noting("stage", "promote"))
    journal.checkpoint(NOW + 2 * SECOND)
    journal.commit(second, NOW, noting("retire"))
    return [each.digest for each in journal.checkpoints()]


def counted(head: str) -> dict[str, object]:
    return {"events": 8, "checkpoints": 3, "unclosed": 1, "head": head}


class Tampered:
    """The file of a journal after a busy day, to be changed by hand."""

    def __init__(self, path: Path, heads: list[str]) -> None:
        self.path = path
        self.heads = heads
        self.connection = sqlite3.connect(path, isolation_level=None)
        for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            self.connection.execute(f"DROP TRIGGER {name}")

    def run(self, script: str) -> None:
        self.connection.executescript(script)

    def verdict(self, known_head: str | None = None) -> Counted:
        with look_at(f"sqlite:///{self.path}") as journal:
            return verify_log(journal, SIGNER.public_key, known_head)

    def insert(self, link: ChainedEvent, number: int | None = None) -> None:
        values = {**rows.encode_event(link), "number": number}
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self.connection.execute(f"INSERT INTO event ({names}) VALUES ({marks})", values)

    def rechain(self, rotation: str) -> None:
        """Compute all digests of a chain anew, as somebody would who has read the code."""
        columns = ", ".join(rows.EVENT_COLUMNS)
        found = self.connection.execute(f"SELECT {columns} FROM event WHERE rotation = ? ORDER BY seq", (rotation,))
        previous = START
        for seq, old in enumerate(map(rows.decode_event, found.fetchall()), start=1):
            new = chained(rotation, seq, old.at, old.fence, old.event, previous)
            self.connection.execute(
                "UPDATE event SET seq = ?, previous = ?, digest = ? WHERE digest = ?",
                (seq, previous, new.digest, old.digest),
            )
            previous = new.digest


@pytest.fixture
def tampered(tmp_path: Path) -> Iterator[Tampered]:
    path = tmp_path / "rotator.db"
    with open_journal(f"sqlite:///{path}", signer=SIGNER) as journal:
        heads = busy_day(journal)
    found = Tampered(path, heads)
    yield found
    found.connection.close()


def problems(verdict: Counted) -> str:
    assert isinstance(verdict, Broken), verdict
    return "; ".join(verdict.problems)


def test_without_a_known_head_it_is_internally_consistent_only(tampered: Tampered) -> None:
    assert tampered.verdict() == ConsistentOnly(**counted(tampered.heads[-1]))  # type: ignore[arg-type]


def test_with_a_known_head_it_is_intact(tampered: Tampered) -> None:
    for head in tampered.heads:
        assert tampered.verdict(head) == Intact(**counted(tampered.heads[-1]))  # type: ignore[arg-type]


def test_an_empty_journal_is_consistent_and_knows_no_head(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/rotator.db") as journal:
        nothing = ConsistentOnly(events=0, checkpoints=0, unclosed=0, head=None)
        assert verify_log(journal, SIGNER.public_key) == nothing
        assert "not there" in problems(verify_log(journal, SIGNER.public_key, "e3b0"))


@pytest.mark.parametrize(
    "change",
    [
        "subject = 'another'",
        "action = 'another'",
        "kind = 'outcome'",
        "at = at + 1",
        "fence = fence + 1",
        """detail = '{"a":"b"}'""",
        "digest = upper(digest)",
        "previous = 'x'",
        "seq = 9",
        "rotation = 'r9'",
    ],
)
def test_a_changed_event_is_found(tampered: Tampered, change: str) -> None:
    tampered.run(f"UPDATE event SET {change} WHERE rotation = 'r1' AND seq = 2")
    assert "r1" in problems(tampered.verdict())


def test_an_event_that_was_changed_behind_the_last_checkpoint_is_found_by_its_digest(tampered: Tampered) -> None:
    tampered.run("UPDATE event SET subject = 'another' WHERE rotation = 'r2' AND seq = 4")
    assert problems(tampered.verdict()) == "event 4 of 'r2' was changed"


def test_a_chain_that_was_rewritten_as_a_whole_is_found_by_its_checkpoint(tampered: Tampered) -> None:
    tampered.run("UPDATE event SET subject = 'another' WHERE rotation = 'r1' AND seq = 1")
    tampered.rechain("r1")
    found = problems(tampered.verdict())
    assert "events of 'r1' up to checkpoint 1 were rewritten or cut off" in found
    assert "events of 'r1' up to checkpoint 2 were rewritten or cut off" in found


def test_a_deleted_event_is_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM event WHERE rotation = 'r1' AND seq = 2")
    assert "an event is missing before number 3 of 'r1'" in problems(tampered.verdict())


def test_a_deletion_that_was_covered_up_is_found_by_its_checkpoint(tampered: Tampered) -> None:
    tampered.run("DELETE FROM event WHERE rotation = 'r1' AND seq = 2")
    tampered.rechain("r1")
    assert "rewritten or cut off" in problems(tampered.verdict())


def test_a_chain_that_was_cut_off_at_its_end_is_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM event WHERE rotation = 'r1' AND seq = 3")
    assert problems(tampered.verdict()) == "the events of 'r1' up to checkpoint 2 were rewritten or cut off"


def test_a_chain_that_was_removed_as_a_whole_is_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM event WHERE rotation = 'credential:aws'")
    assert "events of 'credential:aws' up to checkpoint 2" in problems(tampered.verdict())


def test_what_no_checkpoint_covers_can_be_cut_off_unnoticed(tampered: Tampered) -> None:
    """Said by `unclosed`; why checkpoints are made often and their head goes outside."""
    tampered.run("DELETE FROM event WHERE rotation = 'r2' AND seq = 4")
    assert isinstance(tampered.verdict(tampered.heads[-1]), Intact)
    assert tampered.verdict().unclosed == 0


def test_a_trail_that_was_cut_off_with_its_checkpoint_is_found_by_the_known_head_alone(tampered: Tampered) -> None:
    tampered.run("DELETE FROM checkpoint WHERE number = 3; DELETE FROM event WHERE rotation = 'r2' AND seq > 1")
    assert isinstance(tampered.verdict(), ConsistentOnly)
    assert isinstance(tampered.verdict(tampered.heads[1]), Intact)
    assert "the known head is not there" in problems(tampered.verdict(tampered.heads[2]))


def test_a_missing_checkpoint_is_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM checkpoint WHERE number = 2")
    assert "a checkpoint is missing before number 3" in problems(tampered.verdict())


def test_a_removed_checkpoint_whose_successor_was_renumbered_is_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM checkpoint WHERE number = 2; UPDATE checkpoint SET number = 2 WHERE number = 3")
    assert "checkpoint 2 was changed" in problems(tampered.verdict())


@pytest.mark.parametrize("change", ["at = at + 1", "heads = '{}'", "previous = 'x'"])
def test_a_changed_checkpoint_is_found(tampered: Tampered, change: str) -> None:
    tampered.run(f"UPDATE checkpoint SET {change} WHERE number = 3")
    assert "checkpoint 3 was changed" in problems(tampered.verdict())


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64])
def test_a_checkpoint_without_our_signature_is_found(tampered: Tampered, signature: str) -> None:
    tampered.run(f"UPDATE checkpoint SET signature = '{signature}' WHERE number = 3")
    assert problems(tampered.verdict()) == "checkpoint 3 was not signed by this installation"


def test_checkpoints_that_were_made_anew_with_another_key_are_found(tampered: Tampered) -> None:
    tampered.run("DELETE FROM event WHERE rotation = 'r2' AND seq > 1")
    head = tampered.connection.execute("SELECT digest FROM event WHERE rotation = 'r2'").fetchone()[0]
    heads, previous = {"r2": head}, tampered.heads[1]
    digest = checkpoint_digest(3, NOW, heads, previous)
    forged = Ed25519PrivateKey.generate().sign(signed_text(digest)).hex()
    tampered.connection.execute(
        "UPDATE checkpoint SET at = ?, heads = ?, digest = ?, signature = ? WHERE number = 3",
        (rows.micros(NOW), json.dumps(heads), digest, forged),
    )
    assert problems(tampered.verdict()) == "checkpoint 3 was not signed by this installation"


def test_another_installations_key_verifies_nothing(tampered: Tampered) -> None:
    with look_at(f"sqlite:///{tampered.path}") as journal:
        other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        assert len(problems(verify_log(journal, other)).split("; ")) == 3


@pytest.mark.parametrize("rotation", ["r1", "r9"], ids=["at the end of a chain", "as a chain of its own"])
def test_an_event_that_was_put_in_before_a_checkpoint_is_found(tampered: Tampered, rotation: str) -> None:
    tampered.run("UPDATE event SET number = number + 100 WHERE number > 5")
    last = tampered.connection.execute("SELECT max(seq), digest FROM event WHERE rotation = ?", (rotation,)).fetchone()
    seq, previous = (last[0] + 1, last[1]) if last[0] else (1, START)
    tampered.insert(chained(rotation, seq, NOW, 1, event("approved"), previous), number=6)
    assert f"event of '{rotation}' was put in before a checkpoint" in problems(tampered.verdict())


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE event SET kind = 'nonsense' WHERE number = 2",
        "UPDATE event SET detail = 'nonsense' WHERE number = 2",
        "UPDATE event SET at = 'nonsense' WHERE number = 2",
        "UPDATE event SET at = 9223372036854775807 WHERE number = 2",
        "UPDATE checkpoint SET heads = '[' WHERE number = 2",
        "UPDATE checkpoint SET heads = '3' WHERE number = 2",
    ],
)
def test_what_cannot_be_read_is_a_finding_and_no_crash(tampered: Tampered, script: str) -> None:
    tampered.run(script)
    assert "cannot be read" in problems(tampered.verdict())


def test_names_that_somebody_wrote_into_it_are_quoted(tampered: Tampered) -> None:
    tampered.run("UPDATE event SET rotation = char(27) || '[2J' WHERE rotation = 'r1'")
    found = problems(tampered.verdict())
    assert "\x1b" not in found
    assert "\\x1b[2J" in found


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_trail_of_several_pages_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    if kind == "memory":
        assert _long_trail(MemoryJournal(SIGNER)) == PAGE + 500
        return
    with open_journal(f"sqlite:///{tmp_path}/rotator.db", signer=SIGNER) as journal:
        assert _long_trail(journal) == PAGE + 500


def _long_trail(journal: MemoryJournal | SqliteJournal) -> int:
    row = claimed(journal)
    journal.commit(row, NOW, Change(events=(event("wait"),) * (PAGE + 500)))
    journal.checkpoint(NOW)
    head = journal.checkpoints()[0].digest
    verdict = verify_log(journal, SIGNER.public_key, head)
    assert isinstance(verdict, Intact)
    assert verdict.unclosed == 0
    return verdict.events


def test_a_signature_is_the_keys_and_the_messages() -> None:
    signature = SIGNER.sign(b"one").hex()
    assert verifies(SIGNER.public_key, b"one", signature)
    assert not verifies(SIGNER.public_key, b"two", signature)
    assert not verifies(b"too short", b"one", signature)


def test_without_the_installations_key_no_checkpoint_is_made(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/rotator.db") as journal:
        journal.commit(claimed(journal), NOW, noting("mint"))
        for unsigned in (journal, _with_an_event(MemoryJournal())):
            with pytest.raises(Permanent, match="key"):
                unsigned.checkpoint(NOW)
            assert unsigned.checkpoints() == ()


def _with_an_event(journal: MemoryJournal) -> MemoryJournal:
    journal.commit(claimed(journal), NOW, noting("mint"))
    return journal
