"""An emergency whose principal gets new keys faster than they die: after some rounds it is left, and said so.

Each time that the last list of a rotation shows more keys, they die and it lists again. Who holds an admin credential
can make that last for ever, so a command goes round with it a bounded number of times; the rotation stays open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock

from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Rotation
from rotator.ports import Observer

MOST_ROUNDS = 4
"""Returns from the last list to killing, by one command."""


class Chase:
    """Hears what is committed, tells another observer, and says which credentials are to be left; of many threads."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner
        self._returns: Counter[str] = Counter()
        self._lock = Lock()
        self.left: frozenset[str] = frozenset()
        self.leave: Callable[[str], None] = lambda name: None

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Never raises."""
        self._inner.committed(row, events)
        if row.rules.emergency and any(_returned(each) for each in events):
            with self._lock:
                self._returns[row.credential] += 1
                if self._returns[row.credential] <= MOST_ROUNDS or row.credential in self.left:
                    return
                self.left |= {row.credential}
            self.leave(row.credential)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Passed on."""
        self._inner.alert(action, subject, message)


def _returned(event: Event) -> bool:
    """Whether the last list showed more."""
    entered = event.kind is EventKind.PHASE and event.subject == Phase.RETIRING.value
    return entered and event.detail.get("from") == Phase.SWEEPING.value
