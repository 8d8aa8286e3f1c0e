"""The durable journal alone: commits and claims."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.adapters.machine import RandomIds
from rotator.config.installation import new_installation
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Mode
from rotator.engine.starting import new_rotation
from rotator.ports import Change, Journal
from tests.bench.figures import Figure

ROWS, THREADS, COMMITS = 2000, 64, 20
LEASE = timedelta(seconds=60)


def run() -> Iterator[Figure]:
    """Measure."""
    from rotator.app.journals import open_at

    with tempfile.TemporaryDirectory() as name:
        journal = open_at(Path(name) / "rotator.db", new_installation())
        now, ids = datetime.now(UTC), RandomIds()
        for number in range(ROWS):
            journal.begin(new_rotation(f"key-{number:05}", Mode.MANUAL, "bench", ids, now), Change())
        began = time.monotonic()
        claimed = 0
        while rows := journal.claim(owner="bench", now=now, lease=LEASE, limit=1):
            claimed += len(rows)
            if claimed == ROWS // 2:
                break
        single = claimed / (time.monotonic() - began)
        began = time.monotonic()
        batched = 0
        while rows := journal.claim(owner="bench", now=now, lease=LEASE, limit=64):
            batched += len(rows)
        batch = batched / (time.monotonic() - began)
        yield Figure(name="journal: claims one by one", value=single, unit="/s")
        yield Figure(name="journal: claims, 64 at a time", value=batch, unit="/s", note=f"{batched} rows")
        yield from _commits(journal, now)
        journal.close()


def _commits(journal: Journal, now: datetime) -> Iterator[Figure]:
    rows = journal.rotations(limit=THREADS)
    event = Event(kind=EventKind.INTENT, action="promote", subject="vault:ai/openai")

    def work(number: int) -> None:
        for _ in range(COMMITS):
            journal.commit(rows[number], now, Change(events=(event,)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    began, cpu = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, used = time.monotonic() - began, time.process_time() - cpu
    total = THREADS * COMMITS
    note = f"{THREADS} threads, synchronous=FULL"
    yield Figure(name="journal: durable commits", value=total / wall, unit="/s", note=note)
    yield Figure(name="journal: CPU of a commit", value=used / total * 1e6, unit="µs")
