"""The journal for a process that works for somebody: its trail says for whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from rotator.domain.records import CredentialRow, Event, EventKind, Request, Verb
from rotator.domain.rotation import Rotation
from rotator.ports import Change, Journal


def attributed(journal: Journal, by: str) -> Journal:
    """The same journal; what people do to it has `by` in its detail, and so has all of a credential's own trail."""
    return cast(Journal, _Attributed(journal, by))


def signed(event: Event, by: str) -> Event:
    """The event with who did it; unchanged for nobody. Who is in it already, such as a scanner, stays in it."""
    if not by:
        return event
    who = ", ".join(dict.fromkeys(filter(None, (event.detail.get("by"), by))))
    return replace(event, detail={**event.detail, "by": who})


class _Attributed:
    """What adds to the trail is here; everything else is the journal's own."""

    def __init__(self, inner: Journal, by: str) -> None:
        self._inner = inner
        self._by = by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self, rotation: Rotation, change: Change) -> bool:
        return self._inner.begin(rotation, self._of_people(change))

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        # What is answered here may have been asked by somebody else.
        return self._inner.commit(row, now, change if change.answered else self._of_people(change), heed=heed)

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        return self._inner.save(row, now, replace(change, events=self._signed(change.events)))

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        self._inner.note(credential, self._signed(events), now)

    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        request = self._inner.ask(credential, verb, why, now)
        asked = Event(kind=EventKind.OPERATOR, action=verb.value, subject="asked", detail={"request": str(request.id)})
        self.note(credential, (asked,), now)
        return request

    def _signed(self, events: Iterable[Event]) -> tuple[Event, ...]:
        return tuple(signed(each, self._by) for each in events)

    def _of_people(self, change: Change) -> Change:
        events = (signed(each, self._by) if each.kind is EventKind.OPERATOR else each for each in change.events)
        return replace(change, events=tuple(events))
