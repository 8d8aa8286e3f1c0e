"""The options of bad packages, and what only makes sense together. Light: `rotate --help` needs no more."""

from __future__ import annotations

import argparse

from rotator.cli.errors import Told

SINCE_WHEN = ("--package: since when was it bad?", "--from 2026-03-24T10:00:00Z, rather too early than too late")


def options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which packages, and when they were bad."""
    parser.add_argument(
        "--package", action="append", default=[], metavar="SPEC", help="whoever had it: litellm==1.82.8, npm:x@1.0"
    )
    parser.add_argument(
        "--from", dest="start", metavar="T", help="since when it was bad, or the thief could, with its zone"
    )
    parser.add_argument("--to", dest="end", metavar="T", help="until when it was (now)")


def check(args: argparse.Namespace) -> None:
    """What only makes sense together, of `rotate`."""
    if args.package and args.start is None:
        raise Told(*SINCE_WHEN)
    of_packages = args.package or args.advisory
    if not of_packages and (args.end or (args.start and not args.assume_compromise)):
        raise Told("--from and --to are of --package and --advisory", "name the package, like litellm==1.82.8")
    if args.osv and not args.advisory:
        raise Told("--osv is where --advisory is looked up", "name the advisory, like MAL-2026-2144")
    if args.incident and args.advisory:
        raise Told("--incident and --advisory name an incident each", "leave one of them out")
    if len(args.advisory) > 1:
        raise Told("several advisories are one incident once it is opened", "`rotator incident open --advisory …`")


def check_open(args: argparse.Namespace) -> None:
    """What only makes sense together, of `rotator incident open`."""
    if args.package and args.start is None and not args.advisory:
        raise Told(*SINCE_WHEN)
    if args.end and args.start is None and not args.advisory:
        raise Told("--to: and since when?", "--from 2026-03-24T10:00:00Z, rather too early than too late")
    if args.osv and not args.advisory:
        raise Told("--osv is where --advisory is looked up", "name the advisory, like MAL-2026-2144")
