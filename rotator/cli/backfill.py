"""`rotator audit backfill`: which packages consumers had, from a Git repository's history."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rotator.app.backfilling import PAD, Backfill, backfill
from rotator.cli import typed, words
from rotator.cli.context import assembled
from rotator.cli.errors import tell
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.domain.times import format_duration


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which repository, whose, and how far."""
    parser.add_argument("repository", metavar="REPO", help="the folder of a clone, with its history")
    parser.add_argument("--consumer", metavar="C", help="whose lockfiles these are")
    parser.add_argument("--since", metavar="TIME", help="leave out what ended before, like 2026-03-01T00:00:00Z")
    pad = format_duration(PAD)
    parser.add_argument("--pad", metavar="DURATION", help=f"how much longer each is held on both sides ({pad})")


def run(args: argparse.Namespace) -> int:
    """Read all commits; 3 where the clone does not have them all."""
    out = terminal(sys.stdout, no_color=args.no_color)
    since, pad = typed.instant(args.since, "--since"), typed.duration(args.pad, "--pad")
    with assembled(args) as assembly:
        outcome = backfill(
            assembly,
            Path(args.repository),
            consumer=args.consumer,
            since=since,
            pad=PAD if pad is None else pad,
        )
    show(outcome, out)
    if outcome.shallow:
        message = "the clone is shallow: of what was before its first commit nothing is known"
        return tell(args.prog, message, "`git fetch --unshallow`, and run this again", code=3)
    return 0


def show(outcome: Backfill, out: Terminal) -> None:
    """A line for each file."""
    cells = [
        [
            each.consumer,
            clean(each.origin),
            str(each.versions),
            str(each.news),
            str(each.broken or "—"),
            str(each.gaps - each.broken or "—"),
            words.instant(each.since),
            "today" if each.until is None else words.instant(each.until),
        ]
        for each in outcome.files.values()
    ]
    head = ["consumer", "file", "versions", "new", "unreadable", "with gaps", "from (UTC)", "until (UTC)"]
    for line in table(head, cells, out):
        out.line(line)
    out.line(f"{count(outcome.commits, 'commit')} looked at")
