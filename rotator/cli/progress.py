"""Progress: a live table on a terminal, a line per change elsewhere; on standard error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from rotator.cli import words
from rotator.cli.terminal import Region, Terminal, clean, table
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Rotation

SHOWN = 15
"""Rows of the live table; the rest is counted."""
REDRAWN_EVERY = 0.2
"""Seconds: the eye sees no more, and what is waited for counts down by itself."""


class Progress:
    """An observer that draws. Any thread may call it; on a terminal it draws only inside a `with`."""

    def __init__(self, out: Terminal, now: Callable[[], datetime]) -> None:
        self._out = out
        self._now = now
        self._rows: dict[str, Rotation] = {}
        self._said: dict[str, str] = {}
        self._region = Region(out)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._out.live:
            self._thread = threading.Thread(target=self._redraw, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._draw()

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Note a change; without a terminal, say it."""
        with self._lock:
            new = row.credential not in self._rows or any(each.kind is EventKind.PHASE for each in events)
            self._rows[row.credential] = row
            if not self._out.live and (new or row.waiting is not None):
                self._say(row)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Say it at once, and for good."""
        with self._lock:
            text = self._out.style(f"! {clean(subject)}: {clean(action)}: {clean(message)}", "yellow")
            if self._out.live:
                self._region.above(text)
            else:
                self._out.line(text)

    def record(self, line: str) -> None:
        """A line of a log, for good; on a terminal above the table."""
        with self._lock:
            self._region.record(line)

    def _say(self, row: Rotation) -> None:
        """One line; the same thing is not said twice."""
        said = f"{row.phase}{row.waiting.note if row.waiting else ''}{row.problem}"
        if self._said.get(row.credential) != said:
            self._said[row.credential] = said
            self._out.line(f"{row.credential}: {words.standing(row, self._now())}")

    def _redraw(self) -> None:
        while not self._over.wait(REDRAWN_EVERY):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: (row.phase.terminal, row.phase is not Phase.STUCK))
            if not rows:
                return
            cells = [[row.credential, words.phase(row, self._out), self._detail(row)] for row in rows[:SHOWN]]
            lines = table(["credential", "phase", ""], cells, self._out)
            if len(rows) > SHOWN:
                over = sum(row.phase.terminal for row in rows)
                lines.append(f"… and {len(rows) - SHOWN} more; {over} of {len(rows)} are over")
            self._region.draw(lines)

    def _detail(self, row: Rotation) -> str:
        return self._out.style(words.detail(row, self._now()), "dim")
