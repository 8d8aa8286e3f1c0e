"""`rotator history`: past rotations, newest first."""

from __future__ import annotations

import argparse
import json
import sys

from rotator.app.reporting import report
from rotator.cli import words
from rotator.cli.context import assemble, named
from rotator.cli.terminal import table, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose, and how many."""
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--limit", type=int, default=50, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    assembly = assemble(args, lenient=True)
    name = named(assembly.config, args.name).name if args.name else None
    rows = assembly.journal.rotations(name, limit=max(1, args.limit))
    if args.json:
        print(json.dumps(report(rows, selected=len({row.credential for row in rows})), indent=2, ensure_ascii=False))
        return 0
    out, now = terminal(sys.stdout, no_color=args.no_color), assembly.clock.now()
    cells = [
        [words.instant(row.started_at), row.credential, row.mode.value, words.phase(row, out), words.proofs(row) or "—"]
        for row in rows
    ]
    for line in (
        table(["started", "credential", "mode", "phase", "old keys"], cells, out) if cells else ["no rotation yet"]
    ):
        out.line(line)
    for row in rows if args.name else ():
        detail = words.detail(row, now)
        if detail:
            out.line(f"{row.id}: {detail}")
    return 0
