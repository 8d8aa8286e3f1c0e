"""What an incident is about today: its closure with today's inventories, and what changed since it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rotator.app.advised import Listed, described
from rotator.app.assembly import Assembly
from rotator.app.evidence import known, no_such
from rotator.app.exposing import Blast, blast, in_words
from rotator.app.incidents import answers, keep, recall
from rotator.app.wanting import Bad, read_wanted
from rotator.config.errors import ConfigError
from rotator.domain.incidents import LEAKED, NOT_THERE, WAS_IN_IT, Incident, Shown
from rotator.domain.rotation import Rotation
from rotator.domain.times import format_time
from rotator.policy.exposure import Exposed
from rotator.policy.growth import Growth

PAGE = 10_000
"""Rotations that are looked at."""
STAYS = "it was in the plan before its entry in the config broke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an incident is about, at `at`. `missing`: credentials that a person named and the config lacks by now.

    `gone`: credentials that a person was shown and that are not exposed by today's config, with the reason; only a
    person drops one, by rotating it or giving the incident up. `closed_books`: exposed ones whose entry cannot be read,
    so that nobody knows what they open. `growth`: against what was shown; None where it never was.
    """

    incident: Incident
    at: datetime
    blast: Blast
    missing: tuple[str, ...] = ()
    gone: Mapping[str, str] = field(default_factory=dict)
    closed_books: Mapping[str, str] = field(default_factory=dict)
    growth: Growth | None = None

    @property
    def exposed(self) -> tuple[Exposed, ...]:
        """In the order of replacement."""
        return self.blast.exposure.exposed

    @property
    def names(self) -> tuple[str, ...]:
        """The credentials to be replaced, in order."""
        return self.blast.exposure.names

    @property
    def about(self) -> tuple[str, ...]:
        """The bad packages in words."""
        return (*self.incident.packages, *described(self.incident.affected))

    @property
    def unknown(self) -> dict[str, str]:
        """Of whom or of what nobody can say, with the reason."""
        return {
            **self.blast.unknown,
            **dict.fromkeys(self.missing, NOT_THERE),
            **self.gone,
            **{name: why for name, why in self.incident.unknown.items() if name.startswith(LEAKED)},
            **{f"what {name} opens": why for name, why in self.closed_books.items()},
        }

    @property
    def covered(self) -> bool:
        """Whether of everybody and everything it is known."""
        return not self.unknown


def find(assembly: Assembly, incident: str) -> Incident:
    """An incident by its id; of one that only rotations tell of, what they are about. Raises `ConfigError`."""
    record = recall(assembly.journal, incident)
    if record is not None:
        return record
    rows = rows_of(assembly, incident)
    if not rows:
        raise no_such(incident, known(assembly))
    first = min(row.asked_at or row.started_at for row in rows.values())
    return Incident(id=incident, opened_at=first, names=tuple(rows), chosen=tuple(rows))


def find_open(assembly: Assembly, incident: str) -> Incident:
    """One that nobody closed. Raises `ConfigError`."""
    record = find(assembly, incident)
    if record.closed is not None:
        hint = f"`rotator incident report {incident}` shows it; `rotator incident open …` begins another"
        raise ConfigError(f"incident {incident} was closed at {format_time(record.closed.at)}", hint)
    return record


def rows_of(assembly: Assembly, incident: str) -> dict[str, Rotation]:
    """By credential, the rotation that answers it."""
    return answers(assembly.journal.rotations(limit=PAGE)).get(incident, {})


def plan(assembly: Assembly, incident: Incident, *, new: bool = False) -> Plan:
    """The closure today. `new`: nobody was ever shown it. Asks no provider and changes nothing.

    Raises what the journal raises, and `ConfigError`.
    """
    now, config = assembly.clock.now(), assembly.config
    there = [name for name in incident.chosen if name in config.credentials or name in config.broken]
    earlier = dict.fromkeys((*incident.names, *incident.last_shown))
    start, end = incident.window(now) or (now, now)
    found = blast(assembly, _bad(incident), start, end, named=there)
    found = found.with_broken(
        assembly, {name: incident.why.get(name, ((STAYS,),)) for name in earlier if name in config.broken}
    )
    names, missing = found.exposure.names, tuple(name for name in incident.chosen if name not in there)
    answered = {*names, *missing, *rows_of(assembly, incident.id)}
    return Plan(
        incident=incident,
        at=now,
        blast=found,
        missing=missing,
        gone={name: _was_in(incident, name) for name in earlier if name not in answered},
        closed_books={name: in_words(config.broken[name]) for name in names if name in config.broken},
        growth=None if new else Growth.between(incident.last_shown, names, first=incident.first_shown),
    )


def _was_in(incident: Incident, name: str) -> str:
    """When a person was shown it last; said once, and kept."""
    known = incident.unknown.get(name, "")
    if known.startswith(WAS_IN_IT):
        return known
    shown = incident.shown is not None and name in incident.shown.names
    at = incident.shown.at if incident.shown is not None and shown else incident.opened_at
    return f"{WAS_IN_IT} {format_time(at.replace(microsecond=0))}, and the config says otherwise today"


def _bad(incident: Incident) -> Sequence[Bad]:
    return [*map(read_wanted, incident.packages), *map(Listed, incident.affected)]


def shown(assembly: Assembly, found: Plan) -> Incident:
    """Remember that a person was shown this plan; what an earlier one said stays in the incident. Twice: the later."""
    begun = rows_of(assembly, found.incident.id)
    now = Shown(at=found.at, names=found.names)
    record = replace(
        found.incident,
        names=tuple(dict.fromkeys((*found.names, *found.incident.names, *begun))),
        why={**found.incident.why, **{each.credential: each.why for each in found.exposed}},
        unknown=found.unknown,
        shown=now,
        first=found.incident.first or found.incident.shown or now,
    )
    keep(assembly.journal, record)
    return record
