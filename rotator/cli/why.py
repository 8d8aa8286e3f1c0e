"""`rotator why`: every reason to rotate a credential, and everything that stands in the way, in the log's own words."""

from __future__ import annotations

import argparse
import sys

from rotator.app.assembly import Assembly
from rotator.cli import words
from rotator.cli.context import assemble, named
from rotator.cli.terminal import table, terminal
from rotator.domain.credential import Credential
from rotator.policy.decision import Blocked, Rotate, decide, why
from rotator.policy.facts import Facts


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which one."""
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print all predicates with their answers, then the decision."""
    assembly = assemble(args)
    spec = named(assembly.config, args.name)
    out = terminal(sys.stdout, no_color=args.no_color)
    facts = gather(assembly, spec)
    cells = [[out.style("yes", "bold") if each.holds else "no", each.word.value, each.sentence] for each in why(facts)]
    for line in table(["", "word", "because"], cells, out):
        out.line(line)
    out.line()
    decision = decide(facts)
    if isinstance(decision, Rotate):
        out.line(f"{spec.name} is rotated: {decision.sentence}")
    elif isinstance(decision, Blocked):
        until = f" until {words.instant(decision.until)}" if decision.until else ""
        out.line(f"{spec.name} would be rotated ({decision.reason.value}) and waits{until}: {decision.sentence}")
    else:
        out.line(f"{spec.name} is not rotated before {words.instant(decision.until)}")
    return 0


def gather(assembly: Assembly, spec: Credential) -> Facts:
    """What the journal knows of a credential; the provider is not asked."""
    now, journal = assembly.clock.now(), assembly.journal
    row = journal.credential(spec.name)
    open_row = journal.open_rotation(spec.name)
    rotated = [each for each in journal.rotations(spec.name, limit=20) if each.ended_at is not None and each.new_key]
    return Facts(
        credential=spec.name,
        policy=spec.policy,
        now=now,
        due_at=row.next_due or now,
        rotated_at=row.current_since if rotated else None,
        key_created_at=row.current_since,
        held_by=(row.held_why or "an operator") if row.held else None,
        open_rotation=open_row.id if open_row else None,
    )
