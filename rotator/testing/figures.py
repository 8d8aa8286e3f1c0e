"""The journal in memory, in numbers: what `rotator.ports.Accounts` says, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rotator.domain.figures import SHARES, Group, OpenRotation, Tally
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Rotation

SHORTEST = timedelta(microseconds=1)


def in_short(row: Rotation) -> OpenRotation:
    """What is counted of an open rotation."""
    return OpenRotation(
        credential=row.credential,
        mode=row.mode,
        phase=row.phase,
        started_at=row.started_at,
        since=row.since,
        waiting_for=row.waiting.for_ if row.waiting else None,
        failing_since=row.failing_since,
        live_at=row.live_at,
        living=sum(old.dead_at is None and old.proof is None for old in row.old_keys),
    )


def tally(rows: Sequence[CredentialRow], group: Group, rotating: Iterable[str], now: datetime) -> Tally:
    """One group counted; `rows` are those of it that the journal knows."""
    busy = frozenset(rotating)
    ages = [each for each in (_age(row, group, now) for row in rows) if each is not None]
    return Tally(
        known=len(rows),
        keyless=sum(row.current is None for row in rows),
        held=sum(row.held for row in rows),
        rotating=sum(row.name in busy for row in rows),
        due=sum(
            row.next_due is not None and row.next_due <= now and not row.held and row.name not in busy for row in rows
        ),
        overdue=sum(age > allowed for age, allowed in ages),
        drifting=sum(bool(row.drift) for row in rows),
        outage=sum(row.outage for row in rows),
        aged=len(ages),
        within=tuple(sum(age * 100 <= allowed * share for age, allowed in ages) for share in SHARES),
        oldest=min((row.current_since for row in rows if row.current_since is not None), default=None),
        next_due=min((row.next_due for row in rows if row.next_due is not None and not row.held), default=None),
    )


def _age(row: CredentialRow, group: Group, now: datetime) -> tuple[timedelta, timedelta] | None:
    """How old it is and may be."""
    if row.current_since is None:
        return None
    if group.allowed is not None:
        return now - row.current_since, group.allowed
    if row.next_due is None:
        return None
    return now - row.current_since, max(row.next_due - row.current_since, SHORTEST)
