"""`rotator audit record`: which packages consumers have now."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rotator.app.inventories import Recorded, chosen, record
from rotator.app.own_environment import keep_own
from rotator.cli.context import assembled
from rotator.cli.terminal import Terminal, clean, table, terminal

GAPS = 5
"""Gaps of a file that are shown."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose, and which files."""
    parser.add_argument("files", nargs="*", metavar="FILE|DIR", help="lockfiles; without any, those in the config")
    parser.add_argument("--consumer", metavar="C", help="whose they are")


def run(args: argparse.Namespace) -> int:
    """Record all of them, or none if one cannot be read."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        targets = chosen(assembly.config, args.consumer, [Path(each) for each in args.files])
        show(list(record(assembly, targets, assembly.clock.now())), out)
        keep_own(assembly)
        bare = [name for name, each in assembly.config.consumers.items() if not each.lockfiles]
        if not args.files and not args.consumer and bare:
            out.line(out.style(f"not recorded, because they name no lockfiles: {', '.join(bare)}", "yellow"))
    return 0


def show(recorded: Sequence[Recorded], out: Terminal) -> None:
    """A line for each file, and its gaps beneath."""
    cells = [
        [
            each.inventory.consumer,
            clean(each.inventory.origin),
            each.inventory.kind,
            str(len(each.inventory.components)),
            str(len(each.inventory.gaps) or "—"),
            "first record" if each.first else "changed" if each.news else "as before",
        ]
        for each in recorded
    ]
    head, *lines = table(["consumer", "file", "form", "packages", "gaps", "recorded"], cells, out)
    out.line(head)
    for line, each in zip(lines, recorded, strict=True):
        out.line(line)
        gaps = each.inventory.gaps
        for gap in gaps[:GAPS]:
            out.line(out.style(clean(f"  {gap}"), "yellow"))
        if len(gaps) > GAPS:
            out.line(out.style(f"  and {len(gaps) - GAPS} more gaps", "yellow"))
