"""Several things are waited for at once, and one that comes and goes is not believed too early."""

from __future__ import annotations

import pytest

from rotator.app.watching import Watch, watch


class Hands:
    """A clock that moves while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, *watches: Watch) -> None:
        watch(*watches, sleep=self.sleep, now=lambda: self.now)


def test_each_has_its_own_time() -> None:
    clock = Hands()
    one, other = Watch(lambda: clock.now >= 1.0, 10), Watch(lambda: clock.now >= 4.0, 10)
    clock.run(one, other)
    assert one.seconds == pytest.approx(1.0, abs=0.6)
    assert other.seconds == pytest.approx(4.0, abs=0.6)


def test_what_does_not_come_to_be_is_given_up_and_the_other_is_not() -> None:
    clock = Hands()
    never, late = Watch(lambda: False, 2.0), Watch(lambda: clock.now >= 5.0, 10)
    clock.run(never, late)
    assert never.seconds is None
    assert late.seconds == pytest.approx(5.0, abs=0.6)


def test_what_comes_and_goes_is_there_when_it_stays() -> None:
    clock = Hands()
    flapping = Watch(lambda: clock.now >= 8.0 or int(clock.now * 2) % 3 != 0, 60, steady=True)
    clock.run(flapping)
    assert flapping.seconds is not None
    assert flapping.seconds > 6.5
