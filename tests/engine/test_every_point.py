"""A crash, an operator or an emergency at every single point of a rotation: before and after each commit and effect.

Wherever it comes, one key lives in the end, every store has it, nothing is left in a pending place, and the trail has
an outcome for each intent that no crash cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.credential import PlaceKind
from rotator.domain.keys import OVERLAP, UNMARKED, Disabling, KeyState, Strategy
from rotator.domain.records import EventKind, Verb
from rotator.domain.rotation import Mode
from rotator.engine.starting import assume_compromise
from rotator.engine.worker import Worker
from tests.engine.small_world import NAME, START, TIMING, SmallWorld

SECOND, LAG, LONG = timedelta(seconds=1), timedelta(seconds=30), timedelta(days=12)


class Crash(BaseException):
    """The process is gone."""


def crash(small: SmallWorld) -> None:
    raise Crash


def ask(*verbs: Verb) -> Callable[[SmallWorld], None]:
    def asks(small: SmallWorld) -> None:
        with suppress(LookupError):  # it is over
            for verb in verbs:
                small.journal.ask(NAME, verb, "a test", small.clock.now())

    return asks


def emergency(small: SmallWorld, **fields: Any) -> None:
    lease = TIMING.lease
    assume_compromise(small.spec, small.journal, small.others, small.clock, owner="you", lease=lease, **fields)


HAPPENS: dict[str, Callable[[SmallWorld], None]] = {
    "crash": crash,
    "rollback": ask(Verb.ROLLBACK),
    "hold and release": ask(Verb.HOLD, Verb.RELEASE),
    "emergency, exposed until the beginning": lambda small: emergency(small, exposure_end=START),
    "emergency, exposed until now": emergency,
    "emergency that contains": lambda small: emergency(small, contain_first=True),
}


def begun(mode: Mode, strategy: Strategy) -> SmallWorld:
    """A rotation that waits for its first worker, at a provider with all that makes it hard."""
    small = SmallWorld(strategy=strategy)
    small.publish("k1")
    small.provider.offers = replace(small.provider.offers, disabling=Disabling.REVERSIBLE, list_lag=LAG, cap=2)
    small.begin(mode, exposure_end=START if mode in (Mode.COMPROMISE, Mode.CONTAIN_FIRST) else None)
    small.clock.move(TIMING.lease)
    return small


def run(small: SmallWorld, at: int, happens: Callable[[SmallWorld], None]) -> int:
    """Run it to its end, whatever happens at one point; how many points there were."""
    points = 0

    def point() -> None:
        nonlocal points
        points += 1
        if points == at:
            happens(small)

    commit = small.journal.commit

    def commits(*given: Any, **more: Any) -> Any:
        point()
        requests = commit(*given, **more)
        point()
        return requests

    small.journal.commit = commits  # type: ignore[method-assign]
    followed(small.provider, point, "mint", "set_state")
    for store in small.store.values():
        followed(store, point, "write", "remove")
    end = small.clock.now() + LONG
    while small.journal.open_rotation(NAME) is not None and small.clock.now() < end:
        work(small)
    return points


def followed(port: object, point: Callable[[], None], *names: str) -> None:
    """Let a point follow each of these effects."""

    def with_point(effect: Callable[..., Any]) -> Callable[..., Any]:
        def does(*given: Any) -> Any:
            result = effect(*given)
            point()
            return result

        return does

    for name in names:
        setattr(port, name, with_point(getattr(port, name)))


def work(small: SmallWorld) -> None:
    """What is due is run; then the time comes at which something is."""
    worker = Worker("me", small.journal, {NAME: small.spec}, lambda _: small.world)
    try:
        for row, at in worker.claim(small.world, 1):
            worker.run(row, at)
    except Crash:
        small.clock.move(TIMING.lease)
    due = small.committed().next_at - small.clock.now()
    small.clock.move(min(max(due, SECOND), timedelta(hours=3)))


@pytest.mark.parametrize("name", HAPPENS)
@pytest.mark.parametrize("strategy", [OVERLAP, UNMARKED], ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("mode", Mode)
def test_whatever_happens_at_any_point_it_ends_well(mode: Mode, strategy: Strategy, name: str) -> None:
    points = run(begun(mode, strategy), 0, crash)
    assert points > 30
    for at in range(1, points + 1):
        small = begun(mode, strategy)
        run(small, at, HAPPENS[name])
        current = small.credential().current
        living = [key.id for key in small.provider.held.values() if key.state is not KeyState.DELETED]
        assert (small.journal.open_rotation(NAME), living) == (None, [current]), at
        value = {"API_KEY": small.provider.values[living[0]].reveal("secret")}
        for store in small.store.values():
            assert store.held[(PlaceKind.CURRENT, "")][1] == value, at
            assert PlaceKind.PENDING not in {kind for kind, _ in store.held}, at
        kinds = [each.event.kind for each in small.journal.events()]
        if name != "crash" and not name.startswith("emergency"):  # else its owner is gone in the middle
            assert kinds.count(EventKind.INTENT) == kinds.count(EventKind.OUTCOME), at
