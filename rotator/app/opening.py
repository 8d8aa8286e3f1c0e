"""Opening an incident: what it is about is fixed here, whatever a feed says later. Nothing is rotated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.app.advised import Advised
from rotator.app.assembly import Assembly
from rotator.app.incidents import PREFIX, recall
from rotator.app.wanting import read_wanted
from rotator.config.errors import ConfigError, nearest
from rotator.domain.codec import encode
from rotator.domain.incidents import Incident
from rotator.domain.times import format_time

BEFORE = timedelta(days=7)
"""So long before an advisory was published its window begins: a package is bad before anybody says so."""

SHORTEST = 6
"""Digits of an id's hash, unless they are another incident's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person opens an incident about. `start` and `end` None: as the advisories say, and to this day.

    `leaked`: exposed keys, as `credential key-id`; others of the same credentials are another incident.
    """

    names: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    advised: tuple[Advised, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""
    contained: bool = False
    uncontained: bool = False
    leaked: tuple[str, ...] = ()


def opened(assembly: Assembly, asked: Asked) -> Incident:
    """The incident, which nobody remembers yet; or the one that was opened with the same words today and is open.

    Of that one what is said now of its containment and its reason counts; nobody remembers it before it is kept.
    Raises `ConfigError` for names, packages and windows that are none.
    """
    now = assembly.clock.now()
    _must_exist(assembly, asked.names)
    for text in asked.packages:
        read_wanted(text)
    start, said = _beginning(asked)
    fresh = Incident(
        id="",
        opened_at=now,
        names=asked.names,
        contained_at=now if asked.contained else None,
        uncontained=asked.uncontained,
        reason=asked.reason,
        packages=asked.packages,
        advisories=tuple(dict.fromkeys(each for one in asked.advised for each in one.ids)),
        affected=tuple(dict.fromkeys(each for one in asked.advised for each in one.affected)),
        bad_from=start,
        bad_to=asked.end,
        chosen=asked.names,
        notes=(*said, *dict.fromkeys(note for one in asked.advised for note in one.notes)),
        leaked=asked.leaked,
    )
    return _named(assembly, fresh, now)


def _must_exist(assembly: Assembly, names: Sequence[str]) -> None:
    known = [*assembly.config.credentials, *assembly.config.broken]
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else "`rotator status` lists the credentials"
            raise ConfigError(f"there is no credential {name!r}", hint)


def _beginning(asked: Asked) -> tuple[datetime | None, tuple[str, ...]]:
    """Since when it was bad, and where that is from if nobody said it."""
    if asked.start is not None or not asked.advised:
        return asked.start, ()
    published = [each.published for each in asked.advised]
    told = [each for each in published if each is not None]
    if not told or len(told) < len(published):
        hint = "--from 2026-03-24T10:00:00Z, rather too early than too late"
        raise ConfigError("the advisory does not say when it was published: since when was it bad?", hint)
    first = min(told)
    start = first - BEFORE
    how = f"the advisory was published at {format_time(first)}, and nobody said since when it was bad: rather too wide"
    return start, (f"window from {format_time(start)}, {BEFORE.days} days before {how}",)


def _named(assembly: Assembly, fresh: Incident, now: datetime) -> Incident:
    """With an id by what it is about and the day. One that was closed is over: the same words begin another.

    One that has the id by chance is about something else: then the id gets longer.
    """
    about = [fresh.chosen, fresh.packages, fresh.affected, fresh.bad_from, fresh.bad_to]
    about += [fresh.leaked] if fresh.leaked else []
    text = json.dumps([encode(tuple(each) if isinstance(each, tuple) else each) for each in about])
    length = SHORTEST
    while True:
        incident = f"{PREFIX}{now:%Y%m%d}-{hashlib.sha256(text.encode()).hexdigest()[:length]}"
        known = recall(assembly.journal, incident)
        if known is None:
            return replace(fresh, id=incident)
        if not _same(fresh, known):
            length += 2
        elif known.closed is None:
            return _said_anew(fresh, known)
        else:
            text += incident


def _same(fresh: Incident, known: Incident) -> bool:
    """Whether they are about the same; to a known one credentials may have been added by name."""
    about = [(each.packages, each.affected, each.bad_from, each.bad_to, each.leaked) for each in (fresh, known)]
    return about[0] == about[1] and set(fresh.chosen) <= set(known.chosen)


def _said_anew(fresh: Incident, known: Incident) -> Incident:
    """The known one with what was said just now."""
    reason = fresh.reason or known.reason
    if fresh.uncontained:
        return replace(known, reason=reason, contained_at=None, uncontained=True)
    if fresh.contained_at is not None:
        return replace(known, reason=reason, contained_at=known.contained_at or fresh.contained_at, uncontained=False)
    return replace(known, reason=reason)
