"""Alerts that are true for a while: said once, then once a day, and not at every look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from rotator.ports import Observer

AGAIN = timedelta(days=1)


class Reminders:
    """Used by many threads, each action by one at a time. `observer` and `now`: who hears them, and the instant."""

    def __init__(self, observer: Callable[[], Observer], now: Callable[[], datetime]) -> None:
        self._observer = observer
        self._now = now
        self._said: dict[tuple[str, str], datetime] = {}

    def true(self, action: str, found: Iterable[tuple[str, str]]) -> None:
        """All that is true of one action now: by subject, what is said of it. What is no more may be said again."""
        subjects = set()
        for subject, message in found:
            subjects.add(subject)
            self.also_true(action, subject, message)
        for each in [each for each in tuple(self._said) if each[0] == action and each[1] not in subjects]:
            self._said.pop(each, None)

    def also_true(self, action: str, subject: str, message: str) -> None:
        """One more thing is true, besides whatever was."""
        now = self._now()
        before = self._said.get((action, subject))
        if before is None or not timedelta(0) <= now - before < AGAIN:
            self._said[action, subject] = now
            self._observer().alert(action, subject, message)

    def over(self, action: str, subject: str) -> None:
        """It is not true any more. Twice: nothing more."""
        self._said.pop((action, subject), None)
