"""Room for commands: nobody takes all of it, and some of it is kept for emergencies."""

from __future__ import annotations

import threading
from collections import Counter

from rotator.api.callers import Caller
from rotator.api.limits import Limits
from rotator.api.problems import Problem
from rotator.domain.tokens import Role


class Slots:
    """Who has how many commands at work. Safe for many threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    def take(self, caller: Caller) -> None:
        """One more, to be given back. Raises `Problem` where there is no room for this caller."""
        limits, responder = self._limits, caller.may(Role.RESPONDER)
        own = limits.of_one_responder if responder else limits.of_one_caller
        room = limits.at_once if responder else limits.at_once - limits.for_responders
        with self._lock:
            if self._of[caller.name] >= own:
                raise _later("so many of your commands are at work already")
            if self._of.total() >= room:
                raise _later("too many commands are at work")
            self._of[caller.name] += 1

    def give(self, caller: Caller) -> None:
        """One is over."""
        with self._lock:
            self._of[caller.name] -= 1
            self._of += Counter()  # without those that have none


def _later(message: str) -> Problem:
    return Problem(503, message, "a little later", headers={"Retry-After": "5"})
