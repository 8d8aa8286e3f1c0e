"""What changes the journal: each function is one piece of the writer's work, and writes all of it or raises."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rotator.adapters.journal import locks, reading, rows
from rotator.adapters.journal import statements as sql
from rotator.adapters.journal.rows import instant, micros
from rotator.adapters.journal.session import Link, Question, Session, Written
from rotator.domain.changes import NEVER, RESTORED
from rotator.domain.failures import Fenced
from rotator.domain.records import Checkpoint, CredentialRow, Event, Request, Sighting, Verb
from rotator.domain.rotation import Rotation
from rotator.domain.trail import START, Signer, chained, close, credential_chain
from rotator.ports import Change


def begin(session: Session, rotation: Rotation, change: Change) -> bool:
    """Open a rotation, unless one is open or its id is known already."""
    session.lock(locks.CREDENTIAL, {"name": rotation.credential})
    if session.one(sql.OPEN_OF_CREDENTIAL, {"credential": rotation.credential}):
        return False
    if session.one(sql.FENCE_AND_OPEN, {"id": rotation.id}):
        return False
    at = micros(rotation.started_at)
    session.put(sql.DROP_REQUESTS, [{"credential": rotation.credential, "answered_at": at}])
    session.put(sql.MAKE_CREDENTIAL, [{"name": rotation.credential}])
    _write(session, rotation.credential, rotation.started_at, change)
    _insert(session, rotation, rotation.started_at)
    _note(session, rotation.id, rotation.started_at, rotation.fence, change.events)
    return True


def claim(
    session: Session, owner: str, now: datetime, lease: timedelta, limit: int, only: Collection[str] | None
) -> tuple[Rotation, ...]:
    """Take the most urgent rows that are due."""
    if limit <= 0:
        return ()
    at = session.now(now)
    due = reading.claimable(session, at, limit, only)
    return tuple(_take(session, row, owner, instant(at) + lease) for row in due)


def seize(session: Session, rotation_id: str, owner: str, now: datetime, lease: timedelta) -> Rotation | None:
    """Take the open row whoever holds it."""
    session.lock(locks.ROTATION_BY_ID, {"id": rotation_id})
    row = reading.rotation(session, sql.ROTATION_BY_ID, {"id": rotation_id})
    if row is None or not row.open:
        return None
    return _take(session, row, owner, instant(session.now(now)) + lease)


def _take(session: Session, row: Rotation, owner: str, until: datetime) -> Rotation:
    """The row as `TAKE` writes it."""
    session.put(sql.TAKE, [{"id": row.id, "owner": owner, "next_at": micros(until)}])
    return replace(row, fence=row.fence + 1, owner=owner, next_at=until, clean=row.clean and row.owner is None)


def _shifted(session: Session, next_at: datetime, now: datetime) -> int:
    """`next_at`, as far from the time that counts as it was from the caller's."""
    return micros(next_at) if next_at >= NEVER else micros(next_at) + session.now(now) - micros(now)


def saved_first(
    session: Session, row: Rotation, values: dict[str, Any], now: datetime, change: Change
) -> Question | None:
    """What `commit` begins with, of which nothing else decides whether it is right."""
    if change.answered or row.owner is None:
        return None
    values["next_at"] = _shifted(session, row.next_at, now)
    return sql.SAVE_UNASKED_ROTATION, values


def commit(
    session: Session, row: Rotation, values: dict[str, Any], now: datetime, change: Change, heed: bool
) -> tuple[Request, ...]:
    """Save the row, of which `values` are the columns, and the change under its fence."""
    values["next_at"] = _shifted(session, row.next_at, now)
    if row.owner is None:
        # Who asks at this moment must find a row that is held, or see that it was released and wake it.
        session.lock(locks.ROTATION_BY_ID, {"id": row.id})
    if change.answered or not session.run(sql.SAVE_UNASKED_ROTATION, values):
        asked = _save_asked(session, row, values, now, change, heed)
        if asked:
            return asked
    last = _save_parts(session, row)
    _write(session, row.credential, now, change)
    if not row.open:
        session.put(sql.CLOSE_CREDENTIAL, [{"name": row.credential, "rotation": row.id}])
    _remember(session, row, _note(session, row.id, now, row.fence, change.events, last))
    if change.successor is not None:
        if session.one(sql.FENCE_AND_OPEN, {"id": change.successor.id}):
            raise ValueError(f"there is a rotation {change.successor.id} already")
        _insert(session, change.successor, now)
    return ()


def _save_asked(
    session: Session, row: Rotation, values: dict[str, Any], now: datetime, change: Change, heed: bool
) -> tuple[Request, ...]:
    """Save where a request waits, or the row is over or not ours; what forbids it, if that is heeded."""
    session.lock(locks.ROTATION_BY_ID, {"id": row.id})
    waiting = [each for each in reading.waiting_requests(session, row.credential) if each.id not in change.answered]
    if waiting and heed:
        _check_fence(session, row, change)
        return tuple(waiting)
    # Whoever answered one request may not have seen the next: if nobody holds the row, it is woken.
    if waiting and row.owner is None and row.open:
        values = {**values, "next_at": min(values["next_at"], session.now(now))}
    if not session.run(sql.SAVE_ROTATION, values):
        _check_fence(session, row, change)
        session.put(sql.SAVE_ENDED_ROTATION, [values])
    return ()


def _check_fence(session: Session, row: Rotation, change: Change) -> None:
    """Raises `Fenced`, also for a row that is over, if it were opened again or another is open by now."""
    found = session.one(sql.FENCE_AND_OPEN, {"id": row.id})
    if found is None or found[0] != row.fence:
        raise Fenced(f"rotation {row.id} is somebody else's")
    if found[1]:
        return
    another = session.one(sql.OPEN_OF_CREDENTIAL, {"credential": row.credential})
    if row.open or another or change.successor is not None:
        raise Fenced(f"rotation {row.id} is over")


def save(session: Session, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
    """Save a credential under its fence, with no rotation open."""
    session.put(sql.MAKE_CREDENTIAL, [{"name": row.name}])
    if not session.run(sql.RAISE_FENCE, {"name": row.name, "fence": row.fence}):
        raise Fenced(f"{row.name} was written by somebody else, or a rotation of it is open")
    saved = replace(row, fence=row.fence + 1)
    session.put(sql.DESCRIBE_CREDENTIAL, [rows.CREDENTIAL.encode(saved)])
    _write(session, row.name, now, change)
    _note(session, credential_chain(row.name), now, saved.fence, change.events)
    return saved


def ask(session: Session, credential: str, verb: Verb, why: str, now: datetime) -> Request:
    """Leave a request for the owner of the open rotation, and wake it if nobody holds it."""
    session.lock(locks.OPEN_OF_CREDENTIAL, {"credential": credential})
    if session.one(sql.OPEN_OF_CREDENTIAL, {"credential": credential}) is None:
        raise LookupError(f"no rotation of {credential} is open")
    waiting = reading.waiting_requests(session, credential)
    if not waiting or (waiting[-1].verb, waiting[-1].why) != (verb, why):
        values = {"credential": credential, "verb": verb.value, "why": rows.text(why), "at": micros(now)}
        session.put(sql.INSERT_REQUEST, [values])
        waiting = reading.waiting_requests(session, credential)
    session.put(sql.WAKE, [{"credential": credential, "now": session.now(now)}])
    return waiting[-1]


def note(session: Session, credential: str, events: Sequence[Event], now: datetime) -> None:
    """Add to a credential's own chain, whatever its fence is."""
    session.put(sql.MAKE_CREDENTIAL, [{"name": credential}])
    session.lock(locks.CREDENTIAL, {"name": credential})  # so that no other link of this chain is made meanwhile
    found = reading.credential(session, credential)
    _note(session, credential_chain(credential), now, found.fence, events)


def tell(session: Session, chain: str, events: Sequence[Event], now: datetime) -> None:
    """Add to a chain that is neither a rotation's nor a credential's; the caller keeps others from it."""
    _note(session, chain, now, 0, events)


def sight(session: Session, credential: str, key_ids: Collection[str], now: datetime) -> tuple[Sighting, ...]:
    """Remember first sightings of these keys and forget those of others."""
    session.put(sql.FORGET_SIGHTINGS, [{"credential": credential, "key_ids": reading.names(key_ids)}])
    seen = [{"credential": credential, "key_id": rows.text(key_id), "first_seen": micros(now)} for key_id in key_ids]
    session.put(sql.SIGHT, seen)
    return reading.sightings(session, credential)


def checkpoint(session: Session, now: datetime, signer: Signer | None) -> Checkpoint | None:
    """Close what happened since the last checkpoint into a signed one."""
    session.lock(locks.TRAIL_END, {})
    found = session.one(sql.LAST_CHECKPOINT, {})
    last = None if found is None else rows.CHECKPOINT.decode(found[:-1])
    after = 0 if found is None else found[-1]
    heads = dict[str, str](session.all(sql.MOVED_HEADS, {"after": after}))
    if not heads:
        return None
    made = close(last, now, heads, signer)
    newest = session.one(sql.LAST_EVENT, {})
    session.put(sql.INSERT_CHECKPOINT, [{**rows.CHECKPOINT.encode(made), "last_event": newest and newest[0]}])
    return made


def remember(session: Session, name: str, value: str | None) -> None:
    """Remember a text, or forget it."""
    if value is None:
        session.put(sql.DROP_META, [{"name": name}])
    else:
        session.put(sql.WRITE_META, [{"name": name, "value": rows.text(value)}])


def replace_text(session: Session, name: str, value: str, expected: str | None) -> bool:
    """Remember a text in the place of the expected one, or where there is none; whether it is there now."""
    values = {"name": name, "value": rows.text(value)}
    if expected is None:
        changed = session.run(sql.ADD_META, values)
    else:
        changed = session.run(sql.REPLACE_META, values | {"expected": expected})
    return changed > 0 or reading.recall(session, name) == values["value"]


def restore(session: Session, row: Rotation, now: datetime) -> None:
    """Enter or overwrite a row that is over."""
    session.lock(locks.CREDENTIAL, {"name": row.credential})
    session.lock(locks.ROTATION_BY_ID, {"id": row.id})
    stored = reading.rotation(session, sql.ROTATION_BY_ID, {"id": row.id})
    if stored is not None and stored.open:
        raise Fenced(f"rotation {row.id} is open")
    if stored == row:
        return
    session.put(sql.MAKE_CREDENTIAL, [{"name": row.credential}])
    session.put(sql.RESTORE_ROTATION, [rows.encode_rotation(row)])
    session.written.pop(row.id, None)
    _save_parts(session, row)
    _note(session, row.id, now, row.fence, (RESTORED,))


# -- parts of the above ----------------------------------------------------------------------------------------------


def _insert(session: Session, rotation: Rotation, now: datetime) -> None:
    """The open row; the credential's fence grows with it."""
    values = {**rows.encode_rotation(rotation), "next_at": _shifted(session, rotation.next_at, now)}
    session.put(sql.INSERT_ROTATION, [values])
    _save_parts(session, rotation)
    session.put(sql.OPEN_CREDENTIAL, [{"name": rotation.credential, "rotation": rotation.id}])


def _save_parts(session: Session, row: Rotation) -> Link | None:
    """Save what is not as this connection wrote it last; the chain's last link, if that is known too."""
    last = session.written.get(row.id)
    known = last is not None and last.fence == row.fence
    if last is None or not known or last.old_keys != row.old_keys:
        _save_part(session, row.id, sql.OLD_KEYS, row.old_keys)
    if last is None or not known or last.stores != row.stores:
        _save_part(session, row.id, sql.PLACE_STATES, row.stores)
    if last is None or not known or last.consumers != row.consumers:
        _save_part(session, row.id, sql.CONSUMER_STATES, row.consumers)
    return last.link if last is not None and known else None


def _remember(session: Session, row: Rotation, link: Link | None) -> None:
    """What was written last, as long as somebody has a claim on it: the next commit is likely to be the same one's."""
    if row.owner is None or link is None:
        session.written.pop(row.id, None)
    else:
        session.written[row.id] = Written(row.fence, row.old_keys, row.stores, row.consumers, link)


def _save_part(session: Session, rotation_id: str, parts: sql.Parts, values: Sequence[Any]) -> None:
    session.put(parts.drop, [{"rotation": rotation_id, "position": len(values)}])
    if values:
        encoded = [
            {"rotation": rotation_id, "position": position, **parts.shape.encode(value)}
            for position, value in enumerate(values)
        ]
        session.put(parts.save, encoded)


def _write(session: Session, credential: str, now: datetime, change: Change) -> None:
    """What a change holds beside rows and events. The credential's fence is the journal's, never the caller's."""
    if change.credential is not None:
        session.put(sql.DESCRIBE_CREDENTIAL, [rows.CREDENTIAL.encode(change.credential)])
    if change.keys:
        session.put(sql.SAVE_KEY, [rows.KEY.encode(key) for key in change.keys])
    for request in change.answered:
        session.put(sql.ANSWER, [{"credential": credential, "id": request, "answered_at": micros(now)}])


def _note(
    session: Session, chain: str, at: datetime, fence: int, events: Sequence[Event], last: Link | None = None
) -> Link | None:
    """Chain the events behind the last link, which is looked up where it is not known; what is the last one then."""
    if not events:
        return last
    seq, previous = last or session.noted.get(chain) or session.one(sql.HEAD_OF, {"rotation": chain}) or (0, START)
    links = []
    for event in events:
        seq += 1
        links.append(chained(chain, seq, at, fence, event, previous))
        previous = links[-1].digest
    session.note(sql.INSERT_EVENT, [rows.encode_event(link) for link in links])
    session.noted[chain] = seq, previous
    return seq, previous
