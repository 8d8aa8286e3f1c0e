"""Waiting for several things at the same time, and how long each of them took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

STEADY = 5
"""So many equal answers in a row, before it is believed that a change has got about everywhere."""
CALM = 10.0
"""Seconds without a relapse that are enough, however long it took."""
LONGEST_PAUSE = 0.5


@dataclass
class Watch:
    """Something that comes to be. `limit`: seconds until nobody waits for it any more.

    `steady`: it may come and go, and is there when it stayed for half as long again. `seconds`: when it came to be;
    None while it has not.
    """

    happens: Callable[[], bool]
    limit: float
    steady: bool = False
    seconds: float | None = None
    over: bool = False
    _since: float = 0.0
    _run: int = 0

    def look(self, now: float) -> None:
        """Look once more, `now` seconds after the beginning."""
        if self.over:
            return
        if not self.happens():
            self._run = 0
            self.over = now > self.limit
            return
        self._since = self._since if self._run else now
        self._run += 1
        calm = now - self._since >= min(self._since / 2, CALM)
        if not self.steady or (self._run >= STEADY and calm):
            self.seconds, self.over = self._since, True


def watch(
    *watches: Watch, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic
) -> None:
    """Look at all of them until each is over."""
    began, pause = now(), 0.05
    while True:
        for each in watches:
            each.look(now() - began)
        if all(each.over for each in watches):
            return
        sleep(pause)
        pause = min(pause * 1.2, LONGEST_PAUSE)
