"""The real journal, before and behind whose every write the process may die; and who watches what is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Protocol

from rotator.adapters.journal.durable import DurableJournal
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Rotation
from rotator.ports import Change
from tests.simulation.year.life import Life

WRITES = frozenset({"seize", "note", "ask", "sight", "checkpoint", "remember", "restore", "set_older_than_world"})


class Watcher(Protocol):
    """Told of what is in the journal from now on."""

    def began(self, row: Rotation) -> None: ...

    def committed(self, row: Rotation) -> None: ...


class Alarm:
    """When something in the journal is due, by the wall clock. Times that are no longer right wake in vain."""

    def __init__(self) -> None:
        self._times: list[datetime] = []
        self._set: set[datetime] = set()

    def at(self, when: datetime | None) -> None:
        """Wake at this time, too."""
        if when is not None and when.year < 2100 and when not in self._set:
            self._set.add(when)
            heappush(self._times, when)

    def after(self, now: datetime) -> datetime | None:
        """The first time after now. What was before is forgotten."""
        while self._times and self._times[0] <= now:
            self._set.discard(heappop(self._times))
        return self._times[0] if self._times else None


class MortalJournal:
    """Passes everything on to a real journal."""

    def __init__(self, inner: DurableJournal, life: Life, alarm: Alarm, watcher: Watcher) -> None:
        self.inner = inner
        self._life = life
        self._alarm = alarm
        self._watcher = watcher
        self._after: dict[str, Callable[..., None]] = {
            "begin": self._began,
            "claim": self._claimed,
            "commit": self._committed,
            "save": self._saved,
        }

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        after = self._after.get(name)
        reads = after is None and name not in WRITES
        made = self._reading(method) if reads else self._writing(method, after)
        setattr(self, name, made)  # not asked for again
        return made

    def _reading(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def read(*args: Any, **named: Any) -> Any:
            if self._life.dead:
                self._life.point()
            return method(*args, **named)

        return read

    def _writing(self, method: Callable[..., Any], after: Callable[..., None] | None) -> Callable[..., Any]:
        def write(*args: Any, **named: Any) -> Any:
            self._life.point()
            result = method(*args, **named)
            if after is not None:
                self._life.acts += method.__name__ != "claim" or bool(result)
                after(result, *args)
            self._life.point()
            return result

        return write

    def _began(self, opened: bool, row: Rotation, change: Change) -> None:
        if opened:
            self._alarm.at(row.next_at)
            self._watcher.began(row)

    def _claimed(self, rows: tuple[Rotation, ...], *_: Any) -> None:
        for row in rows:
            self._alarm.at(row.next_at)

    def _committed(self, asked: Any, row: Rotation, now: datetime, change: Change) -> None:
        if asked:
            return
        self._alarm.at(row.next_at)
        if change.credential is not None:
            self._alarm.at(change.credential.next_due)
        if change.successor is not None:
            self._alarm.at(change.successor.next_at)
            self._watcher.began(change.successor)
        self._watcher.committed(row)

    def _saved(self, saved: CredentialRow, *_: Any) -> None:
        self._alarm.at(saved.next_due)
