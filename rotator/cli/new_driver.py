"""`rotator plugins new NAME`: the first files of a driver, here in this folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rotator.app.beginning_a_driver import write_driver
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal


def run(args: argparse.Namespace) -> int:
    """Write them, and say what comes next."""
    if args.name is None:
        raise Told("new needs a name", "`rotator plugins new acme`")
    out = terminal(sys.stdout, no_color=args.no_color)
    written = write_driver(args.name, Path())
    for path in written:
        out.line(str(path))
    folder = written[0].parent
    out.line()
    out.line(f"it passes the contract over an invented API: cd {folder} && python -m pytest")
    out.line(f"then make it yours, in the order that {folder}/README.md has")
    return 0
