"""A pause of everything that is new: what is open goes on, a person's `rotate` goes on, and so does every emergency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rotator.domain.records import Event, EventKind
from rotator.domain.times import format_time, parse_time
from rotator.ports import Journal

PAUSED = "paused"
OWN = "the rotator"
"""Whose trail it is: no credential can have a name with a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """`until` None: until somebody ends it."""

    since: datetime
    until: datetime | None = None
    why: str = ""


def pause(journal: Journal, since: datetime, until: datetime | None, why: str) -> Pause:
    """No scheduled rotation begins until then. Twice: the last one counts."""
    said = Pause(since=since, until=until, why=why)
    kept = {"since": format_time(since), "until": format_time(until) if until else None, "why": why}
    journal.remember(PAUSED, json.dumps(kept))
    detail = {"until": kept["until"] or "", "why": why}
    journal.note(OWN, (Event(kind=EventKind.OPERATOR, action="paused", subject="everything", detail=detail),), since)
    return said


def end(journal: Journal, now: datetime) -> None:
    """What is due begins again. Twice: nothing more but a word in the trail."""
    journal.remember(PAUSED, None)
    journal.note(OWN, (Event(kind=EventKind.OPERATOR, action="pause over", subject="everything"),), now)


class Remembers(Protocol):
    """A journal, as far as it matters here."""

    def recall(self, name: str) -> str | None:
        """As the port says."""
        ...


def pause_of(journal: Remembers, now: datetime) -> Pause | None:
    """The pause that is on now, if there is one."""
    kept = journal.recall(PAUSED)
    if kept is None:
        return None
    said = json.loads(kept)
    until = parse_time(said["until"]) if said["until"] else None
    if until is not None and until <= now:
        return None
    return Pause(since=parse_time(said["since"]), until=until, why=said["why"])
