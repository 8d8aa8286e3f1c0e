"""`rotator audit`: see `rotator.cli.auditing`."""

from __future__ import annotations

import argparse

from rotator.cli import auditing


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Those of auditing."""
    auditing.options(parser)


def run(args: argparse.Namespace) -> int:
    """Audit."""
    return auditing.run(args)
