"""`rotator prove`: test the death of old keys again."""

from __future__ import annotations

import argparse
import sys

from rotator.app.proving import prove
from rotator.cli.context import assembled, named
from rotator.cli.terminal import clean, terminal
from rotator.domain.rotation import Proof


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose."""
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Print what is known now of each; exit 3 when one is not dead."""
    out = terminal(sys.stdout, no_color=args.no_color)
    alive = found = 0
    with assembled(args) as assembly:
        for death in prove(assembly, named(assembly.config, args.name)):
            found += 1
            alive += death.proof is Proof.UNPROVEN
            sign = out.style(death.proof.value, "red" if death.proof is Proof.UNPROVEN else "green")
            out.line(f"{clean(death.key_id)}: {sign}: {clean(death.text)}")
    if not found:
        out.line(f"{args.name} has had no other key yet")
    return 3 if alive else 0
