"""The journal for people who look: every credential in short, what is amiss, and where the trail ends."""

from __future__ import annotations

from sqlalchemy import literal_column, or_, select

from rotator.adapters.journal import rows
from rotator.adapters.journal.rows import instant
from rotator.adapters.journal.schema import CREDENTIAL
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.statements import LAST_EVENT, columns, given, most
from rotator.domain.outline import Outline
from rotator.domain.records import CredentialRow

_ROW = CREDENTIAL.c
_DRIFTS = _ROW.drift != literal_column("'[]'")
_HELD = _ROW.held != literal_column("0")
OUTLINE = most(
    select(
        _ROW.name,
        _ROW.current.is_not(None),
        _ROW.current_since,
        _ROW.next_due,
        _ROW.held,
        _DRIFTS,
        _ROW.open_rotation.is_not(None),
    )
    .where(_ROW.name > given("after"))
    .order_by(_ROW.name)
)
AMISS = most(
    columns(CREDENTIAL, rows.CREDENTIAL.columns).where(or_(_HELD, _DRIFTS)).order_by(_DRIFTS.desc(), _ROW.name)
)


def outline(session: Session, after: str, limit: int) -> tuple[Outline, ...]:
    """Up to `limit` of them behind a name, by name."""
    found = session.all(OUTLINE, {"after": after, "limit": max(limit, 0)})
    return tuple(
        Outline(
            name,
            bool(keyed),
            None if since is None else instant(since),
            None if due is None else instant(due),
            bool(held),
            bool(drifts),
            bool(rotates),
        )
        for name, keyed, since, due, held, drifts, rotates in found
    )


def amiss(session: Session, limit: int) -> tuple[CredentialRow, ...]:
    """Those with a place that was left behind, then those on hold, each by name."""
    found = session.all(AMISS, {"limit": max(limit, 0)})
    return tuple(rows.CREDENTIAL.decode(record) for record in found)


def last_event(session: Session) -> int:
    """How many events the trail has."""
    return int(session.all(LAST_EVENT, {})[0][0] or 0)
