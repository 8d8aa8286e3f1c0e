"""Which effects went wrong in which way, by strategy, mode and phase; and which cells cannot be, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from rotator.domain.rotation import Mode, Phase
from rotator.testing.simulator.faults import Cell, Fate
from rotator.testing.simulator.provider import KINDS

PHASES = (
    Phase.PLANNED,
    Phase.CONTAINING,
    Phase.MINTING,
    Phase.STAGING,
    Phase.PROMOTING,
    Phase.LIVE,
    Phase.RETIRING,
    Phase.ROLLING_BACK,
    Phase.WITHDRAWING,
    Phase.SWEEPING,
)
PASSED_THROUGH = {
    # Nothing can be disabled in a slot, or where a person does everything; and before its mint, the pivot, an in-place
    # rotation has nothing to put back.
    "two-slots": (Phase.CONTAINING,),
    "in-place": (Phase.CONTAINING, Phase.ROLLING_BACK),
    "assisted": (Phase.CONTAINING,),
}
FATES = tuple(fate for fate in Fate if fate is not Fate.WELL)


def impossible(strategy: str, mode: Mode, phase: Phase, fate: Fate) -> str | None:
    """Why this cell stays empty; None when it must not."""
    if phase is Phase.CONTAINING and mode is not Mode.CONTAIN_FIRST:
        return "only contain_first contains"
    back = phase in (Phase.ROLLING_BACK, Phase.WITHDRAWING)
    if back and mode in (Mode.COMPROMISE, Mode.CONTAIN_FIRST):
        return "an emergency never goes back"
    if phase in PASSED_THROUGH.get(strategy, ()):
        return "a phase without an effect is in no commit of its own"
    if fate is Fate.REQUEST_LATE and phase is Phase.RETIRING and strategy == "assisted":
        return "a person deletes, so nothing is sent"
    if fate is Fate.REQUEST_LATE and phase is Phase.LIVE:
        return "nothing is written there but the journal, and a journal's write never lands late"
    return None


def cells() -> Iterator[tuple[str, Mode, Phase, Fate]]:
    """Every cell that can be."""
    for strategy, mode, phase, fate in product(KINDS, Mode, PHASES, FATES):
        if impossible(strategy, mode, phase, fate) is None:
            yield strategy, mode, phase, fate


def empty(met: Counter[Cell]) -> list[Cell]:
    """The cells that can be and were not met."""
    names = ((strategy, mode.value, phase.value, fate.value) for strategy, mode, phase, fate in cells())
    return [name for name in names if not met[name]]


EVENTS = ("compromise", "contain_first", "rollback", "hold")


def table(met: Counter[Cell], *strategies: str) -> str:
    """The matrix as text: one line for each strategy (all, if none is named), mode and phase, one column a fault."""
    head = f"{'strategy':<10} {'mode':<14} {'phase':<13}" + "".join(f"{fate.value:>15}" for fate in FATES)
    lines = [head]
    for strategy, mode, phase in product(strategies or KINDS, Mode, PHASES):
        counts = (_cell(met, strategy, mode, phase, fate) for fate in FATES)
        lines.append(f"{strategy:<10} {mode.value:<14} {phase.value:<13}" + "".join(f"{text:>15}" for text in counts))
    return "\n".join(lines)


def _cell(met: Counter[Cell], strategy: str, mode: Mode, phase: Phase, fate: Fate) -> str:
    count = met[(strategy, mode.value, phase.value, fate.value)]
    return str(count) if count or impossible(strategy, mode, phase, fate) is None else "·"
