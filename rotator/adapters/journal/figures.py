"""The journal in numbers, counted by the database. Several answers are read in one snapshot by the caller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rotator.adapters.journal import figure_statements as sql
from rotator.adapters.journal.rows import Record, instant, micros
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.statements import LAST_EVENT, READ_META
from rotator.domain.changes import OLDER
from rotator.domain.figures import Census, Counted, Figures, Group, Head, OpenRotation, Tally
from rotator.domain.rotation import Mode, Phase, WaitFor


def figures(session: Session) -> Figures:
    """What is open and what is wrong."""
    open_, orphans, unproven, closed, last, older = session.ask(
        (sql.OPEN_IN_SHORT, {}),
        (sql.ORPHANS, {}),
        (sql.UNPROVEN, {}),
        (sql.HEAD, {}),
        (LAST_EVENT, {}),
        (READ_META, {"name": OLDER}),
    )
    return Figures(
        open=tuple(_open(record) for record in open_),
        orphans={name: _counted(number, at) for name, number, at in orphans},
        unproven={name: _counted(number, at) for name, number, at in unproven},
        head=_head(closed, int(last[0][0] or 0)),
        older=bool(older),
    )


def census(session: Session, groups: Sequence[Group], now: datetime) -> Census:
    """Every credential counted in its group."""
    numbers = {
        name: at * sql.GROUP + (int(group.allowed.total_seconds()) if group.allowed is not None else 0)
        for at, group in enumerate(groups)
        for name in group.names
    }
    values = {"groups": json.dumps(numbers), "now": micros(now)}
    found, every = session.ask((sql.CENSUS, values), (sql.HOW_MANY, {}))
    counted = {int(record[0]): _tally(record) for record in found}
    strangers = int(every[0][0]) - sum(each.known for each in counted.values())
    return Census(groups=tuple(counted.get(at, Tally()) for at in range(len(groups))), strangers=strangers)


def _open(record: Record) -> OpenRotation:
    credential, mode, phase, started_at, since, waiting_for, failing_since, live_at, living = record
    return OpenRotation(
        credential=credential,
        mode=Mode(mode),
        phase=Phase(phase),
        started_at=instant(started_at),
        since=instant(since),
        waiting_for=WaitFor(waiting_for) if waiting_for is not None else None,
        failing_since=_maybe(failing_since),
        live_at=_maybe(live_at),
        living=int(living),
    )


def _counted(number: int, at: int | None) -> Counted:
    return Counted(number=int(number), at=_maybe(at))


def _head(found: list[Record], last: int) -> Head:
    if not found:
        return Head(unclosed=last)
    number, at, digest, last_event = found[0]
    return Head(number=int(number), at=instant(at), digest=digest, unclosed=last - int(last_event))


def _tally(record: Record) -> Tally:
    _, known, keyless, held, rotating, due, overdue, drifting, outage, aged, oldest, next_due, *within = record
    return Tally(
        known=int(known),
        keyless=int(keyless),
        held=int(held),
        rotating=int(rotating),
        due=int(due),
        overdue=int(overdue),
        drifting=int(drifting),
        outage=int(outage),
        aged=int(aged),
        within=tuple(int(each) for each in within),
        oldest=_maybe(oldest),
        next_due=_maybe(next_due),
    )


def _maybe(value: int | None) -> datetime | None:
    return None if value is None else instant(int(value))
