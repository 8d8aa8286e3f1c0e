"""The options of an advisory and where its record is. Light: `rotate --help` needs no more."""

from __future__ import annotations

import argparse

STALE = "7d"


def options(parser: argparse.ArgumentParser | argparse._ArgumentGroup, *, more: bool) -> None:
    """Which advisory, and of which records. `more`: several, and how old the records may be."""
    which = "what an advisory says that was bad: MAL-2026-2144, or any other name of it"
    parser.add_argument("--advisory", action="append", default=[], metavar="ID", help=which)
    parser.add_argument("--osv", metavar="PATH|URL", help="its OSV records: a directory, a zip, a file, a zip's URL")
    if more:
        stale = f"older records are said to be stale ({STALE})"
        parser.add_argument("--stale", metavar="DURATION", default=STALE, help=stale)
