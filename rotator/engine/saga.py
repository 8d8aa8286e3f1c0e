"""The saga as a table: what a rotation does in each phase, where it goes then, and where when that fails for good.

`advance` runs one step and saves where it leads. Every step may be run again after a crash at any point, so each begins
by asking the world what is already true. A rollback is rows of the same table. How a mode or a strategy differs is data
(`rotator.domain.rotation.RULES`, `rotator.domain.keys.STRATEGIES`); no step branches on a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rotator.domain.failures import Failure, JournalOlder
from rotator.domain.rotation import Phase, Waiting
from rotator.engine import (
    containing,
    live,
    minting,
    outcomes,
    planning,
    promoting,
    retiring,
    rolling_back,
    staging,
    sweeping,
    telling,
    withdrawing,
)
from rotator.engine.recorded import Asked, Pause, Recorded
from rotator.engine.removed import heed_removed_places

P = Phase
Step = Callable[[Recorded], Phase | Waiting | None]
"""Runs once; returns None for the row's `then`, another phase that the row names, or what it waits for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `otherwise` is where a permanent failure leads: behind the pivot and in an emergency always

    to `stuck`. `also` are the bends of the road that the step may choose itself.
    """

    step: Step
    then: Phase
    otherwise: Phase
    also: tuple[Phase, ...] = ()


TABLE: dict[Phase, Row] = {
    # phase           step                                    then           permanent failure       also
    P.PLANNED: Row(planning.plan, P.MINTING, P.ROLLED_BACK, (P.CONTAINING,)),
    P.CONTAINING: Row(containing.contain, P.MINTING, P.STUCK),
    P.MINTING: Row(minting.mint, P.STAGING, P.ROLLING_BACK, (P.PLANNED,)),
    P.STAGING: Row(staging.stage, P.PROMOTING, P.ROLLING_BACK),
    P.PROMOTING: Row(promoting.promote, P.LIVE, P.ROLLING_BACK),
    P.LIVE: Row(live.watch, P.RETIRING, P.ROLLING_BACK),
    # the pivot: from its first intent on only forward
    P.RETIRING: Row(telling.beside(retiring.retire), P.SWEEPING, P.STUCK),
    P.ROLLING_BACK: Row(rolling_back.roll_back, P.WITHDRAWING, P.STUCK),
    P.WITHDRAWING: Row(telling.beside(withdrawing.withdraw), P.SWEEPING, P.STUCK, (P.ROLLING_BACK,)),
    P.SWEEPING: Row(telling.beside(sweeping.sweep), P.DONE, P.STUCK, (P.ROLLED_BACK, P.RETIRING)),
    P.STUCK: Row(outcomes.stay_parked, P.STUCK, P.STUCK),
}


def advance(rotation: Recorded) -> None:
    """Run the step that the row's phase calls for and save where it leads.

    Raises `Fenced` and `LeaseOver` when the row is no longer ours to touch, and `JournalOlder`; after each of them
    nothing more may be done under this claim.
    """
    row = TABLE[rotation.row.phase]
    try:
        try:
            heed_removed_places(rotation)
            result = row.step(rotation)
            after = outcomes.moved(rotation.row, row, result, rotation.now())
        except Pause as pause:
            after = outcomes.paused(rotation.row, pause.waiting, rotation.now(), failing=pause.failing)
        except JournalOlder:
            raise
        except Failure as failure:
            rotation.purge(failure)
            after = outcomes.failed(rotation.row, row, failure, rotation.now(), rotation.world.timing)
        if after.phase is Phase.ROLLED_BACK and rotation.row.phase is Phase.PLANNED:
            sweeping.plan_next(rotation, Phase.ROLLED_BACK)
        rotation.save(after)
    except Asked as asked:
        outcomes.answer(rotation, asked.requests)
