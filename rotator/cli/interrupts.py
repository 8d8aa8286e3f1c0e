"""Ctrl-C while rotations are begun, run and reported: once, what is in hand is finished and told; twice, it is over.

SIGTERM is the same: it is what a cluster, a service manager or `timeout` sends, and then waits.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from rotator.app.reporting import INCOMPLETE
from rotator.cli.terminal import Terminal

ENDING = (signal.SIGINT, signal.SIGTERM)
AGAIN = b"interrupted again: what was in hand is found by the next run\n"


class Interrupts:
    """From entering to leaving no Ctrl-C cuts anything off: it is counted, and whoever works looks at `count`."""

    def __init__(self, err: Terminal) -> None:
        self._err = err
        self._stop: Callable[[], None] = lambda: None
        self._before: list[tuple[signal.Signals, Any]] = []
        self.count = 0

    def __enter__(self) -> Interrupts:
        self._before = [(each, signal.signal(each, self._handle)) for each in ENDING]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, before in self._before:
            signal.signal(each, before)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Meanwhile the first one calls `stop`, which takes no lock; one that came before calls it at once."""
        self._stop = stop
        if self.count:
            stop()
        try:
            yield
        finally:
            self._stop = lambda: None

    def at_once(self) -> None:
        """The second one: the process is over."""
        os.write(2, AGAIN)
        os._exit(INCOMPLETE)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            self.at_once()
        try:
            self._err.line("interrupted: finishing the effects in hand; again: now")
        finally:
            self._stop()  # it may raise
