"""`rotator acknowledge`: a consumer proves that it has the new key. The proof comes from standard input."""

from __future__ import annotations

import argparse
import sys

from rotator.app.patient import patient
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal
from rotator.engine.acknowledging import acknowledge

LONGEST = 64 * 1024
"""Characters of standard input that are read."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose key, and who has it."""
    parser.add_argument("name", metavar="NAME", help="the credential")
    parser.add_argument("consumer", metavar="CONSUMER", help="who has the new key; the proof is on standard input")
    parser.add_argument("too_much", nargs="*", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Judge it, and let the owner of the rotation know."""
    if args.too_much:  # it may be a key: not repeated
        raise Told("an acknowledgement is not taken from the command line", "pipe it in; docs/consumers.md shows how")
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        done = acknowledge(spec, patient(assembly.world_of(spec)), args.consumer, sys.stdin.read(LONGEST))
    known = " (it was known already)" if done.again else ""
    out.line(clean(f"{spec.name}: {done.consumer} has the new key of rotation {done.rotation.id}{known}"))
    return 0
