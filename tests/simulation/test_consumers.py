"""Consumers in the simulator do all that consumers do: otherwise nothing was shown of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from rotator.domain.consumers import PickedUp
from rotator.testing.simulator import Outcome, Scenario, run

HAPPENS = (
    "acknowledged",
    "not acknowledged the acknowledgement does not prove",
    "not acknowledged app has no new key to be acknowledged",
    "request lost tell",
    "response lost tell",
    "crash before tell",
    "crash after tell",
)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Some hundreds of worlds, none of which broke."""
    found = [run(Scenario(strategy="overlap", seed=seed)) for seed in range(300)]
    found += [run(Scenario(strategy="overlap", seed=seed, focus="live", fault_rate=0.1)) for seed in range(60)]
    assert [outcome.broken for outcome in found if outcome.broken is not None] == []
    return found


@pytest.mark.parametrize("what", HAPPENS)
def test_consumers_are_late_wrong_and_told_in_vain(outcomes: list[Outcome], what: str) -> None:
    lines = (" ".join(map(str, line)) for outcome in outcomes for _, _, *line in outcome.trace)
    said = (line.replace(f" {name} ", " ", 1) for line in lines for name in ("app", "cron", "web"))
    assert any(line.startswith(what) for line in said)


def test_they_say_it_twice(outcomes: list[Outcome]) -> None:
    again = [line for outcome in outcomes for _, _, *line in outcome.trace if line[0] == "acknowledged"]
    assert {line[-1] for line in again} == {True, False}


def test_it_is_known_of_them_in_more_than_one_way_and_told_of_both_directions(outcomes: list[Outcome]) -> None:
    rows = [row for outcome in outcomes for row in outcome.rows]
    how = Counter(state.how for row in rows for state in row.consumers)
    assert how[PickedUp.ACKNOWLEDGED] > 50
    assert how[PickedUp.TIME] > 50
    assert any(state.told_at for row in rows if row.phase.value == "rolled_back" for state in row.consumers)


def test_some_overlaps_are_shortened(outcomes: list[Outcome]) -> None:
    rows = [row for outcome in outcomes for row in outcome.rows if row.phase.value == "done" and row.rules.may_go_back]
    died = [
        old.deleted_at - row.live_at
        for row in rows
        for old in row.old_keys
        if old.deleted_at is not None and row.live_at is not None
    ]
    assert min(died) < timedelta(minutes=55), "every overlap of the policies is an hour at least"
    assert max(died) >= timedelta(hours=1)
