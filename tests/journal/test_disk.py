"""A disk that is full: typed failures, nothing lost, and on it goes when there is room again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.readonly import look_at
from rotator.domain.failures import Failure, Transient
from rotator.ports import Change
from rotator.testing.journal_contract.values import NOW, claimed, event
from tests.journal.places import tiny_disk
from tests.journal.processes import others


@pytest.mark.parametrize("more", [0, 3000, 100_000])
def test_files_that_may_not_grow_fail_a_commit_and_lose_none(tmp_path: Path, more: int) -> None:
    path = tmp_path / "rotator.db"
    with others(1, "fill", path, more) as (other,):
        other.go()
        committed, stored, kind, message, hint = other.heard()
    assert (stored, kind) == (committed, "Transient")
    assert "disk" in message
    assert hint
    with open_journal(f"sqlite:///{path}") as journal:
        row = journal.rotation("r1")
        assert row is not None
        assert row.attempts == committed + 1
        assert len(journal.events("r1")) == committed


def test_a_full_disk_fails_commits_and_loses_none(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, "1m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(400_000))
        with open_journal(f"sqlite:///{disk}/rotator.db", busy=timedelta(seconds=1)) as journal:
            row = claimed(journal)
            failure, committed = _fill(lambda n: journal.commit(replace(row, attempts=n), NOW, BIG))
            assert isinstance(failure, Transient)
            assert "full" in failure.message
            assert "space" in failure.hint
            stored = journal.rotation("r1")
            assert stored is not None
            assert stored.attempts == len(journal.events("r1")) == committed
            ballast.unlink()
            journal.commit(replace(row, attempts=committed + 1), NOW, BIG)
        with open_journal(f"sqlite:///{disk}/rotator.db") as journal:
            assert len(journal.events("r1")) == committed + 1


BIG = Change(events=(event("mint", note="x" * 4000),))


def _fill(commit: Callable[[int], object]) -> tuple[Failure, int]:
    for committed in range(10_000):
        try:
            commit(committed + 1)
        except Failure as failure:
            return failure, committed
    raise AssertionError("the disk never filled")


def test_no_journal_is_made_on_a_full_disk_and_the_next_try_makes_it(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, "512k") as disk:
        ballast = disk / "ballast"
        with pytest.raises(OSError), ballast.open("wb") as file:
            file.write(bytes(1_000_000))
        with pytest.raises(Failure) as found:
            open_journal(f"sqlite:///{disk}/rotator.db")
        assert found.value.hint
        ballast.unlink()
        with open_journal(f"sqlite:///{disk}/rotator.db") as journal:
            assert journal.rotations() == ()


def test_a_look_at_a_journal_on_a_full_disk_answers_or_tells_of_the_disk(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, "1m") as disk:
        path = disk / "rotator.db"
        with open_journal(f"sqlite:///{path}") as journal:
            row = claimed(journal)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(512)):
                pass
        with look_at(f"sqlite:///{path}") as look:
            assert look.rotation(row.id) is not None
        path.with_name(path.name + "-wal").touch()  # somebody wrote, and may have it open: it cannot be read without
        with pytest.raises(Transient, match="disk"):
            look_at(f"sqlite:///{path}")
