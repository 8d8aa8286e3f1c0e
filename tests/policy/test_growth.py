"""How a plan differs from what a person was shown last."""

from __future__ import annotations

import pytest

from rotator.policy.growth import Growth


def names(number: int, first: int = 0) -> list[str]:
    return [f"c{each}" for each in range(first, first + number)]


def test_the_same_in_another_order_is_no_growth() -> None:
    growth = Growth.between(["a", "b"], ["b", "a", "b"])
    assert (growth.new, growth.gone, growth.fivefold) == ((), (), False)


def test_what_took_anothers_place_is_new() -> None:
    growth = Growth.between(["a", "b"], ["a", "c"])
    assert (growth.new, growth.gone) == (("c",), ("b",))


@pytest.mark.parametrize(
    ("before", "now", "loud"),
    [(1, 4, False), (1, 5, True), (2, 9, False), (2, 10, True), (0, 3, False), (0, 4, True), (20, 100, True)],
)
def test_from_five_times_as_many_on_it_is_loud(before: int, now: int, loud: bool) -> None:
    assert Growth.between(names(before), names(now)).fivefold is loud


def test_less_is_never_loud() -> None:
    assert not Growth.between(names(100), names(5)).fivefold


def test_growth_in_small_steps_is_measured_against_the_first_showing_too() -> None:
    growth = Growth.between(names(4), names(16), first=names(1))
    assert growth.fivefold
    assert growth.measured == tuple(names(1))
    assert not Growth.between(names(16), names(16), first=names(1)).fivefold  # nothing is new
    assert Growth.between(names(2), names(10), first=names(1)).measured == tuple(names(2))
