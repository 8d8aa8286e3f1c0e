"""`rotator history`: past rotations, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.reporting import report
from rotator.cli import words
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, table, terminal
from rotator.domain.rotation import Rotation

MOST = 10_000
"""Rotations that are looked at for those of some owners."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose, and how many."""
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="how many at the most (50)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.limit < 1:
        raise Told("--limit is out of range", "write a number from 1 on")
    with assembled(args, lenient=True) as assembly:
        name = named(assembly.config, args.name).name if args.name else None
        rows = _rows(assembly, name, args.limit, getattr(args, "owners", None))
        now = assembly.clock.now()
    if args.json:
        print(json.dumps(report(rows, selected=len({row.credential for row in rows})), indent=2, ensure_ascii=False))
    else:
        show(rows, now, terminal(sys.stdout, no_color=args.no_color))
    return 0


def _rows(assembly: Assembly, name: str | None, limit: int, owners: Collection[str] | None) -> tuple[Rotation, ...]:
    """The newest; `owners`: of a caller who sees only theirs."""
    if owners is None or name is not None:
        return assembly.journal.rotations(name, limit=limit)
    seen = {name for name, spec in assembly.config.credentials.items() if spec.owner in owners}
    return tuple(row for row in assembly.journal.rotations(limit=MOST) if row.credential in seen)[:limit]


def show(rows: Sequence[Rotation], now: datetime, out: Terminal) -> None:
    """A table, and beneath each rotation that did not go as planned why."""
    if not rows:
        out.line("no rotation yet")
        return
    cells = [
        [words.instant(row.started_at), row.credential, row.mode.value, words.phase(row, out), words.proofs(row) or "—"]
        for row in rows
    ]
    head, *lines = table(["started (UTC)", "credential", "mode", "phase", "old keys"], cells, out, wrap=True)
    out.line(head)
    for line, row in zip(lines, rows, strict=True):
        out.line(line)
        for each in words.details(row, now):
            out.line(out.style(f"  {each}", "dim"))
