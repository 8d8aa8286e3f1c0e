"""By when a run has to be over, so that whoever started it need not end it in the middle of an effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rotator.ports import Clock


class Deadline:
    """A length of time from now. Counted in boot time, so that a clock that is set moves it nowhere.

    `spare`: what is in hand may take so long, so nothing is begun any more so much earlier.
    """

    def __init__(self, clock: Clock, length: timedelta, spare: timedelta) -> None:
        self._clock = clock
        self._last = clock.boottime() + (length - spare).total_seconds()

    def near(self) -> bool:
        """Whether nothing more may be begun."""
        return self._clock.boottime() >= self._last

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Meanwhile `stop` is called when it is near, on a thread of its own; at once where it is near already."""
        if self.near():
            stop()
            yield
            return
        timer = threading.Timer(max(0.0, self._last - self._clock.boottime()), stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
