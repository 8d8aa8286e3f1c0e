"""`rotator revoke`: kill a credential's keys without a successor."""

from __future__ import annotations

import argparse
import sys

from rotator.app.proving import revoke
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    """Ask, kill, and say how to see that they are dead."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        if not args.yes:
            _ask(spec.name)
        revoke(assembly, spec, told=lambda line: out.line(clean(line)))
    out.line(f"{spec.name} is held: no schedule brings it back")
    out.line(f"`rotator prove {spec.name}` tests the deaths, `rotator release {spec.name}` frees it")
    return 0


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise Told("there is no terminal to ask on", "add --yes: whoever reads these keys stops working")
    sys.stderr.write(f"Every consumer of {name} stops working, and nothing replaces the keys. Type its name: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != name:
        raise Told("that was not the name", "nothing was changed")
