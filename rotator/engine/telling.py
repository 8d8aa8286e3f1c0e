"""Telling consumers that the value changed: spread out, again after a failure, again when the old value is put back.

When each is told is in the row, so that it survives a crash and another owner. Nobody sleeps for it: whoever looks at
the row tells those whose time has come. It never holds the rotation up, and never keeps a stolen key alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TypeVar

from rotator.domain.consumers import ConsumerState, Happened, Heard, News, Published
from rotator.domain.failures import Conflict, Denied, Failure, LeaseOver, Permanent, Transient
from rotator.domain.rotation import Phase, Waiting
from rotator.engine import acknowledging, picked_up
from rotator.engine.recorded import Pause, Recorded

T = TypeVar("T")

BATCH = 16
"""So many are told at the same time, and in one look that something else may wait for."""
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_EMERGENCY_PAUSE = timedelta(seconds=10), timedelta(hours=1), timedelta(minutes=1)
"""Between two attempts to tell one consumer; doubled each time."""


def begin(rotation: Recorded) -> None:
    """The stores have another value now: every consumer has something to pick up, and is to be told.

    One that has proved already that it has the new key need not be; nothing is left of that when the old one is back.
    """
    back = _goes_back(rotation)
    rotation.update(
        consumers=tuple(_to_be_told(rotation, name, back=back) for name in dict.fromkeys(rotation.spec.consumers))
    )


def _to_be_told(rotation: Recorded, name: str, *, back: bool) -> ConsumerState:
    now, known = rotation.now(), rotation.row.consumer(name)
    if known is not None and known.acknowledged and not back:
        return replace(known, since=now)
    way = rotation.world.consumers.way(name)
    if way is None:
        return ConsumerState(name=name, since=now)
    return ConsumerState(name=name, since=now, way=way.kind, tell_at=now + delay(rotation, name, way.spread))


def delay(rotation: Recorded, name: str, spread: timedelta) -> timedelta:
    """The consumer's own share of the spread, always the same; at most half the overlap, and none in an emergency."""
    rules = rotation.row.rules
    if rules.emergency:
        return timedelta(0)
    share = int.from_bytes(sha256(name.encode()).digest()[:4], "big") / 2**32
    return min(spread, rules.overlap(rotation.spec.policy) / 2) * share


def tell_due(rotation: Recorded) -> None:
    """Tell those whose time has come, at most a batch of them: it takes no longer than one request."""
    _forget_undeclared(rotation)
    _tell(rotation, [each for each in rotation.row.consumers if _due(rotation, each)][:BATCH])


def tell_rest(rotation: Recorded) -> None:
    """Where a phase is over: tell everybody whom nobody tried to tell yet."""
    while rest := [each for each in rotation.row.consumers if each.never_tried][:BATCH]:
        _tell(rotation, rest)


def beside(step: Callable[[Recorded], T]) -> Callable[[Recorded], T]:
    """The step, and then whoever is still to be told: behind its own work, which may be a stolen key's end.

    Whether it waits or fails: what the consumers should know has happened already, unless it turns back just now. The
    step's own failure is what is saved.
    """

    def both(rotation: Recorded) -> T:
        try:
            result = step(rotation)
        except (Pause, Transient, Denied, Permanent, Conflict) as why:
            if not (isinstance(why, Permanent) and rotation.row.ends_as is None and not rotation.row.beyond_pivot):
                with suppress(Pause, LeaseOver):
                    tell_due(rotation)
            raise
        tell_due(rotation)
        if not isinstance(result, Waiting):
            tell_rest(rotation)
        return result

    return both


def _due(rotation: Recorded, state: ConsumerState) -> bool:
    if state.tell_at is None:
        return False
    return state.tell_at <= rotation.now() or (state.never_tried and rotation.row.rules.emergency)


def _forget_undeclared(rotation: Recorded) -> None:
    """Who is no longer in the config is not told; what is known of it stays."""
    for state in rotation.row.consumers:
        if state.tell_at is not None and state.name not in rotation.spec.consumers:
            rotation.row = rotation.row.with_consumer(replace(state, tell_at=None))


def _tell(rotation: Recorded, states: Sequence[ConsumerState]) -> None:
    if not states:
        return
    news = news_of(rotation, states[0])
    answers = rotation.tell([each.name for each in states], news)
    for state in states:
        answer = answers[state.name]
        failure = _heard(rotation, state, answer) if isinstance(answer, Heard) else answer
        if failure is not None:
            _not_told(rotation, state, failure)


def _heard(rotation: Recorded, state: ConsumerState, heard: Heard) -> Failure | None:
    """Note that it was told and what it proved; a failure where that cannot be judged now: then it is told again."""
    if not _goes_back(rotation):
        try:
            verdict = acknowledging.judge(rotation, state.name, heard.answer)
        except Failure as failure:
            return failure
        if verdict is False:
            rotation.note("acknowledgement refused", state.name)
            message = f"{state.name} acknowledged another key than the new one"
            rotation.world.observer.alert("acknowledgement refused", rotation.spec.name, message)
        elif verdict:
            rotation.row = picked_up.picked_up(rotation.row, state.name, rotation.now())
    told = rotation.row.consumer(state.name) or state
    told = replace(told, told_at=rotation.now(), tell_at=None, attempts=0, trouble=None)
    rotation.row = rotation.row.with_consumer(told)
    return None


def _not_told(rotation: Recorded, state: ConsumerState, failure: Failure) -> None:
    rotation.purge(failure)
    again = None if isinstance(failure, Permanent) else rotation.now() + pause(rotation, state, failure)
    rotation.row = rotation.row.with_consumer(
        replace(state, attempts=state.attempts + 1, tell_at=again, trouble=failure.message)
    )
    hint = f"; {failure.hint}" if failure.hint else ""
    message = f"{state.name} was not told by {state.way}: {failure.message}{hint}"
    rotation.world.observer.alert("consumer not told", rotation.spec.name, message)


def pause(rotation: Recorded, state: ConsumerState, failure: Failure) -> timedelta:
    """Until the next attempt: 10 s, 20 s, 40 s … or as it asks for, up to an hour, a minute in an emergency."""
    longest = LONGEST_EMERGENCY_PAUSE if rotation.row.rules.emergency else LONGEST_PAUSE
    wanted = failure.retry_after if isinstance(failure, Transient) else None
    return min(max(FIRST_PAUSE * float(2 ** min(state.attempts, 10)), wanted or FIRST_PAUSE), longest)


def news_of(rotation: Recorded, state: ConsumerState) -> News:
    """What is told, the same every time: it is as old as what happened."""
    row, back = rotation.row, _goes_back(rotation)
    return News(
        what=Happened.PUT_BACK if back else Happened.ROTATED,
        credential=row.credential,
        rotation=row.id,
        at=state.since,
        places=tuple(
            Published(store=each.store, ref=each.ref, version=None if back else each.version)
            for each in row.stores
            if each.left_behind is None and (each.put_back_at if back else each.promoted_at) is not None
        ),
    )


def _goes_back(rotation: Recorded) -> bool:
    return rotation.row.ends_as is Phase.ROLLED_BACK
