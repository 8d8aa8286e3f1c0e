"""The journal as a log hears it: every event that was committed, by whichever command, and nothing that was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, cast

from rotator.domain.changes import RESTORED
from rotator.domain.records import Checkpoint, CredentialRow, Event, EventKind, Request, Verb
from rotator.domain.rotation import Rotation
from rotator.ports import Change, Journal


class Scribe(Protocol):
    """What `rotator.adapters.observe.Log` is."""

    def wrote(self, credential: str, fence: int, events: Sequence[Event], rotation: str = "") -> None:
        """Hear what one commit added to the trail. Never raises."""
        ...

    def closed(self, checkpoint: Checkpoint) -> None:
        """Hear of a new checkpoint. Never raises."""
        ...


def logged(journal: Journal, scribe: Scribe) -> Journal:
    """The same journal; what it commits is told to the scribe afterwards."""
    return cast(Journal, _Logged(journal, scribe))


class _Logged:
    """What adds to the trail is here; everything else is the journal's own."""

    def __init__(self, inner: Journal, scribe: Scribe) -> None:
        self._inner = inner
        self._scribe = scribe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self, rotation: Rotation, change: Change) -> bool:
        begun = self._inner.begin(rotation, change)
        if begun:
            self._tell(rotation, change.events)
        return begun

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        waiting = self._inner.commit(row, now, change, heed=heed)
        if not waiting:
            self._tell(row, change.events)
            if change.successor is not None:
                self._tell(change.successor, (_begun(change.successor, row),))
        return waiting

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        saved = self._inner.save(row, now, change)
        self._scribe.wrote(row.name, row.fence, change.events)
        return saved

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        self._inner.note(credential, events, now)
        self._scribe.wrote(credential, self._inner.credential(credential).fence, events)

    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        fence = self._inner.credential(credential).fence  # before: what was asked must not look as if it had failed
        request = self._inner.ask(credential, verb, why, now)
        detail = {"why": why, "request": str(request.id)}
        event = Event(kind=EventKind.OPERATOR, action=verb.value, subject="asked", detail=detail)
        self._scribe.wrote(credential, fence, (event,))
        return request

    def restore(self, row: Rotation, now: datetime) -> None:
        self._inner.restore(row, now)
        self._tell(row, (RESTORED,))

    def checkpoint(self, now: datetime) -> Checkpoint | None:
        checkpoint = self._inner.checkpoint(now)
        if checkpoint is not None:
            self._scribe.closed(checkpoint)
        return checkpoint

    def _tell(self, row: Rotation, events: Sequence[Event]) -> None:
        self._scribe.wrote(row.credential, row.fence, events, row.id)


def _begun(successor: Rotation, superseded: Rotation) -> Event:
    """The trail says it at the end of the superseded one; a log is read rotation by rotation."""
    detail = {"reason": successor.reason, "supersedes": superseded.id}
    return Event(kind=EventKind.PHASE, action="begin", subject=successor.mode.value, detail=detail)
