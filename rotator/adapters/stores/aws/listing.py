"""The private secrets as ListSecrets knows them, corrected by what this process did.

A list may be five minutes old (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
What another process wrote within them is found by the next look: its value is in nobody's way until then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import timedelta

LAG = timedelta(minutes=10)
"""How long what was done here is remembered; twice what the documentation says."""


class Recent:
    """Names that were made or removed here within `LAG`. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there: dict[str, tuple[bool, float]] = {}

    def made(self, name: str) -> None:
        """The secret is there."""
        self._note(name, there=True)

    def removed(self, name: str) -> None:
        """The secret is gone."""
        self._note(name, there=False)

    def corrected(self, listed: Collection[str], start: tuple[str, ...]) -> tuple[str, ...]:
        """The names in a list, with and without what it may not know yet; `start`: with what they begin."""
        with self._lock:
            self._forget()
            known = {name: there for name, (there, _) in self._there.items() if name.startswith(start)}
        names = {*listed, *(name for name, there in known.items() if there)}
        return tuple(sorted(name for name in names if known.get(name, True)))

    def _note(self, name: str, *, there: bool) -> None:
        with self._lock:
            self._forget()
            self._there[name] = (there, time.monotonic())

    def _forget(self) -> None:
        oldest = time.monotonic() - LAG.total_seconds()
        for name in [name for name, (_, at) in self._there.items() if at < oldest]:
            del self._there[name]
