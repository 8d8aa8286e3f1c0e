"""100 rotations over five stores, each read at least 100 times a second: no reader ever has a value that is refused."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.consumers.five.readers import Counted
from tests.consumers.five.scene import STORES, Readers, five_stores, reading, rotate_each, running
from tests.servers import aws, kubernetes, secret_manager
from tests.servers.openbao import OpenBaoServer

pytestmark = [
    pytest.mark.stand_in("API provider: keyserver"),
    *(pytest.mark.stand_in(each) for each in (aws.NAME, secret_manager.NAME, kubernetes.NAME)),
]

CREDENTIALS, A_SECOND = 5, 100
"""Reads of each store that are asked for."""

PATIENCE = 150
"""Seconds until a machine is too busy to read so often and rotate as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of it. `seconds`: from the first rotation's start to the last one's end."""

    done: int
    seconds: float
    counted: dict[str, Counted]

    def __str__(self) -> str:
        heads = f"{self.done} rotations in {self.seconds:.1f} s"
        lines = [
            f"{name:<12} {each.reads / self.seconds:6.1f} reads/s, {each.values} values, {each.refused} refused, "
            f"{each.torn} torn; later: {each.kept} calls, {each.kept_refused} refused; "
            f"a read and its call at most {each.worst:.2f} s; {each.trouble}"
            for name, each in self.counted.items()
        ]
        return "\n".join([heads, *lines])


def play(
    folder: Path,
    server: OpenBaoServer,
    mount: str,
    *,
    rounds: int,
    overlap: float,
    keeps: float,
    often: bool = False,
) -> Played:
    """So many rounds of one rotation of each credential, under readers of which one calls `keeps` seconds later.

    `often`: the rotations wait for the readers, so that the machine decides how fast rotations follow each other, and
    not whether each store was read `A_SECOND` times a second.
    """
    publish = {f"key-{number}": STORES for number in range(CREDENTIALS)}
    with (
        five_stores(folder, server, mount, overlap=overlap, publish=publish) as scene,
        reading(scene, keeps) as readers,
        running(scene.assembly),
    ):
        before, began, done = readers.counted(), time.monotonic(), 0
        for _ in range(rounds):
            done += rotate_each(scene.assembly)
            if often:
                let_them_catch_up(readers, before, began)
        seconds, until = time.monotonic() - began, readers.counted()
        time.sleep(keeps + 0.5)
        ended = readers.counted()
        counted = {name: replace(each, reads=until[name].reads - before[name].reads) for name, each in ended.items()}
        return Played(done=done, seconds=seconds, counted=counted)


def let_them_catch_up(readers: Readers, before: dict[str, Counted], began: float) -> None:
    """Wait until all have read as often as they should have since it began; that time counts as well."""
    while time.monotonic() < began + PATIENCE:
        wanted = A_SECOND * (time.monotonic() - began)
        if all(each.reads - before[name].reads >= wanted for name, each in readers.counted().items()):
            return
        time.sleep(0.05)


def nobody_noticed(played: Played, rounds: int) -> None:
    """Every rotation was done; every reader saw every value, and none that was refused."""
    assert played.done == CREDENTIALS * rounds, str(played)
    for each in played.counted.values():
        assert each.values == CREDENTIALS * (rounds + 1), str(played)
        assert (each.refused, each.torn, each.kept_refused, each.trouble) == (0, 0, 0, []), str(played)
        assert each.reads > 10 * played.done, str(played)
        assert each.kept > played.done, str(played)


def test_no_reader_of_five_stores_has_a_refused_value_in_ten_rotations(
    tmp_path: Path, openbao_server: OpenBaoServer, openbao_mount: str
) -> None:
    played = play(tmp_path, openbao_server, openbao_mount, rounds=2, overlap=3, keeps=1.5)
    nobody_noticed(played, 2)


# In quarters, because no test may take longer than five minutes, and a busy machine may need them.
@pytest.mark.slow
@pytest.mark.parametrize("quarter", ["first", "second", "third", "last"])
def test_no_reader_of_five_stores_has_a_refused_value_in_a_hundred_rotations(
    tmp_path: Path, openbao_server: OpenBaoServer, openbao_mount: str, quarter: str
) -> None:
    played = play(tmp_path, openbao_server, openbao_mount, rounds=5, overlap=3, keeps=1.5, often=True)
    nobody_noticed(played, 5)
    if any(each.reads < A_SECOND * played.seconds for each in played.counted.values()):
        pytest.skip(f"nobody noticed, but the machine is too busy to read so often: {quarter} quarter, {played}")


@pytest.mark.slow
def test_without_an_overlap_who_remembers_notices_at_every_store(
    tmp_path: Path, openbao_server: OpenBaoServer, openbao_mount: str
) -> None:
    played = play(tmp_path, openbao_server, openbao_mount, rounds=1, overlap=0, keeps=5)
    assert played.done == CREDENTIALS
    for each in played.counted.values():
        assert each.kept_refused > 0, str(played)


def test_a_key_that_dies_before_a_store_was_promoted_is_noticed_there_by_who_reads_always(
    tmp_path: Path, openbao_server: OpenBaoServer, openbao_mount: str
) -> None:
    publish = {f"not-in-{left}": [each for each in STORES if each != left] for left in STORES}
    with (
        five_stores(tmp_path, openbao_server, openbao_mount, overlap=0, publish=publish) as scene,
        reading(scene, keeps=0.5) as readers,
        running(scene.assembly),
    ):
        assert rotate_each(scene.assembly) == len(STORES)
        counted, until = readers.counted(), time.monotonic() + PATIENCE
        while not all(each.refused for each in counted.values()) and time.monotonic() < until:
            time.sleep(0.1)
            counted = readers.counted()
    for name, each in counted.items():
        assert each.refused > 0, (name, each)
        assert (each.torn, each.trouble) == (0, []), (name, each)
