"""`resume`, `rollback`, `hold`, `release`: an operator's word, left for whoever runs rotations next."""

from __future__ import annotations

import argparse
import sys

from rotator.app.steering import steer, stuck
from rotator.cli import words
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal
from rotator.domain.failures import Fenced
from rotator.domain.records import Verb


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which credential; `resume` alone means every stuck one."""
    if verb == "resume":
        parser.add_argument("name", nargs="?", metavar="NAME")
    else:
        parser.add_argument("name", metavar="NAME")
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the trail")


def run(args: argparse.Namespace) -> int:
    """Leave the request; whoever runs rotations next acts on it."""
    verb = Verb(args.verb)
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        names = [named(assembly.config, args.name).name] if args.name else stuck(assembly)
        if not names:
            out.line("nothing is stuck")
        for name in names:
            try:
                said = steer(assembly, name, verb, args.reason, words.standing)
            except Fenced:
                raise Told(f"{name} began to rotate at this very moment", "the same command again", code=3) from None
            out.line(f"{name}: {said}")
    return 0
