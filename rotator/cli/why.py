"""`rotator why`: every reason to rotate a credential, and everything that stands in the way, in the log's own words."""

from __future__ import annotations

import argparse
import sys

from rotator.app.gathering import by_a_person, gather
from rotator.cli import words
from rotator.cli.context import assembled, named
from rotator.cli.terminal import clean, table, terminal
from rotator.policy.decision import Blocked, Rotate, decide, why


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which one."""
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print all predicates with their answers, then the decision."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        facts, by_hand = gather(assembly, spec), by_a_person(assembly, spec)
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
    if by_hand is not None:
        out.line(clean(f"a person makes its keys; {by_hand}"))
    return 0
