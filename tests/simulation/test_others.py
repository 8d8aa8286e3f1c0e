"""Worlds that are left out of the ten thousand because journal, marks or account are not ours alone."""

from __future__ import annotations

import pytest

from rotator.domain.keys import STRATEGIES
from rotator.testing.simulator import Scenario, run


@pytest.mark.parametrize("strategy", ["overlap", "dual"])
def test_a_second_installation_at_the_same_provider_is_left_alone(strategy: str) -> None:
    outcomes = [run(Scenario(strategy=strategy, seed=seed, second=True)) for seed in range(150)]
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []


@pytest.mark.parametrize("strategy", ["overlap", "dual"])
def test_a_hostile_renamer_of_keys_breaks_nothing(strategy: str) -> None:
    outcomes = [run(Scenario(strategy=strategy, seed=seed, renamer=True)) for seed in range(150)]
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_journal_restored_from_a_backup_revokes_nothing_in_use(strategy: str) -> None:
    outcomes = [run(Scenario(strategy=strategy, seed=seed, restore=True)) for seed in range(150)]
    assert any(event == "restore" for outcome in outcomes for event, _, _ in outcome.events)
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
