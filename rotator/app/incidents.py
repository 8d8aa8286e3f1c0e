"""Incidents: remembered by the journal from the first command on, and what rotations tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rotator.config.errors import ConfigError
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.incidents import Incident, Refusal
from rotator.domain.rotation import Phase, Rotation
from rotator.policy.reasons import because
from rotator.ports import Journal

PREFIX = "inc-"
RECORD = "incident:"
SINCE: Mapping[str, Any] = {
    "uncontained": False,
    "advisories": [],
    "affected": [],
    "notes": [],
    "shown": None,
    "closed": None,
    "mended": [],
    "first": None,
    "leaked": [],
    "said": "",
}
"""What a record lacks that was written before there was `rotator incident open`."""
LONGEST = 500
"""Characters of a refusal's lines that are kept."""


def incident_of(row: Rotation) -> str:
    """The incident that a rotation answers; nothing like one for every other rotation."""
    return because(row.reason).partition(":")[0]


def remember(journal: Journal, incident: Incident, *, anew: bool = False) -> Incident:
    """Keep it, and return it as it is kept.

    Of one that is known already its beginning stays, and since when it is contained as long as nobody says that it is
    not; so do the reason and the packages where none are given now, and all that was fixed when it was opened. Nor does
    a name leave it. With `anew` what is unknown is what is given now.
    """
    earlier = recall(journal, incident.id)
    if earlier is not None:
        incident = replace(
            incident,
            opened_at=earlier.opened_at,
            contained_at=incident.contained_at and (earlier.contained_at or incident.contained_at),
            names=tuple(dict.fromkeys((*earlier.names, *incident.names))),
            reason=incident.reason or earlier.reason,
            packages=incident.packages or earlier.packages,
            advisories=earlier.advisories,
            affected=earlier.affected,
            bad_from=incident.bad_from or earlier.bad_from,
            bad_to=incident.bad_to or earlier.bad_to,
            why={**earlier.why, **incident.why},
            unknown=incident.unknown if incident.of_packages or anew else _without(earlier.unknown, incident.names),
            chosen=tuple(dict.fromkeys((*earlier.chosen, *incident.chosen))),
            notes=earlier.notes,
            shown=incident.shown or earlier.shown,
            closed=earlier.closed,
            mended=earlier.mended,
            first=earlier.first or incident.first,
            leaked=earlier.leaked,
            said=earlier.said,
        )
    keep(journal, incident)
    return incident


def refused(journal: Journal, incident: str, found: Mapping[str, Refusal]) -> None:
    """Remember what could not be begun; all else stays as whoever came meanwhile left it."""
    record = recall(journal, incident)
    if record is not None:
        keep(journal, replace(record, refusals=found))


def _without(unknown: Mapping[str, str], names: Iterable[str]) -> Mapping[str, str]:
    known = frozenset(names)
    return {name: why for name, why in unknown.items() if name not in known}


def keep(journal: Journal, incident: Incident) -> None:
    """Keep exactly this."""
    journal.remember(_name(incident.id), json.dumps(encode(incident)))


def remembered(journal: Journal) -> tuple[str, ...]:
    """The ids of all that are kept, by day."""
    return tuple(each.removeprefix(RECORD) for each in journal.remembered(RECORD))


def still_open(journal: Journal, incident: str) -> bool:
    """Whether nobody closed it; one that nobody remembers was not."""
    kept = recall(journal, incident)
    return kept is None or kept.closed is None


def refusals(errors: Mapping[str, tuple[str, str]]) -> dict[str, Refusal]:
    """What could not be begun, bounded."""
    return {name: Refusal(message=message[:LONGEST], hint=hint[:LONGEST]) for name, (message, hint) in errors.items()}


def recall(journal: Journal, incident: str) -> Incident | None:
    """As it was remembered; None where it was not. Raises `ConfigError` for one that cannot be read."""
    text = journal.recall(_name(incident))
    if text is None:
        return None
    try:
        return decode(Incident, _as_today(json.loads(text)))
    except (CodecError, ValueError):
        hint = "what it was about is in the trail alone: `rotator log export`"
        raise ConfigError(f"the record of {incident} cannot be read", hint) from None


def _as_today(found: Any) -> Any:
    """A record as it is written now; one of earlier is about what its names say."""
    if not isinstance(found, dict):
        return found
    return {**SINCE, "chosen": found.get("names"), **found}


def _name(incident: str) -> str:
    return f"{RECORD}{incident}"


def answers(rows: Iterable[Rotation]) -> dict[str, dict[str, Rotation]]:
    """By incident, the newest first, the rotation of each credential that answers it: the newest, if not superseded.

    `rows`: newest first, as the journal gives them.
    """
    found: dict[str, dict[str, Rotation]] = {}
    for row in rows:
        incident = incident_of(row)
        if not incident.startswith(PREFIX) or not row.rules.emergency:
            continue
        of_it = found.setdefault(incident, {})
        if row.credential not in of_it or of_it[row.credential].phase is Phase.SUPERSEDED:
            of_it[row.credential] = row
    return found
