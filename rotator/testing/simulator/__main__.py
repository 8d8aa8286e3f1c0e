"""Replay one seed, or run many: `python -m rotator.testing.simulator --seed 17 --strategy overlap --trace`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import fields
from typing import Any

from rotator.testing.simulator.provider import KINDS
from rotator.testing.simulator.run import Outcome, run
from rotator.testing.simulator.world import Scenario


def main() -> int:
    """0 when nothing broke."""
    options = _options()
    knobs: dict[str, Any] = {name: _value(text) for name, _, text in (each.partition("=") for each in options.set)}
    bad = 0
    for strategy in options.strategy or KINDS:
        began, kinds, steps = time.process_time(), Counter[str](), 0
        ends: Counter[str] = Counter()
        for seed in range(options.seed, options.seed + options.count):
            outcome = run(Scenario(strategy=strategy, seed=seed, **knobs), digest=options.trace)
            steps += outcome.steps
            ends.update(f"{row.mode.value}:{row.phase.value}" for row in outcome.rows)
            if outcome.broken is not None:
                bad += 1
                kinds[outcome.broken.invariant] += 1
                if kinds[outcome.broken.invariant] <= options.show:
                    _print(f"{strategy} {seed}: {outcome.broken.invariant}: {outcome.broken.what}")
            if options.trace:
                _show(outcome)
        spent = (time.process_time() - began) / options.count * 1000
        _print(
            f"{strategy}: {options.count} seeds, {spent:.1f} ms and {steps // options.count} steps each, {dict(kinds)}"
        )
        if options.count > 1:
            _print(f"   {dict(sorted(ends.items()))}")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rotator.testing.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--strategy", action="append", choices=list(KINDS), help="this one; more than once: these")
    parser.add_argument("--trace", action="store_true", help="print everything that happened")
    parser.add_argument("--show", type=int, default=5, help="how many broken seeds of a kind are printed")
    names = ", ".join(each.name for each in fields(Scenario))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=f"of a scenario: {names}")
    return parser.parse_args()


def _value(text: str) -> bool | float:
    return {"true": True, "false": False}[text] if text in ("true", "false") else float(text)


def _show(outcome: Outcome) -> None:
    for at, who, *what in outcome.trace:
        _print(f"{at:>12} {who:<14} " + " ".join(str(each) for each in what))
    _print(outcome.digest)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
