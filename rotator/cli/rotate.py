"""`rotate`: by name, what is due, or everything that is exposed. This file is light; the work is in `session`."""

from __future__ import annotations

import argparse

from rotator.cli import advisory_options, blast_options, emergency_options
from rotator.cli.errors import Told

USAGE = """rotate NAME ...                        these keys; their old ones die in time
       rotate --due                           what is due: for a timer, every few minutes
       rotate --all --assume-compromise       everything is stolen: replace it, prove it dead
       rotate --leaked --assume-compromise    a key is public: paste it, and its credential is replaced
       rotate --package SPEC --from T ...     whatever a bad package could read, from the recorded inventories
       rotate --incident ID ...               what `rotator incident open` remembered
       rotate ... --dry-run                   only say what would happen"""
WIDE = {
    "provider": "every key of this provider",
    "store": "everything published to this store",
    "consumer": "everything that this consumer reads",
}
NARROW = {"tag": "those with this tag", "owner": "those of this owner"}
DEADLINE = "with --due: be over by then; what is open goes on with the next pass"
KEY_ID = "the credential of this key: its id at provider P, its slot, or its hint as a console shows it (…f3Qx)"
ADMIN = "another admin credential for this run: file:PATH, env:NAME, or - for standard input"


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Selection, emergency, and how to run."""
    parser.usage = USAGE
    parser.add_argument("names", nargs="*", metavar="NAME", help="credentials")
    which = parser.add_argument_group("which", "these add up, and without any of them nothing is rotated")
    which.add_argument("--due", action="store_true", help="start what is due, advance what is open, reconcile in time")
    which.add_argument("--all", action="store_true", help="every credential")
    for name, whose in WIDE.items():
        which.add_argument(f"--{name}", action="append", default=[], metavar=name.upper(), help=whose)
    which.add_argument("--leaked", action="store_true", help="whose key is public: asked for, or on standard input")
    which.add_argument("--key-id", action="append", default=[], metavar="P/ID", help=KEY_ID)
    blast_options.options(which)
    which.add_argument(
        "--incident", metavar="ID", help="what this incident is about, as `rotator incident plan` shows it"
    )
    advisory_options.options(which, more=False)
    narrow = parser.add_argument_group("only those of them", "what is left out is shown")
    for name, whose in NARROW.items():
        narrow.add_argument(f"--{name}", action="append", default=[], metavar=name.upper(), help=whose)
    emergency_options.add(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
    how.add_argument("--wait", action=argparse.BooleanOptionalAction, default=None, help="until the old keys are dead")
    how.add_argument("--deadline", metavar="DURATION", help=DEADLINE)
    how.add_argument("--reason", metavar="TEXT", default="", help="why, for the trail")
    how.add_argument("--parallel", type=int, metavar="N", help="rotations at the same time")
    how.add_argument("--admin", action="append", default=[], metavar="PROVIDER=REF", help=ADMIN)
    how.add_argument("--json", action="store_true", help="print one JSON object")
    how.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Check what was typed, then rotate."""
    wide = (args.names, args.all, args.provider, args.store, args.consumer, args.leaked, args.key_id, args.package)
    emergency_options.check(args)  # first: an option without its number takes a name for it
    selected = any((*wide, args.incident, args.advisory, args.tag, args.owner))
    if not selected and not args.due:
        args.help()
        raise Told("nothing was selected", "name credentials, or --due, --all, --tag T, --provider P")
    if selected and args.due:
        raise Told("--due selects by itself", "leave out the names and the other selectors")
    if args.deadline is not None and not args.due:
        raise Told("--deadline is for --due alone", "what a person asked for is not cut short: leave it out")
    if args.leaked and any(each.endswith("=-") for each in args.admin):
        raise Told("--leaked and --admin both want standard input", "use --admin PROVIDER=file:PATH")
    blast_options.check(args)
    if args.parallel is not None and not 1 <= args.parallel <= 256:
        raise Told("--parallel is out of range", "write a number from 1 to 256")
    from rotator.cli.session import begin

    return begin(args)
