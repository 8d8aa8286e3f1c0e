"""A deadline, with a clock that stands where the test puts it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from rotator.app.deadline import Deadline


class Standing:
    """A clock."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2000, 1, 1, tzinfo=UTC)

    def boottime(self) -> float:
        return self.seconds


def test_it_is_near_as_soon_as_what_is_in_hand_might_not_be_over_in_time() -> None:
    clock = Standing()
    deadline = Deadline(clock, timedelta(seconds=100), timedelta(seconds=60))
    assert not deadline.near()
    clock.seconds += 39.9
    assert not deadline.near()
    clock.seconds += 0.1
    assert deadline.near()


def test_it_stops_what_runs_when_it_comes_near() -> None:
    deadline = Deadline(Standing(), timedelta(seconds=60.05), timedelta(seconds=60))
    stopped = threading.Event()
    with deadline.stopping(stopped.set):
        assert stopped.wait(30)


def test_it_stops_at_once_what_begins_too_late() -> None:
    clock = Standing()
    deadline = Deadline(clock, timedelta(seconds=100), timedelta(seconds=60))
    clock.seconds += 50
    said: list[str] = []
    with deadline.stopping(lambda: said.append("stop")):
        assert said == ["stop"]


def test_what_is_over_before_is_left_alone() -> None:
    said: list[str] = []
    before = set(threading.enumerate())
    with Deadline(Standing(), timedelta(seconds=120), timedelta(seconds=60)).stopping(lambda: said.append("stop")):
        (waiting,) = set(threading.enumerate()) - before
    waiting.join(30)
    assert (waiting.is_alive(), said) == (False, []), "who would have stopped it has gone"
