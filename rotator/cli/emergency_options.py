"""The options of `--assume-compromise`, and what only makes sense together."""

from __future__ import annotations

import argparse

from rotator.cli.errors import Told

ASKED = "asked"
"""`--revoke-foreign` without a number."""


def add(parser: argparse.ArgumentParser) -> None:
    """The emergency's own options."""
    group = parser.add_argument_group("in an emergency")
    group.add_argument(
        "--assume-compromise", action="store_true", help="the keys are stolen: replace all, prove the old dead"
    )
    group.add_argument(
        "--contain-first", action="store_true", help="disable the old keys before new ones exist (an outage)"
    )
    contained = group.add_mutually_exclusive_group()
    contained.add_argument("--contained", action="store_true", help="the breach is over: new keys are safe")
    contained.add_argument("--not-contained", action="store_true", help="it is not, or nobody knows")
    group.add_argument("--grace", metavar="DURATION", help="how long both keys work (60s)")
    group.add_argument("--store-wait", metavar="DURATION", help="before a store that fails is left behind (2m)")
    group.add_argument(
        "--revoke-foreign",
        nargs="?",
        const=ASKED,
        metavar="N",
        help="also kill the foreign keys that the plan shows; their number is asked for, or given",
    )
    group.add_argument("--again", action="store_true", help="also what this incident already replaced")


def check(args: argparse.Namespace) -> None:
    """What only makes sense together; `revoke_foreign` becomes None, True or a number."""
    args.revoke_foreign = _number(args.revoke_foreign)
    if args.assume_compromise:
        if args.due:
            raise Told("--due and --assume-compromise are two things", "name what is exposed, or --all")
        return
    for option in ("incident", "advisory"):
        if getattr(args, option):
            hint = "its keys are exposed: add it, and --dry-run to see first what would happen"
            raise Told(f"--{option} needs --assume-compromise", hint)
    for option in ("contain_first", "contained", "not_contained", "grace", "store_wait", "again", "revoke_foreign"):
        if getattr(args, option) not in (None, False):
            raise Told(f"--{option.replace('_', '-')} needs --assume-compromise", "see `rotate --help`")


def _number(given: str | None) -> int | bool | None:
    """How many foreign keys may die; True: as many as will be asked for."""
    if given is None or given == ASKED:
        return None if given is None else True
    if not (given.isascii() and given.isdecimal()) or len(given) > 6:
        hint = "write --revoke-foreign=3, or the names before it; nothing was changed"
        raise Told("--revoke-foreign takes a number of keys", hint)
    return int(given)
