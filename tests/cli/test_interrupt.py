"""Ctrl-C: once, and what is in hand is finished and told; twice, and it is over at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, SCRIPTS, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
MOMENTS = 5


def _start(scene: Scene, *words: str) -> subprocess.Popen[str]:
    """As from a terminal: who runs the tests in the background has had SIGINT ignored, and a child inherits that."""
    return subprocess.Popen(
        ["/usr/bin/env", "--default-signal=INT", str(SCRIPTS / "rotate"), *scene.with_config(words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=scene.folder,
        env=scene.environment(),
    )


def _wait_for(scene: Scene, phase: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        rows = scene.json("status")["rotations"]
        if rows and rows[0]["phase"] == phase:
            return
        time.sleep(0.02)
    raise AssertionError(f"it never came to {phase}")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_once_finishes_what_is_in_hand_says_what_is_half_way_and_the_same_command_goes_on(
    scene: Scene, sent: signal.Signals
) -> None:
    scene.policy(overlap="0s")
    scene.rewrite(defaults={"lease": "60s"})  # a claim ends with the command, and not with its lease
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.MINT, FaultKind.SLOW, seconds=1.0)
    process = _start(scene, NAME, "--wait")
    _wait_for(scene, "minting")
    process.send_signal(sent)
    out, err = process.communicate(timeout=90)
    lines = err.splitlines()
    assert process.returncode == 3
    assert "interrupted: finishing the effects in hand; again: now" in lines
    assert lines[-2:] == [
        "rotate: interrupted",
        "hint: the same command goes on; `rotator status` shows what is half-way",
    ]
    assert out.startswith(f"{NAME}: ")
    assert "done" not in out
    begun = time.monotonic()
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert time.monotonic() - begun < 30
    assert scene.alive == {"key-2"}
    assert scene.mints == 1


def test_an_emergency_of_many_interrupted_at_half_accounts_for_each_and_the_same_command_ends_it(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    names = tuple(f"c{number}" for number in range(6))
    scene = make(tmp_path, keyserver, names)
    keyserver.fail(Operation.LIST, FaultKind.SLOW, seconds=0.25, calls=None)
    words = ("--all", "--assume-compromise", "--contained", "--yes", "--parallel", "1", "--json")
    process = _start(scene, *words)
    deadline = time.monotonic() + 30
    while not scene.mints:  # the first of them is under way, and the others wait for their turn
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 3, err
    report = json.loads(out)
    assert {each["credential"] for each in report["rotations"]} == set(names)
    not_begun = [each for each in report["rotations"] if each["rotation"] is None]
    assert not_begun, "it was over before it was interrupted"
    assert {each["error"]["message"] for each in not_begun} == {"it was not begun"}
    assert report["coverage"]["proven"] < 6
    keyserver.tell(faults=())
    answer = scene.say("rotate", *words)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["coverage"]["proven"] == 6
    assert scene.mints == 6
    assert all(len(keyserver.live(name)) == 1 for name in names)


def test_twice_is_now(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    scene.rewrite(defaults={"lease": "60s"})
    scene.keyserver.fail(Operation.MINT, FaultKind.SLOW, seconds=10.0)
    process = _start(scene, NAME, "--wait")
    _wait_for(scene, "minting")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 3
    assert time.monotonic() - begun < 5
    assert "Traceback" not in err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_impatience_before_anything_was_begun_ends_the_same_way(scene: Scene, sent: signal.Signals) -> None:
    os.mkfifo(scene.folder / "slow", 0o600)
    process = _start(scene, NAME, "--admin", "ks=file:slow")
    waited_for = os.open(scene.folder / "slow", os.O_WRONLY)  # returns when it is read, and nothing is written
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(sent)
        time.sleep(0.005)
    _, err = process.communicate(timeout=90)
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
            timeout=90,
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
                again = scene.say("rotate", *words)
                assert again.code == 0, (at, done.stderr, again.err)
                assert {name: len(keyserver.live(name)) for name in "ab"} == {"a": 1, "b": 1}, at
        return done, lines

    done, lines = one(0, 0)
    assert done.returncode == 0, done.stderr
    assert lines > 100
    told = []
    for number in range(1, MOMENTS + 1):
        at = lines * number // (MOMENTS + 1)
        done, _ = one(number, at)
        assert "Traceback" not in done.stderr, (at, done.stderr)
        assert done.returncode in (0, 3), (at, done.stderr)
        if done.returncode == 3:
            told.append(at)
            assert done.stderr.splitlines()[-2] == "rotate: interrupted", (at, done.stderr)
            begun = "interrupted: finishing the effects in hand; again: now" in done.stderr.splitlines()
            assert begun == bool(done.stdout), (at, done.stdout, done.stderr)
            assert not begun or {"a", "b"} <= {line.partition(":")[0] for line in done.stdout.splitlines()}, at
    assert told
