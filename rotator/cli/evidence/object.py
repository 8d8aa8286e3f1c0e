"""The same evidence as one JSON object, for machines."""

from __future__ import annotations

import json
from typing import Any

from rotator.app.reporting import time
from rotator.domain.evidence import Evidence, Replaced
from rotator.domain.rotation import Proof


def text(evidence: Evidence) -> bytes:
    """The object's text without its last brace, which comes with the seal."""
    found = json.dumps({"evidence": _object(evidence)}, indent=2)
    return found.removesuffix("}").rstrip().encode()


def _object(evidence: Evidence) -> dict[str, Any]:
    checkpoint = evidence.checkpoint
    return {
        "incident": evidence.incident,
        "reason": evidence.reason,
        "installation": evidence.installation,
        "made_at": time(evidence.made_at),
        "detected_at": time(evidence.detected_at),
        "window": {"from": time(evidence.window[0]), "to": time(evidence.window[1])} if evidence.window else None,
        "contained": evidence.contained,
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
