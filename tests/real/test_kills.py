"""SIGKILL at every effect of every path, at random times, and SIGSTOP beyond the lease, over real servers.

`make test` takes a sample by seed, `make test-all` all of them. Whatever dies where: afterwards consumers read a login
that works, exactly one login lives, the old one is dead or in use, nothing is left where consumers cannot read, and the
rotation has ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.real.scene import FIRST, NAME, Reader, Real, child
from tests.real.victim import WHERE

SEED = int(os.environ.get("ROTATOR_SEED", "20261122"))
PATHS = {"scheduled": 9, "compromise": 9, "contain_first": 10, "rollback": 6}
"""How many effects each path has; a test sees that there are no more."""
EVERY = [(path, at, where) for path, count in PATHS.items() for at in range(count) for where in WHERE]

IN_PROCESS = pytest.mark.parametrize("real", ["off"], indirect=True)

SAMPLE = frozenset(random.Random(SEED).sample(EVERY, 10))


@pytest.fixture(autouse=True)
def short(real: Real) -> None:
    """Another process goes on when the lease of the one that was killed is over."""
    real.lease("2s")


def _all() -> list[object]:
    return [pytest.param(*each, marks=[] if each in SAMPLE else [pytest.mark.slow]) for each in EVERY]


def _begin(real: Real, path: str) -> list[str]:
    """Arguments of the victim that runs this path; a rollback is a scheduled one that an operator turns.

    Its effects are counted from the turn on. The request is answered in place of the next effect, or sooner where a
    step was slow and so committed at its end: the effect that is never done would be counted on a quick machine alone.
    """
    if path != "rollback":
        return ["--start", path]
    lease = _configure(real, overlap="10m", lease="20s")  # what is only prepared has its time on a busy machine, too
    assert real.run("adopt", NAME).code == 0
    assert real.run(NAME, script="rotate").code == 0
    assert real.run("rollback", NAME).code == 0
    _configure(real, overlap="0s", lease=lease)
    return ["--since", "rolling_back"]


def _configure(real: Real, *, overlap: str, lease: str) -> str:
    """Change the config; returns the lease that it had."""
    config = json.loads(real.config.read_text())
    had: str = config["defaults"]["lease"]
    config["policies"]["quick"]["overlap"] = overlap
    config["defaults"]["lease"] = lease
    real.config.write_text(json.dumps(config))
    return had


def _rotations(real: Real) -> list[dict[str, object]]:
    """All of them, the newest first; none before the journal is there."""
    answer = real.run("history", NAME, "--json")
    found: list[dict[str, object]] = json.loads(answer.out)["rotations"] if answer.code == 0 else []
    return found


def _finish(real: Real, deadline: float = 120) -> dict[str, object]:
    """Let other processes go on until nothing is open; returns the newest rotation."""
    ends = time.monotonic() + deadline
    while True:
        with child(real) as process:
            assert process.wait(timeout=deadline) == 0
        found = _rotations(real)
        if all(each["phase"] in ("done", "rolled_back", "superseded") for each in found):
            return found[0]
        assert time.monotonic() < ends, found
        time.sleep(0.3)


def _nothing_is_lost(real: Real, path: str, row: dict[str, object]) -> None:
    """I1 to I5 at rest."""
    assert row["phase"] == ("rolled_back" if path == "rollback" else "done")
    assert real.login()
    assert len(real.roles_that_open()) == 1
    assert real.opens("app_a", FIRST) == (path == "rollback")
    assert real.private() == []
    assert real.document()["other"] == "theirs"
    for name in ("rotator.db", "rotator.db-wal"):
        data = (real.folder / name).read_bytes() if (real.folder / name).exists() else b""
        assert FIRST.encode() not in data
        assert real.document()["url"].encode() not in data


@IN_PROCESS
@pytest.mark.parametrize(("path", "at", "where"), _all())
def test_killed_at_an_effect_another_process_ends_the_rotation(real: Real, path: str, at: int, where: str) -> None:
    arguments = _begin(real, path)
    with Reader(real).reading() as reader:
        with child(real, *arguments, "--at", str(at), "--where", where) as victim:
            victim.wait(timeout=120)
            said = victim.stdout.read() if victim.stdout else ""
        assert victim.returncode == -signal.SIGKILL, f"effect {at} was never reached: {said}"
        row = _finish(real)
    _nothing_is_lost(real, path, row)
    if path != "contain_first":
        assert reader.refused == []


@IN_PROCESS
@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_effect_of_a_path_is_counted(real: Real, path: str) -> None:
    arguments = _begin(real, path)
    real.lease("8s")  # an effect that is cut off because it took too long is one more
    with child(real, *arguments, "--count") as victim:
        out, _ = victim.communicate(timeout=120)
    assert f"effects: {PATHS[path]}\n" in out


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(SEED + n, marks=pytest.mark.slow) for n in range(1, 20))])
def test_killed_at_random_times_again_and_again(real: Real, seed: int) -> None:
    chance = random.Random(seed)
    arguments = ["--start", chance.choice(("scheduled", "compromise"))]
    with Reader(real).reading() as reader:
        kills, patience, ends = 0, 1.0, time.monotonic() + 120
        while kills < 3 and time.monotonic() < ends:
            with child(real, *arguments) as victim:
                time.sleep((0.8 + chance.random() * 1.5) * patience)
                victim.kill()
            if _rotations(real):
                arguments, kills = [], kills + 1
            else:
                patience *= 1.5  # on a busy machine it died before it had begun
        assert kills == 3
        row = _finish(real)
    _nothing_is_lost(real, "scheduled", row)
    assert reader.refused == []


@IN_PROCESS
@pytest.mark.parametrize(
    ("at", "where"),
    [(2, WHERE[1]), *(pytest.param(at, where, marks=pytest.mark.slow) for at in range(9) for where in WHERE[1:])],
)
def test_stopped_beyond_its_lease_it_wakes_up_and_harms_nothing(real: Real, at: int, where: str) -> None:
    options = ["--start", "scheduled", "--at", str(at), "--where", where, "--signal", "SIGSTOP"]
    with Reader(real).reading() as reader, child(real, *options) as victim:
        _wait_until_stopped(victim.pid)
        row = _finish(real)
        os.kill(victim.pid, signal.SIGCONT)
        victim.wait(timeout=120)
        row = _finish(real)
        if real.private():  # what it had begun to write landed when the rotation was over: the next one drops it
            with child(real, "--start", "scheduled") as process:
                assert process.wait(timeout=120) == 0
            row = _finish(real)
    _nothing_is_lost(real, "scheduled", row)
    assert reader.refused == []


def _wait_until_stopped(pid: int) -> None:
    for _ in range(1200):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        time.sleep(0.1)
    raise AssertionError("the victim never reached its effect")
