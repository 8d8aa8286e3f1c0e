"""Incidents as people follow them: how many keys are proven dead, and which are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.app.assembly import Assembly
from rotator.app.evidence import gather, known
from rotator.app.incidents import answers, recall
from rotator.app.one_credential import told_of
from rotator.app.reporting import proven
from rotator.app.seeing import Scope, evidence_of
from rotator.config.errors import ConfigError
from rotator.domain.evidence import Evidence, Replaced
from rotator.domain.rotation import Phase, Rotation
from rotator.policy.reasons import Reason, worded

MOST = 200
"""Credentials of one incident that are shown; those first of which not all is proven."""


class Fate(StrEnum):
    """What became of one exposed credential; the worst first."""

    UNKNOWN = "unknown"  # nothing was begun
    STUCK = "stuck"
    EXPOSED = "exposed"  # an old key may still open something
    PROVEN = "proven dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One incident in a list. `number`: how many credentials it is about that somebody sees."""

    id: str
    opened_at: datetime | None
    closed_at: datetime | None
    contained: bool
    reason: str
    number: int
    proven: int
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneIncident:
    """One, live. `fates`: each credential with what became of it, the worst first, at most `MOST`.

    `told`: those of them of which there is anything to tell; the config may have one no more that was never rotated.
    """

    evidence: Evidence
    fates: tuple[tuple[Fate, Replaced], ...]
    told: frozenset[str]
    counts: dict[Fate, int]
    hidden: int

    @property
    def number(self) -> int:
        """How many credentials it is about."""
        return sum(self.counts.values())


def summaries(assembly: Assembly, scope: Scope) -> Sequence[Summary]:
    """All that are about a credential that is seen, the newest first. Raises what the journal does."""
    answered = answers(assembly.journal.emergencies(worded(Reason.COMPROMISE, "inc-")))
    found = []
    for incident in known(assembly):
        each = _summary(assembly, scope, incident, answered.get(incident, {}))
        if each is not None:
            found.append(each)
    return sorted(found, key=lambda each: each.opened_at.timestamp() if each.opened_at else 0.0, reverse=True)


def _summary(assembly: Assembly, scope: Scope, incident: str, rows: dict[str, Rotation]) -> Summary | None:
    record, unreadable = None, ""
    try:
        record = recall(assembly.journal, incident)
    except ConfigError as error:
        unreadable = error.message
    names = scope.among(assembly.config, list(dict.fromkeys((*(record.names if record else ()), *rows))))
    if not names and scope.owners is not None:
        return None
    first = record.opened_at if record else min((row.started_at for row in rows.values()), default=None)
    return Summary(
        id=incident,
        opened_at=first,
        closed_at=record.closed.at if record and record.closed else None,
        contained=record is not None and record.contained_at is not None,
        reason=record.reason if record and scope.owners is None else "",
        number=len(names),
        proven=sum(name in rows and proven(rows[name]) for name in names),
        unreadable=unreadable,
    )


def one_incident(assembly: Assembly, scope: Scope, incident: str) -> OneIncident | None:
    """None where nothing of it is seen. Raises `ConfigError` for one that is not there."""
    evidence = gather(assembly, incident, close=False)
    if scope.owners is not None:
        about = {*(each.credential for each in evidence.replaced), *evidence.unknown}
        seen = frozenset(scope.among(assembly.config, about))
        if not seen:
            return None
        evidence = evidence_of(evidence, seen)
    fates = sorted(
        ((_fate(each), each) for each in evidence.replaced), key=lambda each: (_order(each[0]), each[1].credential)
    )
    counts = {fate: sum(each is fate for each, _ in fates) for fate in Fate}
    shown = tuple(fates[:MOST])
    told = told_of(assembly, [each.credential for _, each in shown])
    return OneIncident(evidence=evidence, fates=shown, told=told, counts=counts, hidden=len(fates) - len(shown))


def _fate(each: Replaced) -> Fate:
    if each.proven:
        return Fate.PROVEN
    if each.rotation is None:
        return Fate.UNKNOWN
    return Fate.STUCK if each.phase is Phase.STUCK else Fate.EXPOSED


def _order(fate: Fate) -> int:
    return list(Fate).index(fate)
