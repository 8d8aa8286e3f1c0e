"""Time that goes on only while somebody sleeps: what is measured by it does not depend on the machine."""

from __future__ import annotations


class Clock:
    """Called it says the time, in seconds; a test may move `now` itself."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """What time it is."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so much pass."""
        assert seconds >= 0
        self.now += seconds
