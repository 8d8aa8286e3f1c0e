"""How long one call of a port may still take, over all the requests that it makes."""

from __future__ import annotations

import time
from datetime import timedelta

from rotator.domain.failures import Transient


class Deadline:
    """Begins when it is made. A suspended machine stops it: the engine asks its own clock before each call."""

    def __init__(self, timeout: timedelta) -> None:
        self._ends = time.monotonic() + timeout.total_seconds()

    def remaining(self, waiting_for: str) -> float:
        """Seconds that are left, more than zero. Raises Transient when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Transient(f"{waiting_for} took too long", "it is tried again")
        return left
