"""What 100,000 credentials cost when nothing is due."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.config.installation import new_installation
from rotator.domain.records import CredentialRow
from rotator.ports import Change
from tests.bench.figures import Figure

COUNT = 100_000
TICKS = 200


def run() -> Iterator[Figure]:
    """Fill a journal, open it again as a start does, and tick."""
    from rotator.app.journals import open_at

    installation = new_installation()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rotator.db"
        now = datetime.now(UTC)
        journal = open_at(path, installation)
        began = time.monotonic()
        for number in range(COUNT):
            row = CredentialRow(name=f"key-{number:06}", next_due=now + timedelta(days=1, seconds=number))
            journal.save(row, now, Change())
        filled = time.monotonic() - began
        journal.close()
        began = time.monotonic()
        journal = open_at(path, installation)
        journal.due(now, 100)
        start = time.monotonic() - began
        ticks = []
        for _ in range(TICKS):
            began = time.process_time()
            journal.due(now, 100)
            journal.claim(owner="bench", now=now, lease=timedelta(seconds=60), limit=64)
            journal.next_wake()
            ticks.append(time.process_time() - began)
        journal.close()
    note = f"{COUNT} credentials, entered in {filled:.0f} s"
    yield Figure(name="idle: open the journal and look once", value=start, unit="s", aim=1, note=note)
    yield Figure(name="idle: CPU of one tick", value=statistics.median(ticks) * 1000, unit="ms", aim=1)
