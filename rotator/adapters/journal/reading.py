"""What the journal knows, read on one connection. Several rows of one answer are read in one snapshot by the caller."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from rotator.adapters.journal import rows
from rotator.adapters.journal import statements as sql
from rotator.adapters.journal.rows import Record, instant, micros
from rotator.adapters.journal.session import Session, Statement
from rotator.domain.changes import NEVER, OLDER
from rotator.domain.records import ChainedEvent, Checkpoint, CredentialRow, KnownKey, Request, Sighting
from rotator.domain.rotation import Rotation

LAST = "\U0010ffff"
"""Behind every other character, where texts are compared byte by byte."""


def names(values: Iterable[str]) -> str:
    """A list as one parameter."""
    return json.dumps(list(values))


def rotation(session: Session, statement: Statement, values: Mapping[str, Any]) -> Rotation | None:
    """The first rotation that the statement finds."""
    record = session.one(statement, values)
    if record is None:
        return None
    mine = {"rotation": record[0]}
    answers = session.ask(*((parts.of_one, mine) for parts in sql.PARTS))
    found = zip(sql.PARTS, answers, strict=True)
    return rows.decode_rotation(
        record, *(tuple(parts.shape.decode(each[1:]) for each in part) for parts, part in found)
    )


def rotations(session: Session, records: list[Record]) -> tuple[Rotation, ...]:
    """The rotations of these rows, in their order."""
    if not records:
        return ()
    wanted = {"rotations": names(record[0] for record in records)}
    answers = session.ask(*((parts.of_many, wanted) for parts in sql.PARTS))
    parts = [_by_rotation(found, parts.shape) for parts, found in zip(sql.PARTS, answers, strict=True)]
    return tuple(rows.decode_rotation(each, *(tuple(part.get(each[0], ())) for part in parts)) for each in records)


def _by_rotation(records: list[Record], shape: rows.Shape[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in records:
        found.setdefault(record[0], []).append(shape.decode(record[1:]))
    return found


def newest(session: Session, credential: str | None, limit: int) -> tuple[Rotation, ...]:
    """Rotations, the one opened last first."""
    if credential is None:
        return rotations(session, session.all(sql.ROTATIONS, {"limit": limit}))
    return rotations(session, session.all(sql.ROTATIONS_OF, {"credential": credential, "limit": limit}))


def open_rotations(session: Session, only: Collection[str] | None) -> tuple[Rotation, ...]:
    """All that are open, or those of some credentials, the one opened first first."""
    if only is None:
        return rotations(session, session.all(sql.OPEN, {}))
    return rotations(session, session.all(sql.OPEN_AMONG, {"only": names(only)}))


def rotating(session: Session) -> tuple[str, ...]:
    """The names of the credentials with an open rotation, sorted."""
    return tuple(record[0] for record in session.all(sql.ROTATING, {}))


def emergencies(session: Session, reason: str) -> tuple[Rotation, ...]:
    """Rotations of emergencies whose reason begins so, the one opened last first."""
    return rotations(session, session.all(sql.EMERGENCIES, {"reason": reason, "beyond": reason + LAST}))


def claimable(session: Session, now: int, limit: int, only: Collection[str] | None) -> tuple[Rotation, ...]:
    """Open rows that are due, the most urgent first, and nobody else's; none of a journal older than the world."""
    values: dict[str, Any] = {"now": now, "limit": limit}
    due = (sql.DUE, values) if only is None else (sql.DUE_AMONG, values | {"only": names(only)})
    older, records = session.ask((sql.READ_META, {"name": OLDER}), due)
    return () if older else rotations(session, records)


def next_wake(session: Session, only: Collection[str] | None) -> datetime | None:
    """The earliest `next_at` of an open row that is not parked."""
    never = micros(NEVER)
    if only is not None:
        found = session.all(sql.SOONEST_AMONG, {"never": never, "only": names(only)})
    else:
        found = session.all(sql.SOONEST_OF_EACH_PRIORITY, {"never": never})
    earliest = min((record[0] for record in found if record[0] is not None), default=None)
    return None if earliest is None else instant(earliest)


def credential(session: Session, name: str) -> CredentialRow:
    """The credential's row; a fresh one for a name never saved."""
    record = session.one(sql.CREDENTIAL_BY_NAME, {"name": name})
    return CredentialRow(name=name) if record is None else rows.CREDENTIAL.decode(record)


ALL = 2**31 - 1
"""More rows than there are."""


def credentials(session: Session, after: str, limit: int | None) -> tuple[CredentialRow, ...]:
    """All rows, or a page of them, by name."""
    most = ALL if limit is None else max(limit, 0)
    found = session.all(sql.CREDENTIALS, {"after": after, "limit": most})
    return tuple(rows.CREDENTIAL.decode(record) for record in found)


def credentials_among(session: Session, wanted: Collection[str]) -> tuple[CredentialRow, ...]:
    """The rows of these names, by name."""
    found = session.all(sql.CREDENTIALS_AMONG, {"only": names(wanted)})
    return tuple(rows.CREDENTIAL.decode(record) for record in found)


def due(session: Session, now: datetime, limit: int) -> tuple[CredentialRow, ...]:
    """Credentials to rotate, the longest due first."""
    found = session.all(sql.DUE_CREDENTIALS, {"now": micros(now), "limit": limit})
    return tuple(rows.CREDENTIAL.decode(record) for record in found)


def keys(session: Session, name: str) -> tuple[KnownKey, ...]:
    """The keys that belong to a credential, the one first known first."""
    return tuple(rows.KEY.decode(record) for record in session.all(sql.KEYS_OF, {"credential": name}))


def every_key(session: Session) -> tuple[KnownKey, ...]:
    """The keys of all credentials, by the credential's name; of each the one first known first."""
    return tuple(rows.KEY.decode(record) for record in session.all(sql.EVERY_KEY, {}))


def holders(session: Session, key_id: str) -> tuple[str, ...]:
    """The names, sorted, of the credentials whose current key this is."""
    return tuple(record[0] for record in session.all(sql.HOLDERS, {"current": key_id}))


def waiting_requests(session: Session, name: str) -> tuple[Request, ...]:
    """What operators asked and nobody answered, in that order."""
    found = session.all(sql.WAITING_REQUESTS, {"credential": name})
    return tuple(rows.REQUEST.decode(record) for record in found)


def sightings(session: Session, name: str) -> tuple[Sighting, ...]:
    """The first sightings, by key id."""
    found = session.all(sql.SIGHTINGS_OF, {"credential": name})
    return tuple(rows.SIGHTING.decode(record) for record in found)


def events(session: Session, rotation_id: str | None, after: int, limit: int) -> tuple[ChainedEvent, ...]:
    """Events in the order they were committed."""
    values = {"after": after, "limit": limit}
    if rotation_id is None:
        found = session.all(sql.EVENTS, values)
    else:
        found = session.all(sql.EVENTS_OF, values | {"rotation": rotation_id})
    return tuple(rows.decode_event(record) for record in found)


def checkpoints(session: Session) -> tuple[Checkpoint, ...]:
    """All signed checkpoints, oldest first."""
    return tuple(rows.CHECKPOINT.decode(record) for record in session.all(sql.CHECKPOINTS, {}))


def recall(session: Session, name: str) -> str | None:
    """What is kept under a name."""
    found = session.one(sql.READ_META, {"name": name})
    return None if found is None else str(found[0])


def remembered(session: Session, prefix: str) -> tuple[str, ...]:
    """The names that begin so, sorted."""
    values = {"prefix": prefix, "beyond": prefix + LAST}
    return tuple(sorted(str(name) for (name,) in session.all(sql.META_NAMES, values)))
