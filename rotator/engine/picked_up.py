"""What a row knows of its consumers: pure functions, for whoever owns the row, asks something of it, or shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.consumers import ConsumerState, PickedUp
from rotator.domain.records import Request
from rotator.domain.rotation import Phase, Rotation

TELLING = frozenset({Phase.LIVE, Phase.RETIRING, Phase.WITHDRAWING, Phase.SWEEPING})
"""The phases whose steps tell consumers."""
MEASURES = 5
"""So many of a consumer's latest pick-ups are reckoned with."""


def takes_acknowledgements(row: Rotation) -> bool:
    """Whether consumers can have this rotation's new key, and are to have it."""
    phase = row.parked_from or row.phase
    there = phase in (Phase.PROMOTING, Phase.LIVE, Phase.RETIRING, Phase.SWEEPING) and row.new_key is not None
    return row.open and there and row.promotion_intended and row.ends_as is not Phase.ROLLED_BACK


def acknowledged(row: Rotation, request: Request) -> Rotation:
    """The row after a request to note an acknowledgement; unchanged by one of another rotation, and the second time."""
    rotation, _, name = request.why.partition(" ")
    return picked_up(row, name, request.at) if rotation == row.id and takes_acknowledgements(row) else row


def picked_up(row: Rotation, name: str, at: datetime) -> Rotation:
    """The row in which this consumer has proved that it has the new key; it need not be told of it any more."""
    state = row.consumer(name) or ConsumerState(name=name, since=at)
    if state.acknowledged:
        return row
    known = replace(state, how=PickedUp.ACKNOWLEDGED, picked_up_at=max(at, state.since), tell_at=None, trouble=None)
    return row.with_consumer(known)


def next_telling(row: Rotation) -> datetime | None:
    """When the next consumer is to be told; None when there is nobody, and where nobody is told."""
    if row.phase not in TELLING:
        return None
    return min((each.tell_at for each in row.consumers if each.tell_at is not None), default=None)


def times(rows: Iterable[Rotation], consumer: str) -> tuple[timedelta, ...]:
    """How long the consumer took to pick up in the latest of these rotations, which are given newest first."""
    states = (row.consumer(consumer) for row in rows)
    measured = [state.took for state in states if state is not None and state.took is not None]
    return tuple(measured[:MEASURES])
