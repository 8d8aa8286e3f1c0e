"""Progress: a live view on a terminal, elsewhere a line per change or, of many, a summary; on standard error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from rotator.cli import live_rows, overview, words
from rotator.cli.terminal import Region, Terminal, clean
from rotator.cli.tracking import HANDFUL, Expected, Tracking, expected
from rotator.domain.headway import ENDLESS, Stand
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Rotation

__all__ = ["Progress", "expected"]

SHOWN = 15
"""Lines of rows in the live view; the rest is counted."""
REDRAWN_EVERY = 0.2
"""Seconds: the eye sees no more, and what is waited for counts down by itself."""
SPARED = 20
"""So many times as long as it takes to draw is not drawn: of ten thousand that is more than the eye's pause."""
SAID_EVERY = timedelta(seconds=10)
"""How often a log gets a summary at most."""
OVER = frozenset({Stand.PROVEN, Stand.UNPROVEN})
"""Where nothing more happens; whoever goes back may still be on the way."""


class Progress:
    """An observer that draws. Any thread may call it; on a terminal it draws only inside a `with`."""

    of = ""
    """What a line of a log begins with."""

    def __init__(self, out: Terminal, now: Callable[[], datetime]) -> None:
        self._out = out
        self._now = now
        self._run = Tracking(now())
        self._said: dict[str, str] = {}
        self._summed_up = now()
        self._region = Region(out)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def expect(self, what: Expected) -> None:
        """Say what the run is about: there is a summary where that is more than a handful, or stolen."""
        with self._lock:
            self._run.expected, self._run.began = what, self._now()

    def beside(self, begun: Mapping[str, Rotation]) -> None:
        """What somebody else begins, or had ended before; it may grow."""
        with self._lock:
            self._run.begun = begun

    def __enter__(self) -> Self:
        if self._out.live or self._sums_up:
            self._thread = threading.Thread(target=self._redraw, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            if self._out.live:
                self._draw()

    @property
    def _many(self) -> bool:
        return self._run.expected is not None and len(self._run.expected.providers) > HANDFUL

    @property
    def _sums_up(self) -> bool:
        return self._many or (self._run.expected is not None and self._run.expected.emergency)

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Note a change; without a terminal, say it, and of many only what has no end."""
        with self._lock:
            new = row.credential not in self._run.rows or any(each.kind is EventKind.PHASE for each in events)
            stand = self._run.note(row, self._now())
            if not self._out.live and (stand in ENDLESS if self._many else new or row.waiting is not None):
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
        """A line of a log, for good; on a terminal above the view."""
        with self._lock:
            self._region.record(line)

    def _say(self, row: Rotation) -> None:
        """One line; the same thing is not said twice."""
        said = f"{row.phase}{row.waiting.note if row.waiting else ''}{row.problem}"
        if self._said.get(row.credential) != said:
            self._said[row.credential] = said
            self._out.line(f"{self.of}{row.credential}: {words.standing(row, self._now())}")

    # -- what is drawn -----------------------------------------------------------------------------------------------

    def _redraw(self) -> None:
        took = 0.0
        while not self._over.wait(max(REDRAWN_EVERY, took * SPARED)):
            before = time.monotonic()
            if self._out.live:
                self._draw()
            else:
                self._sum_up()
            took = time.monotonic() - before

    def _sum_up(self) -> None:
        """For a log: how it stands, on one line, now and then."""
        now = self._now()
        with self._lock:
            if now - self._summed_up < SAID_EVERY:
                return
            view = self._run.view(self._run.standing(), now)
            self._summed_up = now
            if view is not None:
                self._out.line(overview.one_line(view))

    def _draw(self) -> None:
        now = self._now()
        with self._lock:
            standing = self._run.standing()
            if not standing:
                return
            view = self._run.view(standing, now) if self._sums_up else None
            above = [*overview.summary(view, self._out), ""] if view is not None else []
            refused = self._run.expected.refused if self._run.expected is not None else {}
            room = max(1, min(SHOWN, self._out.height - len(above) - 3))
            lines, shown = live_rows.rows(standing, refused, room, now, self._out)
            if shown < len(standing):
                over = sum(stand in OVER for stand, _ in standing.values())
                told = "" if above else f"; {over} of {len(standing)} are over"
                lines.append(self._out.style(f"… and {len(standing) - shown} more{told}", "dim"))
            self._region.draw([*above, *lines])
