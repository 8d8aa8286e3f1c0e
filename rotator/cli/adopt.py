"""`rotator adopt`: take over the key that consumers read now."""

from __future__ import annotations

import argparse
import sys

from rotator.app.adopting import adopt
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal
from rotator.domain.failures import Fenced


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which one."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--key-id", metavar="ID", help="which key the stores hold, where nobody else can tell")


def run(args: argparse.Namespace) -> int:
    """Adopt; says which other keys live, because an unknown old key must not stay alive in silence."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        try:
            result = adopt(assembly, named(assembly.config, args.name), args.key_id)
        except Fenced:
            hint = f"`rotator status {args.name}` shows where it stands"
            raise Told(f"a rotation of {args.name} is open", hint) from None
        for remark in result.remarks():
            assembly.told.alert("adopted", args.name, remark)
    if result.key_id is None:
        out.line(f"{args.name}: the stores hold no value; `rotate {args.name}` makes the first key")
    else:
        out.line(f"{args.name}: {clean(result.key_id)} is the current key")
    for place in result.unread:
        out.line(f"  {clean(place)} cannot be read; the next rotation or reconciliation writes the current key there")
    for remark in result.remarks():
        out.line(f"  {clean(remark)}")
    return 1 if result.remarks() else 0
