"""The options of bad packages, and what only makes sense together. Light: `rotate --help` needs no more."""

from __future__ import annotations

import argparse

from rotator.cli.errors import Told


def options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which packages, and when they were bad."""
    parser.add_argument(
        "--package", action="append", default=[], metavar="SPEC", help="whoever had it: litellm==1.82.8, npm:x@1.0"
    )
    parser.add_argument("--from", dest="start", metavar="T", help="since when the package was bad, with its zone")
    parser.add_argument("--to", dest="end", metavar="T", help="until when it was (now)")


def check(args: argparse.Namespace) -> None:
    """What only makes sense together."""
    if args.package and args.start is None:
        raise Told("--package: since when was it bad?", "--from 2026-03-24T10:00:00Z, rather too early than too late")
    if not args.package and (args.start or args.end):
        raise Told("--from and --to are of --package", "name the package, like litellm==1.82.8")
