"""`rotator reconcile`: compare journal, stores and providers, and mend; or make a lost journal again."""

from __future__ import annotations

import argparse
import sys

from rotator.app.housekeeping import in_words, reconcile_all
from rotator.app.rebuilding import rebuild
from rotator.cli.context import assemble
from rotator.cli.terminal import clean, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """How far to go."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--revoke-orphans", action="store_true", help="revoke orphans that were seen twice")
    which.add_argument(
        "--rebuild", action="store_true", help="make the journal again from config, stores and providers"
    )


def run(args: argparse.Namespace) -> int:
    """One pass. Without `--revoke-orphans` orphans are shown and left alone."""
    assembly = assemble(args)
    out = terminal(sys.stdout, no_color=args.no_color)
    if args.rebuild:
        lines = rebuild(assembly)
    else:
        results = reconcile_all(assembly, revoke=args.revoke_orphans)
        lines = [line for result in results for line in in_words(result)]
    for name, text in lines:
        out.line(f"{name}: {clean(text)}")
    if not lines:
        out.line("journal, stores and providers agree")
    assembly.journal.checkpoint(assembly.clock.now())
    return 1 if lines and not args.rebuild else 0
