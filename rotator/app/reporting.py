"""Rows as the JSON object that every command prints with `--json`, and the exit code that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rotator.domain.aftermath import ForeignKey
from rotator.domain.records import ChainedEvent
from rotator.domain.rotation import RULES, Mode, OldKey, Phase, Proof, Rotation
from rotator.domain.times import format_time

if TYPE_CHECKING:
    from rotator.app.planning import Planned

PLANNED_OUTCOME, FINDINGS, BAD_INPUT, INCOMPLETE = 0, 1, 2, 3
"""The exit codes."""
WRITTEN = "written, not read"
"""How a place stands that cannot be read."""


def report(
    rows: Sequence[Rotation],
    *,
    selected: int,
    incident: str | None = None,
    foreign: Iterable[ForeignKey] = (),
    errors: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """The one object. `errors`: credentials that could not be begun."""
    rotations = [rotation(row) for row in rows]
    emergency = incident is not None
    rotations += [_not_begun(name, *error, emergency=emergency) for name, error in (errors or {}).items()]
    return {
        "incident": incident,
        "rotations": rotations,
        "foreign_keys": [foreign_key(each) for each in foreign],
        "coverage": coverage(rows, selected, len(errors or {}), emergency=emergency),
    }


def rotation(row: Rotation) -> dict[str, Any]:
    """One rotation."""
    return {
        "credential": row.credential,
        "rotation": row.id,
        "mode": row.mode.value,
        "phase": row.phase.value,
        "waiting": _waiting(row),
        "exposed": exposed(row),
        "old_keys": [_old_key(each) for each in row.old_keys],
        "new_key": {"key_id": row.new_key, "minted_at": time(row.minted_at)} if row.new_key else None,
        "stores": [
            {
                "store": each.store,
                "ref": each.ref,
                "version": f"{each.version} ({WRITTEN})" if each.unread and each.version else each.version,
                "promoted_at": time(each.promoted_at),
                "left_behind": each.left_behind is not None,
            }
            for each in row.stores
        ],
        "started_at": time(row.started_at),
        "ended_at": time(row.ended_at),
        "error": {"message": row.problem.message, "hint": row.problem.hint} if row.problem else None,
    }


def exposed(row: Rotation) -> bool | None:
    """In an emergency: whether an old key may still live; None where nothing was exposed."""
    if not row.rules.emergency:
        return None
    return not proven(row)


def proven(row: Rotation) -> bool:
    """Whether every old key is proven dead by a rotation that is done."""
    dead = all(old.proof in (Proof.REFUSED, Proof.ABSENT) for old in row.old_keys)
    return row.phase is Phase.DONE and dead


def coverage(rows: Sequence[Rotation], selected: int, not_begun: int = 0, *, emergency: bool = False) -> dict[str, int]:
    """How many there are of each. What could not be begun is stuck, and in an emergency nobody knows of its keys."""
    return {
        "selected": selected,
        "done": sum(row.phase is Phase.DONE for row in rows),
        "rolled_back": sum(row.phase is Phase.ROLLED_BACK for row in rows),
        "stuck": sum(row.phase is Phase.STUCK for row in rows) + not_begun,
        "waiting": sum(row.open and row.phase is not Phase.STUCK for row in rows),
        "proven": sum(proven(row) for row in rows),
        "exposed": sum(exposed(row) is True for row in rows),
        "unknown": not_begun if emergency else 0,
    }


def exit_code(rows: Iterable[Rotation]) -> int:
    """0 all as planned, waiting included; 1 rolled back, or a store left behind; 3 incomplete."""
    worst = PLANNED_OUTCOME
    for row in rows:
        if row.phase is Phase.STUCK or exposed(row) is True or row.phase is Phase.SUPERSEDED:
            return INCOMPLETE
        if row.open and row.ends_as is Phase.ROLLED_BACK and not row.attempts:
            worst = max(worst, FINDINGS)
            continue
        if row.phase is Phase.ROLLED_BACK or any(each.left_behind for each in row.stores):
            worst = max(worst, FINDINGS)
        if row.open and row.problem is not None and row.phase is not Phase.LIVE:
            return INCOMPLETE
    return worst


def time(instant: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return format_time(instant) if instant is not None else None


def event(each: ChainedEvent) -> dict[str, Any]:
    """One event with everything that its digest is over, so that it can be checked without the journal."""
    return {
        "at": format_time(each.at),
        "rotation": each.rotation,
        "seq": each.seq,
        "fence": each.fence,
        "kind": each.event.kind.value,
        "action": each.event.action,
        "subject": each.event.subject,
        "detail": dict(each.event.detail),
        "previous": each.previous,
        "digest": each.digest,
    }


def _waiting(row: Rotation) -> dict[str, Any] | None:
    if row.waiting is None or not row.open:
        return None
    until = None if row.waiting.until.year >= 9999 else time(row.waiting.until)
    return {"for": row.waiting.for_.value, "until": until}


def _old_key(old: OldKey) -> dict[str, Any]:
    state = "deleted" if old.deleted_at else "disabled" if old.disabled_at else "enabled"
    proof = old.proof or Proof.UNPROVEN
    return {"key_id": old.key_id, "state": state, "proof": proof.value, "dead_at": time(old.dead_at)}


def foreign_key(key: ForeignKey) -> dict[str, Any]:
    """A key that no credential has, and what became of it."""
    return {
        "provider": key.provider,
        "principal": key.principal,
        "key_id": key.key_id,
        "name": key.name,
        "created_at": time(key.created_at),
        "created_by": key.created_by,
        "last_used_at": time(key.last_used_at),
        "in_window": key.in_window,
        "state": key.state,
        "why": key.why,
    }


def _not_begun(name: str, message: str, hint: str, *, emergency: bool) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(("rotation", "mode", "waiting", "new_key", "started_at", "ended_at"))
    return {
        "credential": name,
        **empty,
        "phase": None,
        "exposed": "unknown" if emergency else None,
        "old_keys": [],
        "stores": [],
        "error": {"message": message, "hint": hint},
    }


def intended(plans: Sequence[Planned], mode: Mode, foreign: Iterable[ForeignKey] = ()) -> dict[str, Any]:
    """The same object for a plan: rotations without an id, in the phase that they would begin with."""
    good = [each for each in plans if each.problem is None]
    emergency = RULES[mode].emergency
    counts: dict[str, int] = dict.fromkeys(("done", "rolled_back", "waiting", "proven"), 0)
    unknown = len(plans) - len(good)
    return {
        "incident": None,
        "rotations": [_intended(each, mode) for each in plans],
        "foreign_keys": [foreign_key(each) for each in foreign],
        "coverage": {
            "selected": len(plans),
            **counts,
            "stuck": unknown,
            "exposed": len(good) if emergency else 0,
            "unknown": unknown if emergency else 0,
        },
    }


def _intended(each: Planned, mode: Mode) -> dict[str, Any]:
    emergency = RULES[mode].emergency
    if each.problem is not None:
        return _not_begun(each.credential, *each.problem, emergency=emergency)
    keys = [_old_key(OldKey(key_id=key_id)) for key_id in each.old_keys]
    places = [{"store": store, "ref": ref} for store, ref in (where.split(":", 1) for where in each.places)]
    return {
        **_not_begun(each.credential, "", "", emergency=emergency),
        "mode": mode.value,
        "phase": Phase.PLANNED.value,
        "exposed": emergency or None,
        "old_keys": keys,
        "stores": [{**place, "version": None, "promoted_at": None, "left_behind": False} for place in places],
        "error": None,
    }
