"""Threads that take turns share a processor; what they start is as free as the process was."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rotator.adapters.processors import anywhere, together
from rotator.domain.consumers import Heard
from tests.consumers.news import tell

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here"),
    pytest.mark.skipif(os.cpu_count() == 1, reason="there is one processor"),
]


def mine() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def test_threads_that_are_started_together_share_one_processor_and_leave_it_afterwards() -> None:
    before = mine()
    with together(), ThreadPoolExecutor(3) as pool:
        ours = mine()
        theirs = {each.result() for each in [pool.submit(mine) for _ in range(9)]}
        with anywhere():
            assert mine() == before
        assert mine() == ours
    assert len(ours) == 1
    assert theirs == {ours}
    assert mine() == before


def test_two_that_work_together_apart_choose_the_same() -> None:
    def chosen(_: int) -> frozenset[int]:
        with together():
            return mine()

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(chosen, range(8)))) == 1


def test_a_command_is_not_kept_where_the_rotations_are(tmp_path: Path) -> None:
    path = tmp_path / "reload"
    path.write_text(f"#!{sys.executable} -IS\nimport os\nprint(*os.sched_getaffinity(0))\n")
    path.chmod(0o755)
    everywhere = mine()
    with together():
        heard = tell({"command": [str(path)]}, timeout=60)
    assert isinstance(heard, Heard)
    assert {int(each) for each in heard.answer.split()} == everywhere
