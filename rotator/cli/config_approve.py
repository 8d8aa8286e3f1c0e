"""`rotator config approve`: put the config's file in force, exactly as it was shown."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import sys

from rotator.app.approving import Pending, approve, approve_opening
from rotator.app.net import net
from rotator.cli import context
from rotator.cli.config_diff import looked, show
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal

LONGEST = 500
"""Characters of a reason that are kept."""
_DIGEST = re.compile("[0-9a-f]{32}")


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Without a terminal: what was read before."""
    parser.add_argument(
        "--yes", metavar="DIGEST", help="do not ask: approve what `rotator config diff` showed with this digest"
    )
    parser.add_argument("--why", metavar="TEXT", help="for the trail")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when it is approved, or nothing is to be; 2 where nobody said yes. Twice: nothing is to be."""
    if args.yes is not None and not _DIGEST.fullmatch(args.yes):
        raise Told("--yes is no digest", "write the 32 characters that `rotator config diff` shows last")
    out = terminal(sys.stdout, no_color=args.no_color)
    with looked(args) as (assembly, found):
        if not found.changes and found.doubt is None:
            out.line("nothing is to be approved")
            return 0
        if args.yes is None:
            show(found, out)
            _ask()
        elif args.yes != found.digest:
            raise Told(
                "that is not what waits now: the file, or what is approved, changed since it was shown",
                "look again: `rotator config diff`",
            )
        if found.opening is not None:
            approve_opening(found)
            out.line("approved: the journal may be opened so; `rotator config diff` shows what else differs")
            return 0
        approved = approve(assembly, found, _who() + _why(args.why))
    out.line(f"approved, number {approved.number}; a daemon that runs takes it up by itself{_restart(found)}")
    return 0


def _ask() -> None:
    if not sys.stdin.isatty():
        raise Told("nobody is there to be asked", "`rotator config approve --yes DIGEST`, once you have read it")
    print("Type yes to put this in force: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise Told("not approved: nothing was changed", "the daemon goes on with what was approved before")


def _who() -> str:
    """Who called the API; else who is logged in, as far as this machine knows: for people, and no proof."""
    if context.caller:
        return f"{context.caller} by the API"
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = "somebody"
    return f"{name} (uid {os.getuid()}) on the machine"


def _why(text: str | None) -> str:
    """Bounded, and without what looks like a key: it is kept for ever."""
    return f": {net(clean(text))[:LONGEST]}" if text and text.strip() else ""


def _restart(found: Pending) -> str:
    units = {each.path[0] for each in found.changes if found.before is not None}
    return (
        ", but for state and installation, which count from its next start" if units & {"state", "installation"} else ""
    )
