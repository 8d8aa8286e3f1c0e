"""The options of `--assume-compromise`, and what only makes sense together."""

from __future__ import annotations

import argparse

from rotator.cli.errors import Told


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
    group.add_argument("--again", action="store_true", help="also what this incident already replaced")


def check(args: argparse.Namespace) -> None:
    """What only makes sense together."""
    if args.assume_compromise:
        if args.due:
            raise Told("--due and --assume-compromise are two things", "name what is exposed, or --all")
        return
    for option in ("contain_first", "contained", "not_contained", "grace", "store_wait", "again"):
        if getattr(args, option):
            raise Told(f"--{option.replace('_', '-')} needs --assume-compromise", "see `rotate --help`")
