"""Consumers in words: who has not moved, since when it was told and how, how long it takes, what it will feel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rotator.cli import words
from rotator.cli.terminal import clean
from rotator.domain.consumers import ConsumerState
from rotator.domain.rotation import Phase, Rotation
from rotator.engine import picked_up

if TYPE_CHECKING:
    from rotator.app.planning import Planned


def not_moved(row: Rotation, now: datetime) -> Iterator[str]:
    """One line with all that have not moved to the new key, while that matters."""
    if row.phase is not Phase.LIVE:
        return
    left = [f"{each.name} ({_told(each, now)})" for each in row.consumers if each.how is None]
    if left:
        yield clean(f"not moved yet: {', '.join(left)}")


def standing(state: ConsumerState, now: datetime) -> str:
    """How one consumer stands with this rotation."""
    if state.took is not None:
        return f"acknowledged {words.span(state.took)} after it was there"
    moved = f"moved, by {state.how.value}" if state.how is not None else "has not moved"
    return f"{moved}; {_told(state, now)}"


def _told(state: ConsumerState, now: datetime) -> str:
    if not state.way:
        return "reads by itself"
    if state.trouble is not None:
        again = f", again in {words.span(state.tell_at - now)}" if state.tell_at is not None else ""
        return f"not told by {state.way}: {state.trouble}{again}"
    if state.told_at is not None:
        return f"told by {state.way} {words.ago(state.told_at, now)}"
    if state.tell_at is not None:
        return f"to be told by {state.way} in {words.span(state.tell_at - now)}"
    return f"not told by {state.way}: it need not be"


def measured(past: Sequence[Rotation], consumer: str) -> str:
    """How long it took in the latest rotations."""
    return _within(picked_up.times(past, consumer))


def _within(times: Sequence[timedelta]) -> str:
    if not times:
        return "its pick-up was never measured"
    often = "once" if len(times) == 1 else f"{len(times)} times"
    return f"picks up within {words.span(max(times))} (measured {often})"


def predicted(each: Planned, consumer: str) -> str:
    """For how long it will have no working key in an emergency, by what was measured and by nothing else."""
    times = each.pick_up.get(consumer, ())
    if not times:
        return f"{_within(times)}, so nobody can say for how long it fails"
    without = (each.outage or timedelta(0)) + max(times) - (timedelta(0) if each.outage else each.overlap)
    if without <= timedelta(0):
        return f"nothing; it {_within(times)}"
    return f"no working key for about {words.span(without)}; it {_within(times)}"
