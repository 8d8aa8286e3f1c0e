"""`rotator.ports.Tokens` on the journal's database."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import null, or_, select, update

from rotator.adapters.journal import locks, rows, writing
from rotator.adapters.journal.inventories import Run
from rotator.adapters.journal.rows import micros
from rotator.adapters.journal.schema import API_TOKEN
from rotator.adapters.journal.session import Session, Statement
from rotator.adapters.journal.statements import given, inserting
from rotator.domain.records import Event
from rotator.domain.tokens import Token, chain

_TOKEN = select(*(API_TOKEN.c[name] for name in rows.TOKEN.columns))
ALL = Statement(_TOKEN.order_by(API_TOKEN.c.number))
BY_DIGEST = Statement(_TOKEN.where(API_TOKEN.c.digest == given("digest")))
BY_NAME = Statement(_TOKEN.where(API_TOKEN.c.name == given("name")))
ADD = Statement(inserting(API_TOKEN, rows.TOKEN.columns))
_NAMED = API_TOKEN.c.name == given("of")
REVOKE = Statement(update(API_TOKEN).where(_NAMED).values(revoked_at=given("revoked_at")))
_USED = API_TOKEN.c.last_used_at
USED = Statement(
    update(API_TOKEN)
    .where(_NAMED, or_(_USED.is_(null()), given("last_used_at") > _USED))
    .values(last_used_at=given("last_used_at"))
)


class JournalTokens:
    """The API's tokens beside a journal. Raises what the journal raises."""

    def __init__(self, write: Run, read: Run) -> None:
        self._write = write
        self._read = read

    def add(self, token: Token, event: Event) -> bool:
        """Keep a new one. Twice: False."""
        return self._write(partial(_add, token=token, event=event))

    def find(self, digest: str) -> Token | None:
        """The one with this hash."""
        found = self._read(lambda session: session.one(BY_DIGEST, {"digest": digest}))
        return None if found is None else rows.TOKEN.decode(found)

    def every(self) -> tuple[Token, ...]:
        """All, the oldest first."""
        return tuple(map(rows.TOKEN.decode, self._read(lambda session: session.all(ALL, {}))))

    def revoke(self, name: str, now: datetime, event: Event) -> bool:
        """End it. Twice: False."""
        return self._write(partial(_revoke, name=name, now=now, event=event))

    def used(self, name: str, now: datetime) -> None:
        """Remember when it was used last. Twice: the later time."""
        self._write(lambda session: session.run(USED, {"of": name, "last_used_at": micros(now)}))


def _add(session: Session, token: Token, event: Event) -> bool:
    session.lock(locks.ALL_TOKENS, {})
    if session.one(BY_NAME, {"name": token.name}) is not None:
        return False
    session.put(ADD, [rows.TOKEN.encode(token)])
    writing.tell(session, chain(token.name), (event,), token.created_at)
    return True


def _revoke(session: Session, name: str, now: datetime, event: Event) -> bool:
    session.lock(locks.ALL_TOKENS, {})
    found = session.one(BY_NAME, {"name": name})
    if found is None or rows.TOKEN.decode(found).revoked_at is not None:
        return False
    session.run(REVOKE, {"of": name, "revoked_at": micros(now)})
    writing.tell(session, chain(name), (event,), now)
    return True
