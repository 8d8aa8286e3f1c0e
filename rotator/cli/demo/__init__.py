"""`rotator demo`: a scheduled rotation and a theft, in under a minute, with nothing but this machine."""

from __future__ import annotations

import argparse
import sys

from rotator.cli.terminal import terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Play it."""
    from rotator.cli.demo.story import play

    return play(terminal(sys.stdout, no_color=args.no_color))
