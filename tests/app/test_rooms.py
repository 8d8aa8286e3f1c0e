"""How many rotations of one provider are in hand: as many as its turns have use for, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.app.rooms import LEAST, LINE, Rooms


@dataclass
class Line:
    """The turns of a provider."""

    interval: float
    waiting: int = 0


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def filled(rooms: Rooms) -> int:
    """How many enter before there is no room."""
    entered = 0
    while rooms.free("p"):
        rooms.enter("p")
        entered += 1
    return entered


def test_half_a_second_of_turns_is_in_hand_and_at_least_two() -> None:
    assert filled(Rooms(lambda name: Line(interval=1 / 20), Clock())) == 20 * LINE
    assert filled(Rooms(lambda name: Line(interval=60.0), Clock())) == LEAST


def test_without_a_rate_there_is_always_room() -> None:
    rooms = Rooms(lambda name: Line(interval=0.0))
    for _ in range(1000):
        assert rooms.free("p")
        rooms.enter("p")


def test_whoever_leaves_makes_room() -> None:
    rooms = Rooms(lambda name: Line(interval=0.05), Clock())
    filled(rooms)
    rooms.leave("p")
    assert filled(rooms) == 1


def test_where_calls_take_longer_than_that_one_more_comes_each_turn_until_somebody_waits() -> None:
    line, clock = Line(interval=0.05), Clock()
    rooms = Rooms(lambda name: line, clock)
    filled(rooms)
    clock.now += 0.06
    assert filled(rooms) == 1, "nobody stands in line, so a turn goes by unused"
    clock.now += 0.06
    line.waiting = 1
    assert filled(rooms) == 0


def test_one_provider_takes_no_room_from_another() -> None:
    rooms = Rooms(lambda name: Line(interval=0.05 if name == "p" else 0.01), Clock())
    filled(rooms)
    assert rooms.free("q")
