"""Runs every benchmark and prints a table: figure, aim, and whether it is met. Never part of the tests."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from tests.bench import daemon, dashboard, emergency, idle, isolation, journal, rotations, startup, stores
from tests.bench.figures import Figure

BENCHES: dict[str, Callable[[], Iterable[Figure]]] = {
    "rotations": rotations.run,
    "emergency": emergency.run,
    "stores": stores.run,
    "journal": journal.run,
    "isolation": isolation.run,
    "idle": idle.run,
    "daemon": daemon.run,
    "dashboard": dashboard.run,
    "startup": startup.run,
}


def main() -> int:
    """Always 0: a figure is for reading."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="WHICH", help=", ".join(BENCHES))
    chosen = parser.parse_args().which or list(BENCHES)
    for name in chosen:
        for figure in BENCHES[name]():
            print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
