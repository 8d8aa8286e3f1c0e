"""The journal of one installation, with a switch point and a fate at every write; restored from a backup on demand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from rotator.domain.records import (
    ChainedEvent,
    Checkpoint,
    CredentialRow,
    Event,
    EventKind,
    KnownKey,
    Request,
    Sighting,
    Verb,
)
from rotator.domain.rotation import Rotation
from rotator.ports import Change
from rotator.testing.memory import MemoryJournal
from rotator.testing.simulator.faults import Faults
from rotator.testing.simulator.schedule import FOREVER, START, Schedule


class Watcher(Protocol):
    """Told of every row that was committed, the moment it happens."""

    def committed(self, journal: SimulatedJournal, row: Rotation, before: Rotation | None, change: Change) -> None: ...


def backup(journal: MemoryJournal) -> MemoryJournal:
    """A copy of a journal at this moment."""
    twin = MemoryJournal()
    for name, value in vars(journal).items():
        if isinstance(value, (dict, list)) or name in ("_asked", "_closed", "_older"):
            setattr(twin, name, _twin(value))
    return twin


def _twin(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _twin(each) for key, each in value.items()}
    return list(value) if isinstance(value, list) else value


class SimulatedJournal:
    """Implements `rotator.ports.Journal` over the journal in memory.

    A write may be preceded by a crash, lost, or its answer lost; it never lands late, because an adapter closes the
    transaction whose answer it no longer waits for.
    """

    def __init__(self, inner: MemoryJournal, schedule: Schedule, faults: Faults) -> None:
        self.inner = inner
        self._schedule = schedule
        self._faults = faults
        self.watcher: Watcher
        self._wake: float | None = None

    def wake(self) -> float:
        """Seconds of virtual time at which a row is due."""
        if self._wake is None:
            due = None if self.inner.older_than_world() else self.inner.next_wake()
            self._wake = FOREVER if due is None or due.year > 9000 else (due - START).total_seconds()
        return self._wake

    def waiting_requests(self, credential: str) -> int:
        """How many operators' requests nobody has answered."""
        return len(self.inner._requests.get(credential, ()))

    def first_seen(self, credential: str, key_id: str) -> datetime | None:
        """When the reconciler first took a key for an orphan."""
        sighting = self.inner._sightings.get(credential, {}).get(key_id)
        return sighting.first_seen if sighting is not None else None

    def replaced_by(self, inner: MemoryJournal) -> None:
        """An older journal takes this one's place."""
        self.inner, self._wake = inner, None

    # -- writes ----------------------------------------------------------------------------------------------------

    def begin(self, rotation: Rotation, change: Change) -> bool:
        def act() -> bool:
            self._wake = None
            begun = self.inner.begin(rotation, change)
            if begun:
                self.watcher.committed(self, rotation, None, change)
            return begun

        return self._faults.effect("begin", act, late=False)

    def claim(
        self, *, owner: str, now: datetime, lease: timedelta, limit: int, only: Collection[str] | None = None
    ) -> tuple[Rotation, ...]:
        def act() -> tuple[Rotation, ...]:
            self._wake = None
            return self.inner.claim(owner=owner, now=now, lease=lease, limit=limit, only=only)

        actor = self._schedule.current
        rows = self._faults.effect("claim", act, late=False)
        for row in rows:
            actor.rotation, actor.mode, actor.phase = row.id, row.mode.value, row.phase.value
            actor.commits = [actor.commits[-1], self._schedule.steps]
            actor.began = self._schedule.steps
            self._schedule.tell("claims", row.id, row.phase.value, row.fence)
        return rows

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        actor = self._schedule.current

        def act() -> tuple[Request, ...]:
            before = self.inner.rotation(row.id)
            requests = self.inner.commit(row, now, change, heed=heed)
            if not requests:
                self._wake = None
                actor.commits = [actor.commits[-1], self._schedule.steps]
                actor.committed_at = (now - START).total_seconds()
                kinds = {event.kind for event in change.events}
                if EventKind.INTENT not in kinds:
                    actor.began = self._schedule.steps
                elif EventKind.PHASE in kinds:  # a step that began somewhere behind the commit before
                    actor.began = actor.commits[-2]
                self.watcher.committed(self, row, before, change)
                actor.mode, actor.phase = row.mode.value, row.phase.value
            return requests

        return self._faults.effect("commit", act, late=False)

    def seize(self, rotation_id: str, *, owner: str, now: datetime, lease: timedelta) -> Rotation | None:
        def act() -> Rotation | None:
            self._wake = None
            return self.inner.seize(rotation_id, owner=owner, now=now, lease=lease)

        row = self._faults.effect("seize", act, late=False)
        if row is not None:
            self._schedule.tell("seizes", row.id, row.phase.value, row.fence)
        return row

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        def act() -> CredentialRow:
            actor = self._schedule.current
            saved = self.inner.save(row, now, change)
            actor.commits = [actor.commits[-1], self._schedule.steps]
            return saved

        return self._faults.effect("save", act, late=False)

    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        self._wake = None
        return self.inner.ask(credential, verb, why, now)

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        self.inner.note(credential, events, now)

    def sight(self, credential: str, key_ids: Collection[str], now: datetime) -> tuple[Sighting, ...]:
        return self._faults.effect("sight", lambda: self.inner.sight(credential, key_ids, now), late=False)

    def set_older_than_world(self, why: str | None) -> None:
        self._wake = None
        self.inner.set_older_than_world(why)

    def remember(self, name: str, text: str | None) -> None:
        self.inner.remember(name, text)

    def replace(self, name: str, text: str, *, expected: str | None) -> bool:
        return self.inner.replace(name, text, expected=expected)

    def recall(self, name: str) -> str | None:
        return self.inner.recall(name)

    def remembered(self, prefix: str) -> tuple[str, ...]:
        return self.inner.remembered(prefix)

    def restore(self, row: Rotation, now: datetime) -> None:
        self._wake = None
        self.inner.restore(row, now)

    def checkpoint(self, now: datetime) -> Checkpoint | None:
        return self.inner.checkpoint(now)

    # -- looks -----------------------------------------------------------------------------------------------------

    def rotation(self, rotation_id: str) -> Rotation | None:
        self._schedule.pause()
        return self.inner.rotation(rotation_id)

    def open_rotation(self, credential: str) -> Rotation | None:
        self._schedule.pause()
        return self.inner.open_rotation(credential)

    def open_rotations(self, only: Collection[str] | None = None) -> tuple[Rotation, ...]:
        return self.inner.open_rotations(only)

    def rotating(self) -> tuple[str, ...]:
        return self.inner.rotating()

    def rotations(self, credential: str | None = None, *, limit: int = 1000) -> tuple[Rotation, ...]:
        return self.inner.rotations(credential, limit=limit)

    def emergencies(self, reason: str = "") -> tuple[Rotation, ...]:
        return self.inner.emergencies(reason)

    def next_wake(self, only: Collection[str] | None = None) -> datetime | None:
        return self.inner.next_wake(only)

    def credential(self, name: str) -> CredentialRow:
        self._schedule.pause()
        return self.inner.credential(name)

    def credentials(self, after: str = "", limit: int | None = None) -> tuple[CredentialRow, ...]:
        return self.inner.credentials(after, limit)

    def credentials_among(self, names: Collection[str]) -> tuple[CredentialRow, ...]:
        return self.inner.credentials_among(names)

    def due(self, now: datetime, limit: int) -> tuple[CredentialRow, ...]:
        return self.inner.due(now, limit)

    def keys(self, credential: str) -> tuple[KnownKey, ...]:
        self._schedule.pause()
        return self.inner.keys(credential)

    def every_key(self) -> tuple[KnownKey, ...]:
        self._schedule.pause()
        return self.inner.every_key()

    def holders(self, key_id: str) -> tuple[str, ...]:
        self._schedule.pause()
        return self.inner.holders(key_id)

    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = 10000) -> tuple[ChainedEvent, ...]:
        return self.inner.events(rotation_id, after=after, limit=limit)

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return self.inner.checkpoints()

    def older_than_world(self) -> str | None:
        return self.inner.older_than_world()
