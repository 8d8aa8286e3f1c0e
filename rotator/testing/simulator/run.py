"""Run one seed to its end."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.rotation import Rotation
from rotator.testing.simulator.faults import Cell
from rotator.testing.simulator.invariants import Violation
from rotator.testing.simulator.schedule import FOREVER, Actor, TooLong
from rotator.testing.simulator.script import Script
from rotator.testing.simulator.world import CREDENTIAL, Scenario, Simulated


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one seed ended. `violations`: of these only the first counts, for what follows may follow from it."""

    scenario: Scenario
    violations: tuple[Violation, ...]
    rows: tuple[Rotation, ...]
    steps: int
    met: Mapping[Cell, int] = field(repr=False)
    events: Mapping[tuple[str, str, str], int] = field(repr=False)
    resumed: Mapping[str, int] = field(repr=False)
    trace: tuple[tuple[Any, ...], ...] = field(repr=False)
    digest: str = ""

    @property
    def broken(self) -> Violation | None:
        """What broke first."""
        return self.violations[0] if self.violations else None


def run(scenario: Scenario, *, digest: bool = False) -> Outcome:
    """One world from its seed to its end or its first broken invariant."""
    world = Simulated(scenario)
    script = Script(world)
    schedule, invariants = world.schedule, world.invariants
    journals = {each.name: each.journal for each in world.installations.values()}

    def wake(actor: Actor) -> float:
        return journals[actor.installation].wake() if not invariants.violations else FOREVER

    def quiet() -> bool:
        return bool(invariants.violations) or script.quiet()

    try:
        schedule.go(wake, script.between, quiet, lambda: bool(invariants.violations))
        if not invariants.violations:
            invariants.at_rest()
    except TooLong:
        invariants.broken("progress", "there is no end to it")
    return Outcome(
        scenario=scenario,
        violations=tuple(invariants.violations),
        rows=tuple(row for each in journals.values() for row in reversed(each.inner.rotations(CREDENTIAL))),
        steps=schedule.steps,
        met=world.faults.met,
        events=script.met,
        resumed=Counter(script.resumed),
        trace=tuple(schedule.trace),
        digest=schedule.digest() if digest else "",
    )


def many(scenarios: list[Scenario]) -> list[Outcome]:
    """One after the other; without the garbage collector's looks at what is short-lived anyway."""
    gc.freeze()
    return [run(each) for each in scenarios]
