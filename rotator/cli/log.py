"""`rotator log`: verify the trail, or export it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal
from rotator.domain.records import ChainedEvent
from rotator.domain.times import format_time

_DIGEST = re.compile("[0-9a-f]{64}")
BATCH = 1000
"""Events read at a time: a trail may be longer than memory."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What to do."""
    parser.add_argument("action", choices=["verify", "export"], metavar="verify|export")
    parser.add_argument("--head", metavar="DIGEST", help="a checkpoint's digest from outside: also finds truncation")


def run(args: argparse.Namespace) -> int:
    """Verify exits 3 when something was rewritten, removed or cut off."""
    if args.action == "export" and args.head is not None:
        raise Told("--head is for verify alone", "`rotator log export` writes everything")
    if args.head is not None and not _DIGEST.fullmatch(args.head):
        # else a slip of the pen would be told as a trail that somebody cut off
        raise Told("--head is no digest", "write the 64 characters that `rotator log verify` shows behind head")
    return verify(args) if args.action == "verify" else export(args)


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


def export(args: argparse.Namespace) -> int:
    """One JSON object a line, in the order of commits."""
    with assembled(args, lenient=True) as assembly:
        seen = 0
        while events := assembly.journal.events(after=seen, limit=BATCH):
            seen += len(events)
            for each in events:
                print(json.dumps(line(each), ensure_ascii=False, sort_keys=True))
    return 0


def line(each: ChainedEvent) -> dict[str, Any]:
    """One event with everything that its digest is over, so that the export can be checked without the journal."""
    return {
        "at": format_time(each.at),
        "rotation": each.rotation,
        "seq": each.seq,
        "fence": each.fence,
        "kind": each.event.kind.value,
        "action": each.event.action,
        "subject": each.event.subject,
        "detail": dict(each.event.detail),
        "previous": each.previous,
        "digest": each.digest,
    }
