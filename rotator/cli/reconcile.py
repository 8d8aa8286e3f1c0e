"""`rotator reconcile`: compare journal, stores and providers, and mend; or make a lost journal again."""

from __future__ import annotations

import argparse
import sys

from rotator.app.assembly import Assembly
from rotator.app.housekeeping import in_words, reconcile_all
from rotator.app.rebuilding import rebuild
from rotator.cli.context import assembled
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
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        complete, lines = _rebuilt(assembly) if args.rebuild else _compared(assembly, revoke=args.revoke_orphans)
        for name, text in lines:
            assembly.told.alert("reconciled", name, text)
        assembly.journal.checkpoint(assembly.clock.now())
    for name, text in lines:
        out.line(f"{name}: {clean(text)}")
    if not lines:
        out.line("journal, stores and providers agree")
    return 0 if complete else 1


def _rebuilt(assembly: Assembly) -> tuple[bool, list[tuple[str, str]]]:
    rebuilt = rebuild(assembly)
    return rebuilt.complete, rebuilt.lines


def _compared(assembly: Assembly, *, revoke: bool) -> tuple[bool, list[tuple[str, str]]]:
    lines = [line for result in reconcile_all(assembly, revoke=revoke) for line in in_words(result, revoke=revoke)]
    return not lines, lines
