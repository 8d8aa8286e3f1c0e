"""Several processes on one journal, and processes that are killed in the middle of a commit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.verifying import ConsistentOnly, verify_log
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.values import LEASE, NOTHING, NOW, begun
from tests.journal.processes import others


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rotator.db"


@pytest.mark.parametrize("batch", [1, 7])
def test_no_row_is_claimed_by_two_processes(path: Path, batch: int) -> None:
    count = 90
    with open_journal(f"sqlite:///{path}") as journal:
        for number in range(count):
            begun(journal, f"r{number}", f"c{number}")
    with others(3, "claim", path, batch) as processes:
        for each in processes:
            each.go()
        claims = [claim for each in processes for claim in each.heard()]
    assert sorted(name for name, _ in claims) == sorted(f"c{number}" for number in range(count))
    assert {fence for _, fence in claims} == {1}


def test_one_rotation_begins_whatever_process_tries(path: Path) -> None:
    """I5, over processes."""
    with others(3, "begin", path, 60) as processes:
        for each in processes:
            each.go()
        began = [name for each in processes for name in each.heard()]
    assert sorted(began) == sorted(f"c{number}" for number in range(60))
    with open_journal(f"sqlite:///{path}") as journal:
        assert len(journal.rotations()) == 60
        assert {row.fence for row in journal.credentials()} == {1}


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_has_lost_nothing_that_was_committed(path: Path, seed: int) -> None:
    threads = 6
    with others(1, "commit", path, threads) as (other,):
        other.go()
        told = [other.heard() for _ in range(random.Random(seed).randrange(20, 400))]
        other.process.kill()
        told += other.rest()
    acknowledged = {rotation: max(n for r, n in told if r == rotation) for rotation, _ in told}
    with open_journal(f"sqlite:///{path}", signer=SIGNER) as journal:
        for rotation, attempts in acknowledged.items():
            row = journal.rotation(rotation)
            assert row is not None
            assert row.attempts in (attempts, attempts + 1)  # the one in flight was durable, or it was not
            assert len(journal.events(rotation)) == row.attempts
        journal.checkpoint(NOW)
        assert isinstance(verify_log(journal, SIGNER.public_key), ConsistentOnly)
        rows = journal.claim(owner="next", now=NOW + LEASE, lease=LEASE, limit=threads)
        assert len(rows) == threads
        assert not any(row.clean for row in rows)


def test_what_one_process_commits_another_reads_at_once(path: Path) -> None:
    with open_journal(f"sqlite:///{path}") as journal, others(1, "hold", path, 3) as (other,):
        assert journal.rotations() == ()
        other.go()
        assert other.heard() == "held"
        rows = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=9)
        assert sorted(row.id for row in rows) == ["r0", "r1", "r2"]
        other.process.kill()
        other.process.wait()
        journal.commit(rows[0], NOW, NOTHING)
