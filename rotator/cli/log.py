"""`rotator log`: verify the trail, or export it."""

from __future__ import annotations

import argparse
import json
import sys

from rotator.cli.context import assemble
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal
from rotator.domain.times import format_time


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What to do."""
    parser.add_argument("action", choices=["verify", "export"])
    parser.add_argument("--head", metavar="DIGEST", help="a checkpoint's digest from outside: also finds truncation")


def run(args: argparse.Namespace) -> int:
    """Verify exits 3 when something was rewritten, removed or cut off."""
    return verify(args) if args.action == "verify" else export(args)


def verify(args: argparse.Namespace) -> int:
    """Check chains and signatures."""
    from rotator.app.journals import verify_trail

    assembly = assemble(args, lenient=True)
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
    """One JSON object a line."""
    assembly = assemble(args, lenient=True)
    for each in assembly.journal.events():
        event = each.event
        line = {
            "at": format_time(each.at),
            "rotation": each.rotation,
            "seq": each.seq,
            "fence": each.fence,
            "kind": event.kind.value,
            "action": event.action,
            "subject": event.subject,
            "detail": dict(event.detail),
            "previous": each.previous,
            "digest": each.digest,
        }
        print(json.dumps(line, ensure_ascii=False, sort_keys=True))
    return 0
