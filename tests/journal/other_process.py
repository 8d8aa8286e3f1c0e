"""What another process does to a journal: `python -m tests.journal.other_process WHAT URL NUMBER`, then a line."""

from __future__ import annotations

import json
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from rotator.adapters.journal.location import path_of
from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.domain.failures import Failure
from rotator.domain.rotation import Rotation
from rotator.testing.journal_contract.values import LEASE, NOTHING, NOW, begun, claimed, noting, rotation


def tell(value: object) -> None:
    """One line of output."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def claim(journal: SqliteJournal, batch: int) -> None:
    """Claim all that is due, in batches."""
    owner = f"process at {datetime.now(UTC)}"
    mine: list[Rotation] = []
    while rows := journal.claim(owner=owner, now=NOW, lease=LEASE, limit=batch):
        mine += rows
    tell([[row.credential, row.fence] for row in mine])


def begin(journal: SqliteJournal, count: int) -> None:
    """Begin a rotation of each of `count` credentials; tell which began."""
    names = [f"c{number}" for number in range(count)]
    ours = [journal.begin(rotation(f"{id(journal):x}{name}", name), noting("begin")) for name in names]
    tell([name for name, began in zip(names, ours, strict=True) if began])


def commit(journal: SqliteJournal, threads: int) -> None:
    """Claim as many rotations, and commit for ever in as many threads; tell of each commit that has returned."""
    telling = Lock()
    rows = [claimed(journal, f"r{number}", f"c{number}") for number in range(threads)]

    def work(row: Rotation) -> None:
        while True:
            row = replace(row, attempts=row.attempts + 1)
            journal.commit(row, NOW, noting("mint"))
            with telling:
                tell([row.id, row.attempts])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, rows))


def fill(journal: SqliteJournal, bytes_more: int) -> None:
    """Commit until files may grow no more, then with the limit lifted; tell how far each came, and of the failure."""
    row = claimed(journal)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    state = path_of(sys.argv[2])
    size = max(path.stat().st_size for path in state.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + bytes_more, resource.RLIM_INFINITY))
    failure = None
    while failure is None:
        try:
            journal.commit(replace(row, attempts=row.attempts + 1), NOW, noting("mint"))
            row = replace(row, attempts=row.attempts + 1)
        except Failure as found:
            failure = found
    stored = journal.rotation("r1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.commit(replace(row, attempts=row.attempts + 1), NOW, NOTHING)
    tell([row.attempts, stored and stored.attempts, type(failure).__name__, failure.message, failure.hint])


def hold(journal: SqliteJournal, number: int) -> None:
    """Begin rotations and keep the journal open until the input ends."""
    for each in range(number):
        begun(journal, f"r{each}", f"c{each}")
    tell("held")
    sys.stdin.read()


if __name__ == "__main__":
    what = {each.__name__: each for each in (claim, begin, commit, fill, hold)}[sys.argv[1]]
    with open_journal(sys.argv[2], base=Path.cwd()) as opened:
        tell("ready")
        sys.stdin.readline()
        what(opened, int(sys.argv[3]))
