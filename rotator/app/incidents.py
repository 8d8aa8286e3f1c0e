"""Incidents: remembered by the journal from the first command on, and what rotations tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from rotator.config.errors import ConfigError
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.incidents import Incident, Refusal
from rotator.domain.rotation import Phase, Rotation
from rotator.policy.reasons import because
from rotator.ports import Journal

PREFIX = "inc-"
LONGEST = 500
"""Characters of a refusal's lines that are kept."""


def incident_of(row: Rotation) -> str:
    """The incident that a rotation answers; nothing like one for every other rotation."""
    return because(row.reason).partition(":")[0]


def remember(journal: Journal, incident: Incident) -> Incident:
    """Keep it, and return it as it is kept.

    Of one that is known already its beginning stays, and since when it is contained as long as nobody says that it is
    not; so do the reason and the packages where none are given now.
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
            bad_from=incident.bad_from or earlier.bad_from,
            bad_to=incident.bad_to or earlier.bad_to,
            why={**earlier.why, **incident.why},
            unknown=incident.unknown if incident.packages else earlier.unknown,
        )
    journal.remember(_name(incident.id), json.dumps(encode(incident)))
    return incident


def refusals(errors: Mapping[str, tuple[str, str]]) -> dict[str, Refusal]:
    """What could not be begun, bounded."""
    return {name: Refusal(message=message[:LONGEST], hint=hint[:LONGEST]) for name, (message, hint) in errors.items()}


def recall(journal: Journal, incident: str) -> Incident | None:
    """As it was remembered; None where it was not. Raises `ConfigError` for one that cannot be read."""
    text = journal.recall(_name(incident))
    if text is None:
        return None
    try:
        return decode(Incident, json.loads(text))
    except (CodecError, ValueError):
        hint = "what it was about is in the trail alone: `rotator log export`"
        raise ConfigError(f"the record of {incident} cannot be read", hint) from None


def _name(incident: str) -> str:
    return f"incident:{incident}"


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
