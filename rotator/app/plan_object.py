"""An incident's plan as one JSON object, for machines."""

from __future__ import annotations

from typing import Any

from rotator.app.incident_planning import Plan
from rotator.app.reporting import time
from rotator.domain.incidents import NOT_THERE


def as_object(plan: Plan) -> dict[str, Any]:
    """All of it, as what JSON has."""
    incident, growth, result = plan.incident, plan.growth, plan.blast.exposure
    window = incident.window(plan.at)
    return {
        "incident": incident.id,
        "opened_at": time(incident.opened_at),
        "at": time(plan.at),
        "reason": incident.reason,
        "advisories": list(incident.advisories),
        "packages": list(plan.about),
        "window": {"from": time(window[0]), "to": time(window[1])} if window else None,
        "itself": [*plan.blast.itself, *plan.blast.had],
        "changed": None
        if growth is None
        else {
            "shown_at": time(incident.shown.at if incident.shown is not None else None),
            "before": len(growth.before),
            "now": len(growth.now),
            "new": list(growth.new),
            "gone": list(growth.gone),
            "first": len(growth.first),
            "fivefold": growth.fivefold,
        },
        "credentials": [
            {"credential": each.credential, "rank": each.rank.name.lower(), "why": [list(way) for way in each.why]}
            for each in plan.exposed
        ],
        "consumers": {name: list(seen) for name, seen in result.consumers.items()},
        "unknown": {
            "consumers": {name: list(doubts) for name, doubts in result.unknown_consumers.items()},
            "credentials": {**result.unknown, **dict.fromkeys(plan.missing, NOT_THERE), **plan.gone},
            "opens": dict(plan.closed_books),
            "rotator": list(plan.blast.unjudged),
        },
        "notes": list(incident.notes),
    }
