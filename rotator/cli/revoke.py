"""`rotator revoke`: kill a credential's keys without a successor."""

from __future__ import annotations

import argparse
import sys

from rotator.app.proving import revoke
from rotator.cli.context import assemble, named
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Ask, kill, and say how to see that they are dead."""
    assembly = assemble(args)
    spec = named(assembly.config, args.name)
    out = terminal(sys.stdout, no_color=args.no_color)
    if not args.yes:
        if not sys.stdin.isatty():
            raise Told("there is no terminal to ask on", "add --yes: whoever reads these keys stops working")
        out.stream.write(f"Every consumer of {spec.name} stops working, and nothing replaces the keys. Type its name: ")
        out.stream.flush()
        if sys.stdin.readline().strip() != spec.name:
            raise Told("that was not the name", "nothing was changed")
    for key_id in revoke(assembly, spec):
        out.line(f"{clean(key_id)}: deleted")
    out.line(
        f"{spec.name} is held; `rotator prove {spec.name}` tests the deaths, `rotator release {spec.name}` frees it"
    )
    return 0
