"""One seed is one history: what broke once breaks again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rotator.domain.rotation import Phase
from rotator.testing.simulator import Outcome, Scenario, run
from rotator.testing.simulator.provider import KINDS


@pytest.mark.parametrize("strategy", KINDS)
def test_a_seed_replays_exactly(strategy: str) -> None:
    scenarios = [Scenario(strategy=strategy, seed=seed) for seed in range(20)]
    assert [run(each, digest=True).digest for each in scenarios] == [
        run(each, digest=True).digest for each in scenarios
    ]


def test_different_seeds_are_different_histories() -> None:
    digests = [run(Scenario(strategy="overlap", seed=seed), digest=True).digest for seed in range(20)]
    assert len(set(digests)) == len(digests)


def test_a_seed_replays_in_another_process_whatever_the_order_of_its_sets() -> None:
    traces = {_replayed(hash_seed) for hash_seed in ("1", "2", "3")}
    assert len(traces) == 1


def _replayed(hash_seed: str) -> str:
    command = [sys.executable, "-m", "rotator.testing.simulator", "--seed", "139", "--strategy", "overlap", "--trace"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) > 50
    return "\n".join(lines[:-1])  # the last one tells how long it took


def calm(strategy: str, seed: int, *, emergencies: bool) -> Outcome:
    """A world in which nothing fails and nobody interferes."""
    return run(
        Scenario(
            strategy=strategy,
            seed=seed,
            fault_rate=0.0,
            stall_rate=0.0,
            emergencies=emergencies,
            operators=False,
            outages=False,
            foreign=False,
        )
    )


@pytest.mark.parametrize("strategy", KINDS)
def test_without_faults_every_scheduled_rotation_is_done_and_nothing_else_happens(strategy: str) -> None:
    outcomes = [calm(strategy, seed, emergencies=False) for seed in range(50)]
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
    assert {row.phase for outcome in outcomes for row in outcome.rows} == {Phase.DONE}


@pytest.mark.parametrize("strategy", KINDS)
def test_without_faults_every_emergency_is_done(strategy: str) -> None:
    outcomes = [calm(strategy, seed, emergencies=True) for seed in range(100)]
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
    ended = [row for outcome in outcomes for row in outcome.rows if row.rules.emergency]
    assert {row.phase for row in ended} <= {Phase.DONE, Phase.SUPERSEDED}
    assert {row.mode.value for row in ended if row.phase is Phase.DONE} == {"compromise", "contain_first"}
