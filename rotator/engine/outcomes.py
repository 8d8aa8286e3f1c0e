"""Where a row goes after a step: pure functions of the row, what the step said, and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rotator.domain.changes import NEVER
from rotator.domain.failures import Ambiguous, Conflict, Denied, Failure, Transient, Undecidable
from rotator.domain.records import Event, EventKind, Request, Verb
from rotator.domain.rotation import Phase, Problem, Rotation, WaitFor, Waiting
from rotator.engine import picked_up
from rotator.engine.belonging import learn_told_of
from rotator.engine.by_hand import waiting_keys
from rotator.engine.world import Timing

if TYPE_CHECKING:
    from rotator.engine.recorded import Recorded
    from rotator.engine.saga import Row

SHORTEST_WAIT, LONGEST_WAIT, LONGEST_EMERGENCY_WAIT = timedelta(seconds=1), timedelta(hours=1), timedelta(minutes=5)
"""What is made of a server's word when to come back: it is data."""

BEFORE_PIVOT = frozenset(
    {Phase.PLANNED, Phase.CONTAINING, Phase.MINTING, Phase.STAGING, Phase.PROMOTING, Phase.LIVE, Phase.RETIRING}
)
GIVING_UP = BEFORE_PIVOT - {Phase.LIVE, Phase.RETIRING}
"""Phases in which a store that stays away is a reason to go back: the new key is not what every store gives yet."""
OLD_KEY_DEAD = "the old key is dead"
"""How the message of a rollback begins that has nothing to go back to: `resume` then goes forward."""


def moved(row: Rotation, table_row: Row, result: Phase | Waiting | None, now: datetime) -> Rotation:
    """The row after a step that did not fail."""
    if isinstance(result, Waiting):
        after = paused(row, result, now)
        # Who is to be told before that is told in time; what is waited for stays as it is shown.
        return replace(after, next_at=max(min(after.next_at, picked_up.next_telling(row) or after.next_at), now))
    phase = table_row.then if result is None else result
    if phase is not table_row.then and phase not in table_row.also:
        raise AssertionError(f"{row.phase} does not lead to {phase}")
    return enter(row, phase, now)


def paused(row: Rotation, waiting: Waiting, now: datetime, *, failing: bool = False) -> Rotation:
    """The row with nothing to do before the waiting ends; `failing`: that is no end of a run of failures."""
    if not failing:
        row = replace(row, attempts=0, failing_since=None)
    return replace(row, waiting=waiting, next_at=max(waiting.until, now), problem=_kept(row, row.phase))


def enter(row: Rotation, phase: Phase, now: datetime, problem: Problem | None = None) -> Rotation:
    """The row at the beginning of a phase; a rollback keeps the reason why it is one."""
    return replace(
        row,
        phase=phase,
        since=now,
        next_at=NEVER if phase is Phase.STUCK else now,
        waiting=Waiting(until=NEVER, for_=WaitFor.PERSON) if phase is Phase.STUCK else None,
        problem=problem or _kept(row, phase),
        ended_at=now if phase.terminal else None,
        attempts=0,
        failing_since=None,
        ends_as=Phase.ROLLED_BACK if phase is Phase.ROLLING_BACK else row.ends_as,
    )


def _kept(row: Rotation, phase: Phase) -> Problem | None:
    """The reason that is still true: why it is parked, or why it goes back."""
    if row.phase is Phase.STUCK or row.ends_as is Phase.ROLLED_BACK or phase is Phase.ROLLED_BACK:
        return row.problem
    return None


def failed(row: Rotation, table_row: Row, failure: Failure, now: datetime, timing: Timing) -> Rotation:
    """The row after a step that failed."""
    problem = Problem(message=failure.message, hint=failure.hint)
    if isinstance(failure, (Transient, Conflict, Ambiguous)) and not gives_up(row, now, timing):
        return later(row, failure, problem, now)
    if isinstance(failure, (Denied, Undecidable)):
        return park(row, problem, now)
    if table_row.otherwise is Phase.STUCK or row.beyond_pivot or row.rules.emergency:
        return park(row, problem, now)
    return enter(row, table_row.otherwise, now, problem)


def gives_up(row: Rotation, now: datetime, timing: Timing) -> bool:
    """Rule 11: until the new key is live, a day after the first of an unbroken run of failures; never in an emergency.

    A key that consumers read and that works is not given up because one store cannot be looked at.
    """
    if row.beyond_pivot or row.rules.emergency or row.phase not in GIVING_UP:
        return False
    return lasts(row, now, timing)


def lasts(row: Rotation, now: datetime, timing: Timing) -> bool:
    """Whether it has been failing for so long without a break that it gives up, or that somebody is told."""
    return row.failing_since is not None and now - row.failing_since >= timing.give_up


def later(row: Rotation, failure: Failure, problem: Problem, now: datetime) -> Rotation:
    """The row waiting to try again; a throttle is not an attempt."""
    throttled = isinstance(failure, Transient) and failure.throttled
    delay = backoff(row)
    if isinstance(failure, Transient) and failure.retry_after is not None:
        longest = LONGEST_EMERGENCY_WAIT if row.rules.emergency else LONGEST_WAIT
        delay = min(max(failure.retry_after, SHORTEST_WAIT), longest)
    return replace(
        row,
        attempts=row.attempts if throttled else row.attempts + 1,
        failing_since=row.failing_since or now,
        next_at=now + delay,
        waiting=Waiting(until=now + delay, for_=WaitFor.TIME, note=problem.message),
        problem=problem,
    )


def backoff(row: Rotation) -> timedelta:
    """1 s, 2 s, 4 s … up to five minutes, half a minute in an emergency; spread by a quarter by the row's id."""
    longest = 30.0 if row.rules.emergency else 300.0
    seconds = min(longest, 2.0 ** min(row.attempts, 9))
    spread = sum(row.id.encode()) % 16 / 64
    return timedelta(seconds=seconds * (1 + spread))


def park(row: Rotation, problem: Problem, now: datetime) -> Rotation:
    """The row as stuck: it keeps the credential's slot and remembers where `resume` goes."""
    return replace(enter(row, Phase.STUCK, now, problem), parked_from=row.phase)


def stay_parked(rotation: Recorded) -> Waiting:
    """The step of `stuck`: only an operator's word moves it, and that is heeded by the commit."""
    return Waiting(until=NEVER, for_=WaitFor.PERSON)


def answer(rotation: Recorded, requests: tuple[Request, ...]) -> None:
    """Do what operators asked, in the order they asked, and commit that it is dealt with."""
    for request in requests:
        before = rotation.row
        if request.verb in (Verb.HOLD, Verb.RELEASE):
            rotation.credential = replace(
                rotation.credential,
                held=request.verb is Verb.HOLD,
                held_why=request.why if request.verb is Verb.HOLD else "",
            )
        elif request.verb is Verb.ACKNOWLEDGE:
            rotation.row = picked_up.acknowledged(before, request)
        elif request.verb is Verb.PROVIDE:
            learn_told_of(rotation, request)
        else:
            rotation.row = answered(before, request.verb, rotation.now())
        late = rotation.row == before and request.verb in (Verb.ROLLBACK, Verb.RESUME) and not waiting_keys(before)
        detail = {"why": request.why, **({"result": "too late, nothing was done"} if late else {})}
        event = Event(kind=EventKind.OPERATOR, action=request.verb.value, detail=detail)
        if rotation.row.phase is Phase.STUCK or rotation.row.phase.terminal:
            rotation.row = replace(rotation.row, owner=None, next_at=NEVER)
        rotation.commit(event, heed=False, answered=(request.id,))


def answered(row: Rotation, verb: Verb, now: datetime) -> Rotation:
    """The row after `rollback` or `resume`; unchanged where it is too late for it."""
    stuck = row.phase is Phase.STUCK
    at = row.parked_from or row.phase
    if verb is Verb.RESUME:
        if not stuck:
            return row
        dead = at is Phase.ROLLING_BACK and (row.problem is not None and row.problem.message.startswith(OLD_KEY_DEAD))
        phase = Phase.PROMOTING if dead else at
        return replace(enter(row, phase, now), parked_from=None, ends_as=None if dead else row.ends_as)
    if at not in BEFORE_PIVOT or row.beyond_pivot or not row.rules.may_go_back:
        return row
    problem = Problem(message="rolled back by an operator")
    if at is Phase.PLANNED:
        return replace(enter(row, Phase.ROLLED_BACK, now, problem), parked_from=None)
    return replace(enter(row, Phase.ROLLING_BACK, now, problem), parked_from=None)
