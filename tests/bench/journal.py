"""The durable journals alone: commits and claims, on SQLite and beside it on a PostgreSQL of the bench's own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.adapters.machine import RandomIds
from rotator.config.installation import new_installation
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Mode
from rotator.engine.starting import new_rotation
from rotator.ports import Change, Journal
from tests.bench.figures import Figure
from tests.journal.on_postgres import opened, url_of
from tests.servers import Unavailable, postgres
from tests.servers.postgres import Database

ROWS, THREADS, COMMITS = 2000, 64, 20
ONE_BY_ONE, PROCESSES, BATCH = 300, 4, 64
LEASE = timedelta(seconds=60)
ROOT = Path(__file__).parents[2]


def run() -> Iterator[Figure]:
    """Measure."""
    from rotator.app.journals import open_at

    with tempfile.TemporaryDirectory() as name:
        journal = open_at(Path(name) / "rotator.db", new_installation())
        _begin(journal, ROWS)
        yield from _claims(journal, "SQLite")
        yield from _commits(journal, "SQLite", "synchronous=FULL")
        journal.close()
    try:
        server = postgres.start(durable=True)
    except Unavailable as missing:
        yield Figure(name="journal: PostgreSQL", value=0, note=str(missing))
        return
    try:
        yield from _on_postgres(server)
    finally:
        server.stop()


def _on_postgres(server: postgres.PostgresServer) -> Iterator[Figure]:
    label = f"PostgreSQL {server.version}"
    with server.database() as database, opened(database) as journal:
        _begin(journal, ROWS)
        yield from _claims(journal, label)
        yield from _commits(journal, label, "fsync=on, synchronous_commit=on")
        for batch in (1, BATCH):
            rows = PROCESSES * ONE_BY_ONE if batch == 1 else PROCESSES * ROWS
            _begin(journal, rows)
            yield _by_processes(database, rows, batch, label)


def _begin(journal: Journal, count: int) -> None:
    """So many rows that are due, by as many threads as a process has."""
    now, ids, stamp = datetime.now(UTC), RandomIds(), time.monotonic_ns()

    def some(first: int) -> None:
        for number in range(first, count, 16):
            journal.begin(new_rotation(f"key-{stamp}-{number:05}", Mode.MANUAL, "bench", ids, now), Change())

    _at_once([threading.Thread(target=some, args=(first,)) for first in range(16)])


def _at_once(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _claims(journal: Journal, label: str) -> Iterator[Figure]:
    now = datetime.now(UTC)
    began = time.monotonic()
    for _ in range(ONE_BY_ONE):
        assert journal.claim(owner="bench", now=now, lease=LEASE, limit=1)
    single = ONE_BY_ONE / (time.monotonic() - began)
    began = time.monotonic()
    batched = 0
    while rows := journal.claim(owner="bench", now=now, lease=LEASE, limit=BATCH):
        batched += len(rows)
    batch = batched / (time.monotonic() - began)
    yield Figure(name=f"journal: claims one by one, {label}", value=single, unit="/s")
    yield Figure(name=f"journal: claims, {BATCH} at a time, {label}", value=batch, unit="/s", note=f"{batched} rows")


def _by_processes(database: Database, rows: int, batch: int, label: str) -> Figure:
    """All rows claimed by several processes, from when the first begins until the last finds nothing more."""
    command = [sys.executable, "-m", "tests.bench.claimant", url_of(database), str(batch)]
    with ExitStack() as ending:
        processes = []
        for _ in range(PROCESSES):
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ending.enter_context(process)
            ending.callback(process.kill)
            assert process.stdin is not None
            process.stdin.write(database.password + "\n")
            process.stdin.flush()
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        claimed = [int(process.communicate()[0]) for process in processes]
        wall = time.monotonic() - began
    assert sum(claimed) == rows, "a row was claimed twice, or never"
    how = "one by one" if batch == 1 else f"{batch} at a time"
    note = f"{rows} rows, none twice"
    return Figure(
        name=f"journal: claims {how}, {PROCESSES} processes, {label}", value=rows / wall, unit="/s", note=note
    )


def _commits(journal: Journal, label: str, note: str) -> Iterator[Figure]:
    rows, now = journal.rotations(limit=THREADS), datetime.now(UTC)
    event = Event(kind=EventKind.INTENT, action="promote", subject="vault:ai/openai")

    def work(number: int) -> None:
        for _ in range(COMMITS):
            journal.commit(rows[number], now, Change(events=(event,)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    began, cpu = time.monotonic(), time.process_time()
    _at_once(threads)
    wall, used = time.monotonic() - began, time.process_time() - cpu
    total = THREADS * COMMITS
    note = f"{THREADS} threads, {note}"
    yield Figure(name=f"journal: durable commits, {label}", value=total / wall, unit="/s", note=note)
    yield Figure(name=f"journal: CPU of a commit, {label}", value=used / total * 1e6, unit="µs")
