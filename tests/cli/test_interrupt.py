"""Ctrl-C: once, and what is in hand is finished and told; twice, and it is over at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, SCRIPTS, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


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


def test_once_finishes_what_is_in_hand_says_what_is_half_way_and_the_same_command_goes_on(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.rewrite(defaults={"lease": "60s"})  # a claim ends with the command, and not with its lease
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.MINT, FaultKind.SLOW, seconds=1.0)
    process = _start(scene, NAME, "--wait")
    _wait_for(scene, "minting")
    process.send_signal(signal.SIGINT)
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


def test_impatience_before_anything_was_begun_ends_the_same_way(scene: Scene) -> None:
    os.mkfifo(scene.folder / "slow", 0o600)
    process = _start(scene, NAME, "--admin", "ks=file:slow")
    waited_for = os.open(scene.folder / "slow", os.O_WRONLY)  # returns when it is read, and nothing is written
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)
    _, err = process.communicate(timeout=90)
    os.close(waited_for)
    assert process.returncode == 3
    assert err.splitlines() == ["rotate: interrupted", "hint: `rotator status` shows what is half-way"]
    assert scene.mints == 0
