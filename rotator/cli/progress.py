"""Progress: a live table on a terminal, a line per change elsewhere; on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from rotator.cli import words
from rotator.cli.terminal import Region, Terminal, clean, table
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Rotation

SHOWN = 15
"""Rows of the live table; the rest is counted."""


class Progress:
    """An observer that draws. Thread-safe through `Listener`, which calls one at a time."""

    def __init__(self, out: Terminal, now: Callable[[], datetime]) -> None:
        self._out = out
        self._now = now
        self._rows: dict[str, Rotation] = {}
        self._said: dict[str, str] = {}
        self._region = Region(out)
        self._drawn = 0.0
        self._lock = threading.Lock()

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Note a change; draw."""
        with self._lock:
            changed = self._rows.get(row.credential) is None or any(e.kind is EventKind.PHASE for e in events)
            changed = changed or row.waiting is not None
            self._rows[row.credential] = row
            if not changed:
                return
            if self._out.live:
                self._draw(force=row.phase.terminal)
            else:
                self._say(row)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Say it at once, and for good."""
        with self._lock:
            text = self._out.style(f"! {clean(subject)}: {clean(action)}: {clean(message)}", "yellow")
            self._region.above(text) if self._out.live else self._out.line(text)

    def finish(self) -> None:
        """Draw once more, as it stands."""
        with self._lock:
            if self._out.live and self._rows:
                self._draw(force=True)

    def _say(self, row: Rotation) -> None:
        """One line; the same thing is not said twice."""
        detail = words.detail(row, self._now())
        line = f"{row.credential}: {words.phase(row, self._out)}" + (f" — {detail}" if detail else "")
        said = f"{row.phase}{row.waiting.note if row.waiting else ''}{row.problem}"
        if self._said.get(row.credential) != said:
            self._said[row.credential] = said
            self._out.line(line)

    def _draw(self, *, force: bool) -> None:
        if not force and time.monotonic() - self._drawn < 0.1:
            return
        self._drawn = time.monotonic()
        rows = sorted(self._rows.values(), key=lambda row: (row.phase.terminal, row.phase is not Phase.STUCK))
        lines = table(
            ["credential", "phase", ""],
            [[row.credential, words.phase(row, self._out), words.detail(row, self._now())] for row in rows[:SHOWN]],
            self._out,
        )
        if len(rows) > SHOWN:
            lines.append(f"… and {len(rows) - SHOWN} more")
        self._region.draw(lines)
