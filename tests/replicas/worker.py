"""One replica: `python -m tests.replicas.worker CONFIG STATE [--parallel N] [--ahead SECONDS]`, until nothing is open.

It says `ready` when its journal is open, waits for a line, and says `finished` at the end. `--ahead`: how wrong this
machine's clock is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.adapters.machine import MachineClock
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.housekeeping import start_due
from rotator.app.running import Run
from rotator.domain.failures import Transient

LONGEST = 900
"""Seconds."""
PAUSE = 0.2


class WrongClock(MachineClock):
    """A machine's clock that is off."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        """Not the instant."""
        return datetime.now(UTC) + self._ahead


def main() -> int:
    """0 when nothing is due or open any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("state")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--ahead", type=float, default=0)
    args = parser.parse_args()
    config = replace(load_config(args.config), state=args.state)
    assembly = Assembly(config=config, clock=WrongClock(timedelta(seconds=args.ahead)))
    journal = assembly.journal
    say("ready")
    sys.stdin.readline()
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        try:
            for message, _ in set(start_due(assembly).problems.values()):
                say(message)
            run = Run(assembly=assembly, owner=f"replica-{os.getpid()}", parallel=args.parallel)
            run.until(lambda: journal.next_wake() is None)
            for failure in run.failures.values():
                say(str(failure))
            if not journal.due(assembly.clock.now(), 1) and journal.next_wake() is None:
                say("finished")
                return 0
        except Transient as failure:  # as a daemon does: the database is away, and comes back
            say(failure.message)
            time.sleep(PAUSE)
    return 1


def say(text: str) -> None:
    """One line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
