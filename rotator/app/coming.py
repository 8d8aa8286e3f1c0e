"""Rotations that are still to be begun: a line for each provider, so that none of them holds up another's."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from rotator.domain.credential import Credential


class Coming:
    """Used by many threads. `specs`: in the order in which they are begun, as far as their providers have room."""

    def __init__(self, specs: Sequence[Credential], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._place = {spec.name: number for number, spec in enumerate(specs)}
        self._not_before: dict[str, float] = {}
        self._lines: dict[str, deque[Credential]] = {}
        for spec in specs:
            self._lines.setdefault(spec.provider, deque()).append(spec)

    def __bool__(self) -> bool:
        """Whether there is anybody, ready or not."""
        return any(self._lines.values())

    def ready(self) -> frozenset[str]:
        """The providers of which somebody can be begun now."""
        now = self._clock()
        with self._lock:
            return frozenset(name for name, line in self._lines.items() if line and self._is_ready(line[0], now))

    def next(self, free: Callable[[str], bool]) -> Credential | None:
        """Whoever comes first of those whose provider is `free`, and is not in line any more."""
        ahead = [self._lines[name] for name in self.ready() if free(name)]
        if not ahead:
            return None
        with self._lock:
            return min(ahead, key=lambda line: self._place[line[0].name]).popleft()

    def again(self, spec: Credential, after: timedelta) -> None:
        """Behind the others of its provider, and not before so long."""
        with self._lock:
            self._not_before[spec.name] = self._clock() + after.total_seconds()
            self._lines[spec.provider].append(spec)

    def _is_ready(self, spec: Credential, now: float) -> bool:
        return self._not_before.get(spec.name, now) <= now
