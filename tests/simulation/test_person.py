"""The person who hands keys over in the simulator does all that a person does: otherwise nothing was shown of it."""

from __future__ import annotations

import pytest

from rotator.testing.simulator import Scenario, run

HAPPENS = (
    "made by hand",
    "handed over",
    "not handed over the provider refuses the key",
    "not handed over this is a key that app has or had",
    "was there before it was asked for",
    "not handed over nobody can tell which of",
    "not handed over another key was handed over already",
    "not handed over an emergency took over while",
    "crash before write",
    "crash after write",
    "request late write",
    "response lost write",
    "stalls",
)


@pytest.fixture(scope="module")
def told() -> set[str]:
    """Everything that the person did or was told in some hundreds of worlds, none of which broke."""
    outcomes = [run(Scenario(strategy="by-hand", seed=seed)) for seed in range(400)]
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
    return {
        " ".join(map(str, what)) for outcome in outcomes for _, who, *what in outcome.trace if who.endswith("-person")
    }


@pytest.mark.parametrize("what", HAPPENS)
def test_a_person_is_late_wrong_and_interrupted(told: set[str], what: str) -> None:
    assert any(what in line for line in told)
