"""Ten thousand worlds: no invariant breaks, whatever dies.

`ROTATOR_SEEDS=100000` runs more of them, `ROTATOR_FIRST_SEED` other ones. The failure prints the command that replays
what broke.
"""

from __future__ import annotations

import os

import pytest

from rotator.testing.simulator import Scenario, run
from rotator.testing.simulator.provider import KINDS

SEEDS = int(os.environ.get("ROTATOR_SEEDS", "10000"))
FIRST = int(os.environ.get("ROTATOR_FIRST_SEED", "0"))
PARTS = 10
EACH = max(1, SEEDS // (PARTS * len(KINDS)))
"""Seeds of one test: small enough that two processes share the work evenly."""


def broken(scenarios: list[Scenario]) -> list[str]:
    """What broke, each with the command that shows it."""
    outcomes = ((each, run(each).broken) for each in scenarios)
    return [
        f"{found.invariant}: {found.what}\n    python -m rotator.testing.simulator --trace "
        f"--strategy {scenario.strategy} --seed {scenario.seed}"
        for scenario, found in outcomes
        if found is not None
    ]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("strategy", KINDS)
def test_no_invariant_breaks_in_any_history(strategy: str, part: int) -> None:
    first = FIRST + part * EACH
    assert not broken([Scenario(strategy=strategy, seed=first + n) for n in range(EACH)])
