"""The time of one machine: how long it has run, which nobody sets, and its wall clock, which somebody does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

START = datetime(2027, 1, 4, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0


class VirtualTime:
    """Implements `rotator.ports.Clock`, and stands for the modules `time` and the class `datetime` where they are used.

    `seconds`: since `START`, in truth. `ahead`: by how many seconds the wall clock is wrong; `errors`: since when it
    was by how much.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ahead = 0.0
        self.errors: list[tuple[float, float]] = [(0.0, 0.0)]

    def now(self, tz: tzinfo | None = UTC) -> datetime:
        """What the wall clock says."""
        return self.wall(self.seconds)

    def boottime(self) -> float:
        """What nobody sets."""
        return self.seconds

    def time(self) -> float:
        """`time.time`."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """`time.monotonic`."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """`time.sleep`."""
        self.seconds += seconds

    def set_ahead(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.ahead = seconds
        self.errors.append((self.seconds, seconds))

    def wall(self, at: float) -> datetime:
        """What the wall clock said, or would, with the error of now."""
        return START + timedelta(seconds=round(at + self.ahead, 6))

    def wrong_by(self, since: float) -> float:
        """By how much any two readings since then may differ from what lay between them, in seconds."""
        before = [error for at, error in self.errors if at <= since][-1:]
        seen = before + [error for at, error in self.errors if at > since]
        return max(seen) - min(seen)


def true_time(at: float) -> datetime:
    """The instant, so many seconds after `START`."""
    return START + timedelta(seconds=at)
