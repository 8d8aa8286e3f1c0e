"""The honest estimate, by invented clocks: wide at first, never a promise that what was measured does not bear."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.pace import Course, Estimate, NotYet, end_of, end_of_all

BEGAN = datetime(2026, 3, 24, 3, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def course(arrived: Sequence[float], left: int, **more: Sequence[datetime]) -> Course:
    return Course(began=BEGAN, arrived=tuple(map(at, arrived)), left=left, **more)


def estimate(of: Course, now: float) -> Estimate:
    found = end_of(of, at(now))
    assert isinstance(found, Estimate)
    return found


def test_where_nothing_is_left_there_is_no_end() -> None:
    assert end_of_all([course([1, 2], 0)], at(3)) is None
    assert end_of_all([], at(3)) is None


@pytest.mark.parametrize(
    ("arrived", "left"),
    [([], 1), ([], 100), ([5], 9), ([5, 6], 9), ([5, 6, 7], 997), ([5 + each / 10 for each in range(19)], 981)],
)
def test_too_little_was_seen_to_say_anything(arrived: list[float], left: int) -> None:
    assert end_of(course(arrived, left), at(10)) == NotYet()


@pytest.mark.parametrize(
    ("arrived", "left"), [([5], 1), ([5, 6], 1), ([5, 6, 7], 9), ([5 + each / 10 for each in range(20)], 980)]
)
def test_enough_was_seen(arrived: list[float], left: int) -> None:
    assert isinstance(end_of(course(arrived, left), at(10)), Estimate)


def test_what_is_certain_is_said_where_nobody_can_say_more() -> None:
    waits = (at(61), at(75))
    assert end_of(course([], 100, waits=waits), at(10)) == NotYet(not_before=at(75))
    assert end_of_all([course([], 100, waits=waits)], at(80)) == NotYet()  # that is over, and says nothing more


def test_an_even_pace_ends_where_it_leads() -> None:
    seen = estimate(course([10 * each for each in range(1, 51)], 50), 500)
    assert at(1000) <= seen.earliest <= seen.latest == at(1000)


def test_a_slow_start_keeps_the_range_open_until_more_is_seen() -> None:
    early = estimate(course([100 + each for each in range(5)], 95), 105)
    late = estimate(course([100 + each for each in range(90)], 10), 190)
    assert early.earliest < at(240)
    assert early.latest > at(2000)
    assert late.latest - late.earliest < timedelta(seconds=15)
    assert late.earliest <= at(200) <= late.latest


def test_while_nothing_arrives_both_ends_move_away() -> None:
    of = course([10, 11, 12, 13], 16)
    before, after = estimate(of, 14), estimate(of, 200)
    assert after.earliest - at(200) > before.earliest - at(14)
    assert after.latest - at(200) > before.latest - at(14)


def test_nothing_ends_before_what_is_waited_for() -> None:
    seen = estimate(course([5, 6, 7], 1, waits=(at(600),)), 8)
    assert at(600) <= seen.earliest < seen.latest


def test_all_at_the_same_instant_is_no_promise_of_now() -> None:
    seen = estimate(course([60] * 64, 936), 60)
    assert seen.latest > at(900)


def test_who_waits_only_for_a_last_look_has_an_end_that_is_known() -> None:
    seen = estimate(course([], 2, ending=(at(120), at(100))), 20)
    assert seen.earliest == at(120)
    assert at(120) < seen.latest < at(140)
    overdue = estimate(course([], 1, ending=(at(15),)), 20)
    assert at(20) <= overdue.earliest < overdue.latest


def test_who_waits_for_a_last_look_does_not_widen_the_range_of_the_others() -> None:
    arrived = [100 + each for each in range(10)]
    without = estimate(course(arrived, 2), 110)
    beside = estimate(course(arrived, 52, ending=[at(112)] * 50), 110)
    assert beside.latest == without.latest
    assert estimate(course(arrived, 52, ending=[at(900)] * 50), 110).earliest == at(900)


def test_the_slowest_provider_decides_and_one_that_cannot_be_told_leaves_nothing_to_say() -> None:
    fast, slow = course([1, 2, 3, 4], 4), course([10, 20, 30, 40], 40)
    both = end_of_all([fast, slow], at(40))
    assert both == end_of(slow, at(40))
    none = end_of_all([fast, slow, course([], 5, waits=(at(90),))], at(40))
    assert isinstance(none, NotYet)
    assert none.not_before == max(estimate(slow, 40).earliest, at(90))
