"""A process that claims all that is due: `python -m tests.bench.claimant URL BATCH`, the password on its input."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.opening import open_journal
from rotator.adapters.machine import MachineClock


def main(url: str, batch: int) -> None:
    """Say `ready`, wait for a line, claim, and say how many rows that were."""
    word = sys.stdin.readline().rstrip("\n")
    with open_journal(url, clock=DatabaseClock(MachineClock()), password=lambda: word) as journal:
        journal.claim(owner="bench", now=datetime.now(UTC), lease=timedelta(seconds=60), limit=1, only=())
        print("ready", flush=True)
        sys.stdin.readline()
        claimed = 0
        owner, lease = f"claimant-{os.getpid()}", timedelta(seconds=60)
        while rows := journal.claim(owner=owner, now=datetime.now(UTC), lease=lease, limit=batch):
            claimed += len(rows)
        print(claimed, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
