"""`rotator why`: every reason to rotate a credential, and everything that stands in the way, in the log's own words."""

from __future__ import annotations

import argparse
import sys

from rotator.app.gathering import gather
from rotator.cli import words
from rotator.cli.context import assembled, named
from rotator.cli.terminal import table, terminal
from rotator.policy.decision import Blocked, Rotate, decide, why


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which one."""
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print all predicates with their answers, then the decision."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        facts = gather(assembly, spec)
    cells = [[out.style("yes", "bold") if each.holds else "no", each.word.value, each.sentence] for each in why(facts)]
    for line in table(["", "word", "because"], cells, out, wrap=True):
        out.line(line)
    out.line()
    decision = decide(facts)
    if isinstance(decision, Rotate):
        out.line(f"{spec.name} is rotated: {decision.sentence}")
    elif isinstance(decision, Blocked):
        until = f" until {words.instant(decision.until)} UTC" if decision.until else ""
        out.line(f"{spec.name} would be rotated ({decision.reason.value}) and waits{until}: {decision.sentence}")
    else:
        out.line(f"{spec.name} is not rotated before {words.instant(decision.until)} UTC")
    return 0
