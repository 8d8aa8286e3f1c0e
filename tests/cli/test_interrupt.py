"""Ctrl-C: once, and what is in hand is finished and told; twice, and it is over at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import LEASE, NAME, SCRIPTS, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
MOMENTS = 5


def _start(scene: Scene, *words: str, command: tuple[str, ...] = (str(SCRIPTS / "rotate"),)) -> subprocess.Popen[str]:
    """As from a terminal: who runs the tests in the background has had SIGINT ignored, and a child inherits that."""
    return subprocess.Popen(
        ["/usr/bin/env", "--default-signal=INT", *command, *scene.with_config(words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=scene.folder,
        env=scene.environment(),
    )


def _hold_a_mint(scene: Scene) -> None:
    """It is done, and answered when it is let go of: a fifth of the lease is longer than that takes."""
    scene.rewrite(defaults={"lease": "10m"})
    scene.keyserver.fail(Operation.MINT, FaultKind.HELD)


def _in_hand(keyserver: Keyserver, names: Sequence[str] = (NAME,)) -> None:
    """Returns when a mint is under way."""
    deadline = time.monotonic() + 60
    while not any(len(keyserver.live(name)) > 1 for name in names):
        assert time.monotonic() < deadline, "nothing was minted"
        time.sleep(0.02)


def _told(process: subprocess.Popen[str], word: str) -> list[str]:
    """The lines on standard error up to the one with this word in it."""
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or word not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], f"it ended without {word}: {lines}"
    return lines


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_once_finishes_what_is_in_hand_says_what_is_half_way_and_the_same_command_goes_on(
    scene: Scene, sent: signal.Signals
) -> None:
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    _hold_a_mint(scene)
    process = _start(scene, NAME, "--wait")
    _in_hand(scene.keyserver)
    process.send_signal(sent)
    said = _told(process, "interrupted")
    scene.keyserver.tell(faults=())
    out, err = process.communicate(timeout=200)
    lines = ("".join(said) + err).splitlines()
    assert process.returncode == 3
    assert "interrupted: finishing the effects in hand; again: now" in lines
    assert lines[-2:] == [
        "rotate: interrupted",
        "hint: the same command goes on; `rotator status` shows what is half-way",
    ]
    assert out.startswith(f"{NAME}: ")
    assert "done" not in out
    with scene.journal() as journal:
        left = journal.open_rotation(NAME)
    assert left is not None
    assert (left.owner, left.clean) == (None, True), "a claim ends with the command, and not with its lease"
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert scene.alive == {"key-2"}
    assert scene.mints == 1


def test_an_emergency_of_many_interrupted_at_half_accounts_for_each_and_the_same_command_ends_it(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    names = tuple(f"c{number}" for number in range(6))
    scene = make(tmp_path, keyserver, names)
    words = ("--all", "--assume-compromise", "--contained", "--yes", "--parallel", "1", "--json")
    scene.lease("10m")
    keyserver.fail(Operation.MINT, FaultKind.HELD)
    process = _start(scene, *words)
    _in_hand(keyserver, names)  # the first of them is under way, and the others wait for their turn
    process.send_signal(signal.SIGINT)
    _told(process, "finishing the effects in hand")
    keyserver.tell(faults=())
    out, err = process.communicate(timeout=200)
    assert process.returncode == 3, err
    report = json.loads(out)
    assert {each["credential"] for each in report["rotations"]} == set(names)
    not_begun = [each for each in report["rotations"] if each["rotation"] is None]
    assert not_begun, "it was over before it was interrupted"
    assert {each["error"]["message"] for each in not_begun} == {"it was not begun"}
    assert report["coverage"]["proven"] < 6
    scene.lease(LEASE, instead_of="10m")
    answer = scene.say("rotate", *words)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["coverage"]["proven"] == 6
    assert scene.mints == 6
    assert all(len(keyserver.live(name)) == 1 for name in names)


def test_twice_is_now(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    _hold_a_mint(scene)
    process = _start(scene, NAME, "--wait")
    _in_hand(scene.keyserver)
    process.send_signal(signal.SIGINT)
    _told(process, "finishing the effects in hand")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 3
    assert err.endswith("interrupted again: what was in hand is found by the next run\n"), "it is held to this moment"
    assert "Traceback" not in err


SLOWLY_SAID = """
import sys, time
from rotator.cli import errors, main
said = errors.tell
errors.tell = lambda *words, **more: time.sleep(0.5) or said(*words, **more)
main.console(["rotate", *sys.argv[1:]], "rotate")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("command", [(str(SCRIPTS / "rotate"),), (sys.executable, "-c", SLOWLY_SAID)], ids=["", "slow"])
def test_impatience_before_anything_was_begun_ends_the_same_way(
    scene: Scene, command: tuple[str, ...], sent: signal.Signals
) -> None:
    os.mkfifo(scene.folder / "slow", 0o600)
    process = _start(scene, NAME, "--admin", "ks=file:slow", command=command)
    waited_for = os.open(scene.folder / "slow", os.O_WRONLY)  # returns when it is read, and nothing is written
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(sent)
        time.sleep(0.005)
    _, err = process.communicate(timeout=200)
    os.close(waited_for)
    assert process.returncode == 3
    assert err.splitlines() == ["rotate: interrupted", "hint: `rotator status` shows what is half-way"]
    assert scene.mints == 0


def _traced(scene: Scene, at: int, *words: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """The command, interrupted at this line of what begins and runs rotations; and how many lines there were."""
    counted = scene.folder / "counted"
    counted.unlink(missing_ok=True)
    with scene.leased_for(words):
        done = subprocess.run(
            [
                *("/usr/bin/env", "--default-signal=INT", sys.executable),
                *(str(Path(__file__).with_name("interrupting.py")), str(counted), str(at), *scene.with_config(words)),
            ],
            capture_output=True,
            text=True,
            cwd=scene.folder,
            env=scene.environment(),
            timeout=240,
            check=False,
        )
    return done, int(counted.read_text()) if counted.exists() else 0


EMERGENCY = ("--all", "--assume-compromise", "--contained", "--yes", "--parallel", "2")


@pytest.mark.parametrize("words", [EMERGENCY, ("a", "b", "--wait")], ids=["emergency", "manual"])
def test_at_whatever_moment_it_is_told_in_order_and_the_same_command_ends_it(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    def one(number: int, at: int) -> tuple[subprocess.CompletedProcess[str], int]:
        folder = tmp_path / str(number)
        folder.mkdir()
        with Keyserver() as keyserver:
            scene = make(folder, keyserver, ("a", "b"))
            scene.policy(overlap="0s")
            done, lines = _traced(scene, at, *words)
            if at:
                again = scene.run(*words, script="rotate")
                assert again.code == 0, (at, done.stderr, again.err)
                assert {name: len(keyserver.live(name)) for name in "ab"} == {"a": 1, "b": 1}, at
        return done, lines

    done, lines = one(0, 0)
    assert done.returncode == 0, done.stderr
    assert lines > 100
    told = []
    moments = [(number, lines * number // (MOMENTS + 1)) for number in range(1, MOMENTS + 1)]
    with ThreadPoolExecutor(3) as pool:  # they wait for the most part
        ended = pool.map(lambda moment: one(*moment), moments)
    for (_, at), (done, _) in zip(moments, ended, strict=True):
        assert "Traceback" not in done.stderr, (at, done.stderr)
        assert done.returncode in (0, 3), (at, done.stderr)
        if done.returncode == 3:
            told.append(at)
            assert done.stderr.splitlines()[-2] == "rotate: interrupted", (at, done.stderr)
            begun = "interrupted: finishing the effects in hand; again: now" in done.stderr.splitlines()
            assert begun == bool(done.stdout), (at, done.stdout, done.stderr)
            assert not begun or {"a", "b"} <= {line.partition(":")[0] for line in done.stdout.splitlines()}, at
    assert told
