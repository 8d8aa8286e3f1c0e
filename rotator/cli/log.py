"""`rotator log`: verify the trail, or export it (`exporting`)."""

from __future__ import annotations

import argparse
import re
import sys

from rotator.cli import exporting
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal

_DIGEST = re.compile("[0-9a-f]{64}")


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What to do."""
    parser.add_argument("action", choices=["verify", "export"], metavar="verify|export")
    parser.add_argument("--head", metavar="DIGEST", help="a checkpoint's digest from outside: also finds truncation")
    exporting.options(parser)


def run(args: argparse.Namespace) -> int:
    """Verify exits 3 when something was rewritten, removed or cut off."""
    if args.action == "export":
        if args.head is not None:
            raise Told("--head is for verify alone", "`rotator log export` writes everything")
        return exporting.run(args)
    for option in ("follow", "after", "since"):
        given = getattr(args, option)
        if given is not None and given is not False:
            raise Told(f"--{option} is for export alone", "`rotator log verify` looks at everything")
    if args.head is not None and not _DIGEST.fullmatch(args.head):
        # else a slip of the pen would be told as a trail that somebody cut off
        raise Told("--head is no digest", "write the 64 characters that `rotator log verify` shows behind head")
    return verify(args)


def verify(args: argparse.Namespace) -> int:
    """Check chains and signatures."""
    from rotator.app.journals import verify_trail

    with assembled(args, lenient=True) as assembly:
        result = verify_trail(assembly.journal, assembly.installation, args.head)
    out = terminal(sys.stdout, no_color=args.no_color)
    for line in result.lines:
        out.line(line)
    if not result.ok:
        raise Told(
            "the trail is not what was written",
            "compare it with a copy; trust nothing that only the journal says",
            code=3,
        )
    return 0
