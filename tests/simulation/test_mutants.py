"""Each rule of DESIGN §4, taken away, breaks an invariant within a bounded number of worlds: so they can fail.

Rules 2 and 8 are defence in depth and have none: what they forbid, rule 1 and compare-and-set forbid too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_rule_taken_away_is_missed(mutant: Mutant) -> None:
    command = [sys.executable, "-m", "tests.simulation.mutants", mutant.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["caught"] in mutant.breaks, f"rule {mutant.rule}: not missed in {mutant.seeds} seeds; {found}"


def test_every_rule_has_a_mutant_but_those_that_are_defence_in_depth() -> None:
    numbered = {mutant.rule.partition(":")[0] for mutant in MUTANTS}
    assert numbered >= {
        "1",
        "3",
        "4",
        "5",
        "6",
        "7",
        "9",
        "10",
        "11",
        "12",
        "proof",
        "emergency",
        "retiring",
        "by hand",
        "unread",
        "consumers",
    }


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_its_patch_the_same_worlds_hold(mutant: Mutant) -> None:
    from rotator.testing.simulator import Scenario, run

    for seed in range(10):
        for strategy in mutant.strategies:
            scenario = Scenario(strategy=strategy, seed=mutant.first + seed, **mutant.world)  # type: ignore[arg-type]
            assert run(scenario).broken is None
