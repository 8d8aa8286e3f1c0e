"""What the API shows, as what JSON has: to who sees only some owners' credentials nothing of all the others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rotator.app.assembly import Assembly
from rotator.app.evidence import gather as gather_evidence
from rotator.app.evidence import known as known_incidents
from rotator.app.evidence_object import as_object as evidence_object
from rotator.app.gathering import by_a_person, gather
from rotator.app.incident_planning import find, plan
from rotator.app.incidents import PREFIX, answers, recall
from rotator.app.plan_object import as_object as plan_object
from rotator.app.reporting import coverage, event, report, rotation, time
from rotator.config.reading import Config
from rotator.domain.evidence import Evidence
from rotator.domain.incidents import Incident
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Phase, Rotation
from rotator.policy.decision import Blocked, Rotate, decide, why
from rotator.policy.reasons import Reason, worded

MOST = 10_000
"""Rotations that are looked at for those of some owners."""
EVENTS = 10_000
"""Events of one rotation that are shown."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose credentials somebody sees; None: all, also those that the config has no more."""

    owners: frozenset[str] | None = None

    def sees(self, config: Config, name: str) -> bool:
        """Whether a credential is among them; one that the config cannot read has no owner."""
        if self.owners is None:
            return True
        spec = config.credentials.get(name)
        return spec is not None and spec.owner in self.owners

    def among(self, config: Config, names: Collection[str]) -> list[str]:
        """Those of them that are seen, in their order."""
        return [name for name in names if self.sees(config, name)]


# -- credentials -----------------------------------------------------------------------------------------------------


def credentials(assembly: Assembly, scope: Scope, *, after: str, limit: int) -> dict[str, Any]:
    """A page of them by name; `next`: the name to go on after, null at the end."""
    config = assembly.config
    names = sorted(scope.among(config, {*config.credentials, *config.broken}))
    start = bisect_right(names, after) if after else 0
    page = names[start : start + limit]
    more = start + limit < len(names)
    return {
        "credentials": _credentials(assembly, page),
        "total": len(names),
        "next": page[-1] if more and page else None,
    }


def credential(assembly: Assembly, name: str) -> dict[str, Any]:
    """One of them, with every reason to rotate it and all that stands in the way."""
    (found,) = _credentials(assembly, (name,))
    spec = assembly.config.credentials.get(name)
    if spec is None:
        return {**found, "why": [], "decision": None, "by_a_person": None}
    facts = gather(assembly, spec)
    answers_ = [{"word": each.word.value, "holds": each.holds, "because": each.sentence} for each in why(facts)]
    decision = decide(facts)
    if isinstance(decision, Rotate):
        decided: dict[str, Any] = {"rotate": True, "reason": decision.reason.value, "until": None}
    elif isinstance(decision, Blocked):
        decided = {"rotate": False, "reason": decision.reason.value, "until": time(decision.until)}
    else:
        decided = {"rotate": False, "reason": None, "until": time(decision.until)}
    return {**found, "why": answers_, "decision": decided, "by_a_person": by_a_person(assembly, spec)}


def _credentials(assembly: Assembly, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each of them, in their order; as many questions to the journal for a page of them as for one."""
    rows = {row.name: row for row in assembly.journal.credentials_among(names)}
    open_rows = {row.credential: row for row in assembly.journal.open_rotations(names)}
    return [
        _credential(assembly.config, rows.get(name) or CredentialRow(name=name), open_rows.get(name)) for name in names
    ]


def _credential(config: Config, row: CredentialRow, open_row: Rotation | None) -> dict[str, Any]:
    name = row.name
    spec, broken = config.credentials.get(name), config.broken.get(name)
    return {
        "credential": name,
        "provider": spec.provider if spec else None,
        "owner": (spec.owner or None) if spec else None,
        "tags": sorted(spec.tags) if spec else [],
        "consumers": list(spec.consumers) if spec else [],
        "places": [{"store": each.store, "ref": each.ref} for each in spec.publish] if spec else [],
        "state": _state(row, open_row),
        "current_key": row.current,
        "since": time(row.current_since),
        "next_due": time(row.next_due),
        "held": (row.held_why or "no reason was given") if row.held else None,
        "left_behind": list(row.drift),
        "rotation": rotation(open_row) if open_row else None,
        "error": {"message": broken.message, "hint": broken.hint} if broken else None,
    }


def _state(row: CredentialRow, open_row: Rotation | None) -> str:
    if open_row is not None:
        return "stuck" if open_row.phase is Phase.STUCK else "rotating"
    if row.held:
        return "held"
    if row.drift:
        return "drift"
    return "fresh" if row.current is not None else "not adopted"


# -- rotations and the trail -----------------------------------------------------------------------------------------


def rotations(assembly: Assembly, scope: Scope, name: str | None, *, limit: int) -> dict[str, Any]:
    """Rotations of one credential or of all that are seen, newest first; the object that `--json` prints."""
    looked = limit if scope.owners is None or name is not None else MOST
    found = assembly.journal.rotations(name, limit=looked)
    rows = [row for row in found if scope.sees(assembly.config, row.credential)][:limit]
    return report(rows, selected=len({row.credential for row in rows}))


def one_rotation(assembly: Assembly, row: Rotation) -> dict[str, Any]:
    """One rotation with the events of its own chain."""
    events = [event(each) for each in assembly.journal.events(row.id, limit=EVENTS)]
    return {**rotation(row), "reason": row.reason, "events": events}


def events(assembly: Assembly, scope: Scope, *, after: int, limit: int) -> dict[str, Any]:
    """Events behind a position in the whole trail; `next`: the position to go on from, later, too."""
    found = assembly.journal.events(after=after, limit=limit)
    whose: dict[str, bool] = {}
    for each in found:
        if each.rotation not in whose:
            whose[each.rotation] = scope.owners is None or sees_chain(assembly, scope, each.rotation)
    return {"events": [event(each) for each in found if whose[each.rotation]], "next": after + len(found)}


def sees_chain(assembly: Assembly, scope: Scope, chain: str) -> bool:
    """Whether somebody sees the events of a chain: a rotation's, or a credential's own."""
    kind, colon, name = chain.partition(":")
    if colon:
        return kind == "credential" and scope.sees(assembly.config, name)
    row = assembly.journal.rotation(chain)
    return row is not None and scope.sees(assembly.config, row.credential)


# -- incidents -------------------------------------------------------------------------------------------------------


def incidents(assembly: Assembly, scope: Scope) -> dict[str, Any]:
    """All that are about a credential that is seen, and of each no other one's name and no other one's count."""
    answered = answers(assembly.journal.emergencies(worded(Reason.COMPROMISE, PREFIX)))
    listed = []
    for incident in known_incidents(assembly):
        record, rows = recall(assembly.journal, incident), answered.get(incident, {})
        names = scope.among(assembly.config, dict.fromkeys((*(record.names if record else ()), *rows)))
        if not names and scope.owners is not None:
            continue
        listed.append(_incident(incident, record, rows, names, whole=scope.owners is None))
    listed.sort(key=lambda each: str(each["opened_at"]), reverse=True)
    return {"incidents": listed}


def _incident(
    incident: str, record: Incident | None, rows: Mapping[str, Rotation], names: list[str], *, whole: bool
) -> dict[str, Any]:
    of_it = [rows[name] for name in names if name in rows]
    first = record.opened_at if record else min((row.started_at for row in rows.values()), default=None)
    return {
        "incident": incident,
        "opened_at": time(first),
        "closed_at": time(record.closed.at) if record and record.closed else None,
        "contained": record is not None and record.contained_at is not None,
        "reason": record.reason if record and whole else None,  # it may name others
        "credentials": names,
        "coverage": coverage(of_it, len(names), len(names) - len(of_it), emergency=True),
    }


def incident(assembly: Assembly, scope: Scope, name: str) -> dict[str, Any] | None:
    """One incident: what it is about today, and the evidence. None where nothing of it is seen.

    Raises `ConfigError` for one that is not there.
    """
    record = find(assembly, name)
    evidence = gather_evidence(assembly, name, close=False)
    found = plan_object(plan(assembly, record))
    if scope.owners is None:
        return {"plan": found, "evidence": evidence_object(evidence)}
    about = {*record.names, *(each.credential for each in evidence.replaced), *evidence.unknown}
    about |= {each["credential"] for each in found["credentials"]}
    seen = frozenset(scope.among(assembly.config, about))
    if not seen:
        return None
    return {"plan": _plan_of(found, seen), "evidence": evidence_object(evidence_of(evidence, seen))}


def _plan_of(found: dict[str, Any], seen: frozenset[str]) -> dict[str, Any]:
    """What a plan says of some; the way to one may lead over another, so it is left out."""
    listed = [{**each, "why": []} for each in found["credentials"] if each["credential"] in seen]
    unknown = {name: "nobody can say" for name in found["unknown"]["credentials"] if name in seen}
    return {
        **found,
        "reason": None,
        "itself": [],
        "changed": None,
        "credentials": listed,
        "consumers": {},
        "unknown": {"consumers": {}, "credentials": unknown, "opens": {}, "rotator": []},
        "notes": [],
    }


def evidence_of(evidence: Evidence, seen: frozenset[str]) -> Evidence:
    """What it says of these credentials, and nothing that names others."""
    return replace(
        evidence,
        reason="",
        replaced=tuple(replace(each, why=()) for each in evidence.replaced if each.credential in seen),
        unknown={name: "nobody can say" for name in evidence.unknown if name in seen},
        after=None,
        checkpoint=None,
        closed=replace(evidence.closed, gave_up="") if evidence.closed else None,
    )
