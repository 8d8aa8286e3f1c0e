"""A year of virtual time: every policy is met, through restarts, clock changes, reloads and upgrades.

`make test` lives a year with `SOME` credentials; `make test-all` the same with 1,000, and some other seeds. What broke
is lived through again by `python -m tests.simulation.year.year --seed N --credentials N`.
"""

from __future__ import annotations

import faulthandler
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.year.mutants import MUTANTS, YearMutant
from tests.simulation.year.year import live_through

ROOT = Path(__file__).parents[2]
SOME, ALL = 20, 1000
HAPPENED = ("deaths", "clock set", "reloads", "upgrades", "holds", "handed over", "refused by an outage")
"""What a year without would be no test of."""


def met(seed: int, credentials: int) -> None:
    """Every policy is, in a year in which everything happened."""
    outcome = live_through(seed=seed, credentials=credentials)
    assert outcome.broken is None
    assert [name for name in HAPPENED if not outcome.figures.get(name)] == []
    assert outcome.figures["begun: compromise"] > 0
    assert outcome.figures["ended: done"] > 10 * credentials


def test_every_policy_is_met_in_a_year() -> None:
    met(1, SOME)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_every_policy_is_met_in_other_years(seed: int) -> None:
    met(seed, 2 * SOME)


@pytest.mark.slow
def test_every_policy_of_a_thousand_credentials_is_met_in_a_year() -> None:
    faulthandler.cancel_dump_traceback_later()  # it takes longer than what hangs may
    met(1, ALL)


def test_a_seed_is_one_history() -> None:
    first, second = (live_through(seed=7, credentials=10, days=12) for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_keeps_policies_is_missed_when_it_is_taken_away(mutant: YearMutant) -> None:
    command = [sys.executable, "-m", "tests.simulation.year.mutants", mutant.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["caught"] in mutant.breaks, found
