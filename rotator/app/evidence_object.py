"""The same evidence as one JSON object, for machines."""

from __future__ import annotations

import json
from typing import Any

from rotator.app.reporting import foreign_key, time
from rotator.domain.aftermath import Aftermath, Trail
from rotator.domain.evidence import Evidence, Replaced
from rotator.domain.rotation import Proof


def text(evidence: Evidence) -> bytes:
    """The object's text without its last brace, which comes with the seal."""
    found = json.dumps({"evidence": as_object(evidence)}, indent=2)
    return found.removesuffix("}").rstrip().encode()


def as_object(evidence: Evidence) -> dict[str, Any]:
    """All of it, as what JSON has."""
    checkpoint, closed = evidence.checkpoint, evidence.closed
    return {
        "incident": evidence.incident,
        "reason": evidence.reason,
        "installation": evidence.installation,
        "made_at": time(evidence.made_at),
        "detected_at": time(evidence.detected_at),
        "window": {"from": time(evidence.window[0]), "to": time(evidence.window[1])} if evidence.window else None,
        "contained": evidence.contained,
        "closed": {"at": time(closed.at), "gave_up": closed.gave_up or None} if closed else None,
        "coverage": {
            "percent": evidence.percent,
            "proven": evidence.proven,
            "exposed": len(evidence.replaced),
            "unknown": len(evidence.unknown),
        },
        "complete": evidence.complete,
        "credentials": [_credential(each) for each in evidence.replaced],
        "unknown": dict(evidence.unknown),
        "left": [
            {"credential": each.credential, "what": each.what, "hint": each.hint, "url": each.url}
            for each in evidence.left
        ],
        "by_hand": [
            {"provider": each.credential, "what": each.what, "hint": each.hint, "url": each.url}
            for each in evidence.by_hand
        ],
        "after": _after(evidence.after) if evidence.after is not None else None,
        "checkpoint": {"number": checkpoint[0], "digest": checkpoint[1]} if checkpoint else None,
    }


def _credential(each: Replaced) -> dict[str, Any]:
    return {
        "credential": each.credential,
        "provider": each.provider,
        "console_url": each.console_url,
        "why": [list(way) for way in each.why],
        "proven": each.proven,
        "rotation": each.rotation,
        "mode": each.mode,
        "phase": each.phase.value if each.phase else None,
        "started_at": time(each.started_at),
        "live_at": time(each.live_at),
        "ended_at": time(each.ended_at),
        "new_key": {"key_id": each.new_key, "minted_at": time(each.minted_at)} if each.new_key else None,
        "old_keys": [
            {
                "key_id": old.key_id,
                "proof": (old.proof or Proof.UNPROVEN).value,
                "disabled_at": time(old.disabled_at),
                "deleted_at": time(old.deleted_at),
                "first_refused_at": time(old.first_refused_at),
                "dead_at": time(old.dead_at),
            }
            for old in each.old_keys
        ],
        "stores": [
            {
                "store": place.store,
                "ref": place.ref,
                "promoted_at": time(place.promoted_at),
                "read_back": place.promoted_at is not None and not place.unread,
                "left_behind": place.left_behind,
            }
            for place in each.stores
        ],
        "consumers": list(each.consumers),
        "events": each.events,
        "head": each.head,
        "error": {"message": each.error[0], "hint": each.error[1]} if each.error else None,
    }


def _after(after: Aftermath) -> dict[str, Any]:
    return {
        "since": time(after.since),
        "searched_since": time(after.searched_since),
        "looked_at": time(after.swept_at),
        "looked_since_last_command": after.swept,
        "looks": after.rounds,
        "settled": after.settled,
        "foreign_keys": [
            {
                **foreign_key(key),
                "beside": key.beside,
                "in_plan": key.planned,
                "revoked_at": time(key.asked_at),
                "deleted_at": time(key.deleted_at),
                "missing_at": time(key.missing_at),
                "absent_at": time(key.absent_at),
            }
            for key in after.foreign
        ],
        "not_told": dict(after.untold),
        "admins": [
            {
                "provider": admin.provider,
                "credential": admin.credential,
                "state": admin.state.value,
                "exposed": admin.exposed,
                "dead_at": time(admin.dead_at),
            }
            for admin in after.admins
        ],
        "trails": [_trail(trail) for trail in after.trails],
    }


def _trail(trail: Trail) -> dict[str, Any]:
    return {
        "provider": trail.provider,
        "not_read": trail.untold or None,
        "exists": trail.exists,
        "not_kept": trail.cut,
        "made": [
            {
                "kind": made.kind.value,
                "id": made.id,
                "name": made.name,
                "where": made.where,
                "made_at": time(made.at),
                "made_by": made.by,
            }
            for made in trail.made
        ],
        "checklist": list(trail.checklist),
        "url": trail.url,
    }
