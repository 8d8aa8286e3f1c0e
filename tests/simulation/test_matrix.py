"""Every fault was met in every phase of every mode and strategy, and so was every command of an operator."""

from __future__ import annotations

from collections import Counter

import pytest

from rotator.testing.simulator import Scenario, matrix, run
from rotator.testing.simulator.faults import Cell
from rotator.testing.simulator.provider import KINDS
from rotator.testing.simulator.run import Outcome

FEWEST, MOST = 5, 5000
"""Worlds in which faults and events are aimed at one phase: so many at least, and more until every cell was met."""
LONG = ("chosen-value",)
"""Kinds that take twice as long as any other, and pass through the phases as `overlap` does."""


def worlds(strategy: str) -> tuple[list[Outcome], Counter[Cell], Counter[tuple[str, str]]]:
    """Worlds of one strategy, aimed at each phase in turn; what was met in them, and which events in which phase."""
    outcomes: list[Outcome] = []
    met: Counter[Cell] = Counter()
    events: Counter[tuple[str, str]] = Counter()
    for seed in range(MOST):
        lacking = {cell[2] for cell in matrix.empty(met) if cell[0] == strategy}
        lacking |= {phase for _, phase in missing(strategy, events)}
        for phase in matrix.PHASES:
            if seed < FEWEST or phase.value in lacking:
                scenario = Scenario(strategy=strategy, seed=seed, focus=phase.value, fault_rate=0.1, stall_rate=0.004)
                outcomes.append(run(scenario))
                met.update(outcomes[-1].met)
                events.update({(name, at): count for (name, _, at), count in outcomes[-1].events.items()})
    return outcomes, met, events


@pytest.mark.parametrize(
    "strategy", [pytest.param(each, marks=[pytest.mark.slow] if each in LONG else []) for each in KINDS]
)
def test_no_cell_of_the_matrix_is_empty(strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes, met, events = worlds(strategy)
    with capsys.disabled():
        print("\n" + matrix.table(met, strategy))  # noqa: T201 - the table is what people read
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
    assert [cell for cell in matrix.empty(met) if cell[0] == strategy] == []
    assert missing(strategy, events) == []


def missing(strategy: str, events: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Commands and emergencies that met no rotation in a phase in which they can meet one."""
    phases = [phase for phase in matrix.PHASES if phase not in matrix.PASSED_THROUGH.get(strategy, ())]
    return [(name, phase.value) for name in matrix.EVENTS for phase in phases if not events[(name, phase.value)]]
