"""Runs every benchmark and prints a table: figure, aim, and whether it is met. Never part of the tests."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import import_module

from tests.bench.figures import Figure

BENCHES = ("rotations", "emergency", "stores", "journal", "isolation", "idle", "daemon", "dashboard", "startup")
"""Modules beside this one, each with a `run`."""


def main() -> int:
    """Always 0: a figure is for reading. Several run one after the other, each in a process whose memory is its own."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="WHICH", help=", ".join(BENCHES))
    chosen = parser.parse_args().which or BENCHES
    if unknown := [name for name in chosen if name not in BENCHES]:
        parser.error(f"there is no {', '.join(unknown)}: {', '.join(BENCHES)}")
    if len(chosen) > 1:
        for name in chosen:
            subprocess.run([sys.executable, "-m", "tests.bench", name], check=True)
        return 0
    run: Callable[[], Iterable[Figure]] = import_module(f"tests.bench.{chosen[0]}").run
    for figure in run():
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
