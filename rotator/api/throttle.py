"""Logins that fail: an address that goes on is not listened to for a while."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from rotator.api.limits import Limits

WITHIN = timedelta(minutes=1)
MOST = 4096
"""Addresses that are remembered."""


class Throttle:
    """Counts failures by address and in all. Safe for many threads."""

    def __init__(
        self, alert: Callable[[str, str], None], limits: Limits, clock: Callable[[], float] = monotonic
    ) -> None:
        """`alert`: told, once in a while, of an address that is not listened to; with a line for people."""
        self._alert = alert
        self._of_one, self._of_all = limits.failed_logins, limits.failed_in_all
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=self._of_all)
        self._told: dict[str, float] = {}

    def wait(self, address: str) -> int:
        """For how many seconds an address is not listened to; 0: it is."""
        now, key = self._clock(), _network(address)
        with self._lock:
            own = self._recent(self._failed.get(key, deque()), now)
            many = len(self._recent(self._all, now)) >= self._of_all and bool(own)
            if len(own) < self._of_one and not many:
                return 0
            return max(1, int(own[0] + WITHIN.total_seconds() - now) + 1)

    def failed(self, address: str) -> None:
        """One more."""
        now, key = self._clock(), _network(address)
        with self._lock:
            own = self._failed.setdefault(key, deque(maxlen=self._of_one))
            self._failed.move_to_end(key)
            own.append(now)
            self._all.append(now)
            if len(self._failed) > MOST:
                self._told.pop(self._failed.popitem(last=False)[0], None)
            tell = len(own) >= self._of_one and now - self._told.get(key, -1e9) > 10 * WITHIN.total_seconds()
            if tell:
                self._told[key] = now
        if tell:
            self._alert(key, f"{self._of_one} logins from {key} failed within {int(WITHIN.total_seconds())} s")

    @staticmethod
    def _recent(times: deque[float], now: float) -> deque[float]:
        while times and now - times[0] >= WITHIN.total_seconds():
            times.popleft()
        return times


def _network(address: str) -> str:
    """Of IPv6 somebody has a whole network, and not one address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "nowhere"  # all without an address are one
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
