"""How long and when, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli import words
from rotator.domain.rotation import Mode, Phase, Problem, Rotation, WaitFor, Waiting

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
BASE = Rotation(id="r", credential="c", mode=Mode.MANUAL, reason="", started_at=NOW, next_at=NOW, since=NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.42, "0.4 s"),
        (4, "4 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (7500, "2 h 5 min"),
        (172_800, "2 d"),
    ],
)
def test_a_span_is_short(seconds: float, text: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == text


def test_when_is_said_from_now() -> None:
    assert words.ago(NOW - timedelta(hours=3), NOW) == "3 h ago"
    assert words.ago(NOW + timedelta(days=29), NOW) == "in 29 d"
    assert words.ago(NOW, NOW) == "now"
    assert words.ago(None, NOW) == "—"


def _waiting(for_: WaitFor, note: str, seconds: float = 90) -> Rotation:
    until = NOW + timedelta(seconds=seconds) if seconds < 10**9 else NEVER
    waiting = Waiting(until=until, for_=for_, note=note)
    return replace(BASE, phase=Phase.LIVE, waiting=waiting)


@pytest.mark.parametrize(
    ("for_", "seconds", "text"),
    [
        (WaitFor.TIME, 90, "90 s to go: note"),
        (WaitFor.TIME, -1, "note"),
        (WaitFor.QUIET, 90, "waits for quiet, 90 s to go: note"),
        (WaitFor.PERSON, 10**11, "waits for a person: note"),
        (WaitFor.WINDOW, 90, "waits for the window, 90 s to go: note"),
    ],
)
def test_what_is_waited_for_is_said_with_the_time_that_is_left(for_: WaitFor, seconds: float, text: str) -> None:
    assert words.detail(_waiting(for_, "note", seconds), NOW) == text


def test_a_failure_says_when_it_is_tried_again() -> None:
    row = replace(_waiting(WaitFor.TIME, "down", 2), attempts=1, problem=Problem(message="the server is down"))
    assert words.detail(row, NOW) == "tries again in 2 s: the server is down"


def test_control_characters_of_others_are_not_shown() -> None:
    problem = Problem(message="evil\x1b[2Jtext", hint="see\nit")
    row = replace(BASE, phase=Phase.STUCK, problem=problem)
    assert words.details(row, NOW) == ("evil·[2Jtext", "hint: see·it")
