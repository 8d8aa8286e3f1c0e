"""How a rotation begins: by its schedule, by a person's word, or in an emergency that takes over what is open."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.credential import Credential
from rotator.domain.failures import Fenced
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine.outcomes import enter
from rotator.ports import Change, Clock, Ids, Journal

JOINED_BY_TIME = frozenset({Phase.MINTING, Phase.STAGING, Phase.PROMOTING, Phase.LIVE, Phase.RETIRING})
"""Where an emergency joins a rotation whose key was minted after the exposure end."""
JOINED_BEFORE_MINT = frozenset({Phase.PLANNED, Phase.CONTAINING, Phase.MINTING})


def new_rotation(credential: str, mode: Mode, reason: str, ids: Ids, now: datetime) -> Rotation:
    """A row that nobody has saved yet."""
    return Rotation(
        id=ids.rotation(now), credential=credential, mode=mode, reason=reason, started_at=now, next_at=now, since=now
    )


def start(spec: Credential, journal: Journal, ids: Ids, clock: Clock, *, mode: Mode, reason: str) -> Rotation | None:
    """Open a scheduled or manual rotation; None when one is open already."""
    row = new_rotation(spec.name, mode, reason, ids, clock.now())
    return row if journal.begin(row, Change(events=(begun(row),))) else None


def begun(row: Rotation) -> Event:
    """The first event of a rotation."""
    return Event(kind=EventKind.PHASE, action="begin", subject=row.mode.value, detail={"reason": row.reason})


def assume_compromise(
    spec: Credential,
    journal: Journal,
    ids: Ids,
    clock: Clock,
    *,
    owner: str,
    lease: timedelta,
    contain_first: bool = False,
    exposure_end: datetime | None = None,
    reason: str = "compromise",
) -> Rotation:
    """Declare a credential's keys stolen: the row that replaces them, joined, superseding or new. It is not claimed.

    `exposure_end`: a key minted later is safe; None: unknown, which counts as now. Twice: judged the same way, so a
    rotation whose key was minted since the first time is joined.
    """
    mode = Mode.CONTAIN_FIRST if contain_first else Mode.COMPROMISE
    while True:
        now = clock.now()
        fresh = replace(new_rotation(spec.name, mode, reason, ids, now), exposure_end=exposure_end or now, asked_at=now)
        open_row = journal.open_rotation(spec.name)
        if open_row is None:
            if journal.begin(fresh, Change(events=(begun(fresh),))):
                return fresh
            continue
        taken = journal.seize(open_row.id, owner=owner, now=now, lease=lease)
        if taken is None:
            continue
        try:
            return _take_over(taken, fresh, journal, now)
        except Fenced:  # another emergency took it meanwhile: judged anew
            continue


def _take_over(taken: Rotation, fresh: Rotation, journal: Journal, now: datetime) -> Rotation:
    if joins(taken, fresh.exposure_end or now):
        joined = join(taken, fresh, now)
        event = Event(kind=EventKind.OPERATOR, action="emergency joins", detail={"reason": fresh.reason})
        journal.commit(joined, now, Change(events=(event,)))
        return joined
    successor = inherit(taken, fresh)
    ended = replace(enter(taken, Phase.SUPERSEDED, now), owner=None)
    event = Event(kind=EventKind.OPERATOR, action="superseded", subject=successor.id, detail={"reason": fresh.reason})
    journal.commit(ended, now, Change(events=(event,), successor=successor))
    return successor


def joins(row: Rotation, exposure_end: datetime) -> bool:
    """Whether an emergency may go on with this rotation: nothing minted yet, or minted after the exposure end."""
    if row.phase in JOINED_BEFORE_MINT and not row.mint_fences:
        return True
    minted = row.minted_since
    return row.phase in JOINED_BY_TIME and minted is not None and minted >= exposure_end


def join(row: Rotation, fresh: Rotation, now: datetime) -> Rotation:
    """The open row as the emergency's own: its old keys are fixed anew, a `contain_first` stays one."""
    before_mint = not row.mint_fences
    mode = Mode.CONTAIN_FIRST if row.mode is Mode.CONTAIN_FIRST else fresh.mode
    if not before_mint and row.mode is not Mode.CONTAIN_FIRST:
        mode = Mode.COMPROMISE  # its key is made already: nothing is left to contain before it
    joined = replace(
        row,
        mode=mode,
        reason=fresh.reason,
        exposure_end=max(filter(None, (row.exposure_end, fresh.exposure_end))),
        asked_at=now,
        fixed=False,
        owner=None,
        next_at=now,
        since=now,
        waiting=None,
    )
    return enter(joined, Phase.PLANNED, now) if before_mint and row.phase is not Phase.CONTAINING else joined


def inherit(superseded: Rotation, fresh: Rotation) -> Rotation:
    """The successor: what has happened has happened, so an outage goes on and a `contain_first` stays one."""
    return replace(
        fresh,
        mode=Mode.CONTAIN_FIRST if superseded.mode is Mode.CONTAIN_FIRST else fresh.mode,
        supersedes=(superseded.id, *superseded.supersedes),
        outage=superseded.outage,
    )
