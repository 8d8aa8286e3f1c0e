"""A clock that jumps, and time that must pass: the real commands in this process, with a clock that the test moves."""

from __future__ import annotations

import math
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from rotator.adapters.machine import MachineClock
from rotator.app.assembly import Assembly
from rotator.app.journals import close_journal
from rotator.cli.context import load
from rotator.cli.main import build
from rotator.cli.session import carry_out
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Answer, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
DAY = timedelta(days=1)


class MovedClock(MachineClock):
    """The machine's clock, so much ahead."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


def at(clock: MovedClock, scene: Scene, *words: str) -> Answer:
    """`rotate` with these words at that time."""
    arguments = ["rotate", *scene.with_config(words)]
    out, err = StringIO(), StringIO()
    args = build("rotate", arguments).parse_args(arguments)
    with scene.leased_for(words):
        assembly = Assembly(config=load(args), clock=clock)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = carry_out(args, assembly)
    finally:
        close_journal(assembly)
    return Answer(code=code, out=out.getvalue(), err=err.getvalue())


def test_a_deleted_key_that_lives_on_is_stuck_and_says_so(tmp_path: Path) -> None:
    clock = MovedClock()
    with Keyserver(Behaviour(death=math.inf, disable=False)) as keyserver:
        scene = make(tmp_path, keyserver, disable=False)
        scene.policy(overlap="0s")
        answer = at(clock, scene, NAME)
        assert answer.code == 0
        assert "key-1 is deleted but not yet refused" in answer.out
        clock.ahead = timedelta(minutes=11)
        answer = at(clock, scene, "--due")
        assert answer.code == 3
        assert f"{NAME}: stuck: key-1 was deleted and still works" in answer.out
        assert f"delete it in the provider's console, then `rotator resume {NAME}`" in answer.out
        keyserver.tell(death=0.0)
        scene.say("resume", NAME)
        assert at(clock, scene, NAME, "--wait").code == 0


def test_a_rotation_waits_in_the_open_when_the_clock_is_set_back_and_nothing_is_lost(scene: Scene) -> None:
    clock = MovedClock(ahead=DAY)
    assert at(clock, scene, NAME).code == 0
    clock.ahead = timedelta(0)
    answer = at(clock, scene, "--due")
    assert answer.code == 0
    assert "dies not before" in answer.out
    assert "in 24 h" in answer.out or "in 23 h 59 min" in answer.out
    assert scene.alive == {"key-1", "key-2"}
    assert scene.mints == 1
    clock.ahead = DAY + timedelta(seconds=2)
    assert at(clock, scene, NAME, "--wait").code == 0
    assert scene.alive == {"key-2"}


def test_a_due_time_from_a_clock_that_ran_ahead_is_corrected(scene: Scene) -> None:
    clock = MovedClock(ahead=1000 * DAY)
    at(clock, scene, "--due")
    clock.ahead = timedelta(0)
    assert at(clock, scene, "--due").code == 0
    journal = scene.journal()
    try:
        due = journal.credential(NAME).next_due
    finally:
        journal.close()
    assert due is not None
    assert due <= clock.now() + 31 * DAY
    assert scene.mints == 0


def test_a_claim_of_a_clock_that_ran_ahead_is_told_and_not_waited_for(scene: Scene) -> None:
    scene.policy(overlap="1s")
    scene.say("rotate", NAME)
    journal, clock = scene.journal(), MovedClock()
    try:
        lease = timedelta(seconds=2)
        assert journal.claim(owner="gone", now=clock.now() + DAY, lease=lease, limit=1)
    finally:
        journal.close()
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 3
    assert "which no lease lasts: a clock was wrong" in answer.out
    assert scene.alive == {"key-1", "key-2"}
    assert scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes").code == 0
    assert len(scene.alive) == 1


def test_a_clock_set_back_in_an_emergency_ends_with_the_old_key_dead(scene: Scene) -> None:
    clock = MovedClock(ahead=DAY)
    words = [NAME, "--assume-compromise", "--contained", "--yes", "--no-wait"]
    at(clock, scene, *words)
    clock.ahead = timedelta(0)
    answer = at(clock, scene, NAME, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0, answer.out + answer.err
    assert len(scene.alive) == 1
