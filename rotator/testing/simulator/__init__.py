"""The production steps over fakes that know the truth: one seed, one history, invariants after every effect."""

from rotator.testing.simulator.run import Outcome, run
from rotator.testing.simulator.world import Scenario

__all__ = ["Outcome", "Scenario", "run"]
