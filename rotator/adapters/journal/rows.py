"""Dataclasses as rows and back. Standard library only: the read-only look uses it without SQLAlchemy.

Instants are microseconds since 1970 in UTC, flags 0 and 1, lists JSON. What is no text is refused where a text is due,
so a `Secret` cannot get in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

from rotator.adapters.journal.errors import Unreadable
from rotator.domain.consumers import ConsumerState, PickedUp
from rotator.domain.packages import Inventory
from rotator.domain.records import (
    ChainedEvent,
    Checkpoint,
    CredentialRow,
    Event,
    EventKind,
    KnownKey,
    LastWrite,
    Origin,
    Request,
    Sighting,
    Verb,
)
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, StoreState, WaitFor, Waiting
from rotator.domain.tokens import Role, Token

T = TypeVar("T")
Record = tuple[Any, ...]
"""One row as the database gives it, in the order of the shape's columns."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Kind:
    """How a field is written and read; neither is asked about None."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def micros(instant: datetime) -> int:
    """Microseconds since 1970. Raises `TypeError` for a naive one."""
    return (instant - EPOCH) // MICROSECOND


def instant(value: int) -> datetime:
    """The instant of so many microseconds since 1970, in UTC."""
    return EPOCH + timedelta(microseconds=value)


def text(value: object) -> str:
    """The text itself. Raises `TypeError` for everything else: a secret is never written to the journal."""
    if isinstance(value, str):
        return value
    raise TypeError(f"the journal takes text here, and no {type(value).__name__}")


def number(value: object) -> int:
    """The number itself. Raises `TypeError` for everything else."""
    if isinstance(value, int):
        return value
    raise TypeError(f"the journal takes a number here, and no {type(value).__name__}")


def _list_of(check: Callable[[object], object]) -> Callable[[object], str]:
    def encode(values: object) -> str:
        if not isinstance(values, tuple):
            raise TypeError(f"the journal takes a tuple here, and no {type(values).__name__}")
        return _dumps([check(each) for each in values]) if values else "[]"

    return encode


def mapping(values: Mapping[str, str]) -> str:
    """A mapping of texts as canonical JSON. Raises `TypeError` for other keys and values."""
    return _dumps({text(key): text(value) for key, value in values.items()}) if values else "{}"


def _load_tuple(value: str) -> tuple[Any, ...]:
    if value == "[]":
        return ()
    found = json.loads(value)
    if not isinstance(found, list):
        raise TypeError("no list")
    return tuple(found)


def _load_mapping(value: str) -> dict[str, str]:
    found = json.loads(value)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _last_writes(writes: tuple[LastWrite, ...]) -> str:
    """Each as a list of its texts; the last of them may be null, and so may the key."""
    return _dumps([[None if each is None else text(each) for each in _OF_A_WRITE(write)] for write in writes])


def _load_last_writes(value: str) -> tuple[LastWrite, ...]:
    writes = (tuple(each) for each in _load_tuple(value))
    return tuple(LastWrite(store=store, ref=ref, key_id=key, version=version) for store, ref, key, version in writes)


_OF_A_WRITE = attrgetter("store", "ref", "key_id", "version")
TEXT = Kind(text, str)
NUMBER = Kind(number, int)
FLAG = Kind(int, bool)
INSTANT = Kind(micros, instant)
TEXTS = Kind(_list_of(text), _load_tuple)
NUMBERS = Kind(_list_of(number), _load_tuple)
MAPPING = Kind(mapping, _load_mapping)
LAST_WRITES = Kind(_last_writes, _load_last_writes)


def choice(of: type[StrEnum]) -> Kind:
    """One of an enumeration, by its value."""
    return Kind(lambda member: of(member).value, of)


class Shape(Generic[T]):
    """The fields of a dataclass that are columns, in their order."""

    def __init__(self, cls: type[T], /, **kinds: Kind) -> None:
        self.columns = tuple(kinds)
        self.of = cls
        self._values = attrgetter(*kinds)
        self._encoders = tuple(kind.encode for kind in kinds.values())
        self._decoders = tuple(kind.decode for kind in kinds.values())

    def encode(self, value: T) -> dict[str, Any]:
        """The columns' values by name."""
        pairs = zip(self._encoders, self._values(value), strict=True)
        return dict(zip(self.columns, [None if v is None else encode(v) for encode, v in pairs], strict=True))

    def fields(self, record: Record) -> dict[str, Any]:
        """The dataclass's fields by name, of the record's first columns. Raises `Unreadable`."""
        pairs = zip(self._decoders, record, strict=False)
        try:
            return dict(zip(self.columns, [None if v is None else decode(v) for decode, v in pairs], strict=True))
        except (ValueError, TypeError, OverflowError) as error:
            raise Unreadable(self.of.__name__) from error

    def decode(self, record: Record) -> T:
        """The dataclass of which this is the row. Raises `Unreadable`."""
        return self.of(**self.fields(record))


CREDENTIAL = Shape(
    CredentialRow,
    name=TEXT,
    current=TEXT,
    current_since=INSTANT,
    next_due=INSTANT,
    held=FLAG,
    held_why=TEXT,
    fence=NUMBER,
    drift=TEXTS,
    outage=FLAG,
    spec=TEXT,
    last_writes=LAST_WRITES,
)
KEY = Shape(
    KnownKey,
    key_id=TEXT,
    credential=TEXT,
    origin=choice(Origin),
    since=INSTANT,
    fingerprint=TEXT,
    rotation=TEXT,
    dead_at=INSTANT,
)
OLD_KEY = Shape(
    OldKey,
    key_id=TEXT,
    fingerprint=TEXT,
    had=FLAG,
    kept_in=TEXT,
    disabled_at=INSTANT,
    deleted_at=INSTANT,
    first_refused_at=INSTANT,
    proof=choice(Proof),
    dead_at=INSTANT,
    to_delete_since=INSTANT,
)
PLACE_STATE = Shape(
    StoreState,
    store=TEXT,
    ref=TEXT,
    expected=TEXT,
    version=TEXT,
    promoted_at=INSTANT,
    put_back_at=INSTANT,
    rewritten_at=INSTANT,
    trouble_since=INSTANT,
    left_behind=TEXT,
    unread=FLAG,
)
CONSUMER_STATE = Shape(
    ConsumerState,
    name=TEXT,
    since=INSTANT,
    way=TEXT,
    tell_at=INSTANT,
    told_at=INSTANT,
    attempts=NUMBER,
    trouble=TEXT,
    picked_up_at=INSTANT,
    how=choice(PickedUp),
)
INVENTORY = Shape(
    Inventory, consumer=TEXT, origin=TEXT, kind=TEXT, commit=TEXT, since=INSTANT, until=INSTANT, gaps=TEXTS
)
"""An inventory without its components."""
TOKEN = Shape(
    Token,
    name=TEXT,
    digest=TEXT,
    role=choice(Role),
    owners=TEXTS,
    consumer=TEXT,
    why=TEXT,
    created_at=INSTANT,
    expires_at=INSTANT,
    last_used_at=INSTANT,
    revoked_at=INSTANT,
)
REQUEST = Shape(Request, id=NUMBER, credential=TEXT, verb=choice(Verb), why=TEXT, at=INSTANT)
SIGHTING = Shape(Sighting, credential=TEXT, key_id=TEXT, first_seen=INSTANT)
CHECKPOINT = Shape(Checkpoint, number=NUMBER, at=INSTANT, heads=MAPPING, previous=TEXT, digest=TEXT, signature=TEXT)
EVENT = Shape(Event, kind=choice(EventKind), action=TEXT, subject=TEXT, detail=MAPPING)
LINK = Shape(ChainedEvent, rotation=TEXT, seq=NUMBER, at=INSTANT, fence=NUMBER, previous=TEXT, digest=TEXT)
"""What a chained event has beside the event."""

ROTATION = Shape(
    Rotation,
    id=TEXT,
    credential=TEXT,
    mode=choice(Mode),
    reason=TEXT,
    started_at=INSTANT,
    next_at=INSTANT,
    since=INSTANT,
    phase=choice(Phase),
    fence=NUMBER,
    owner=TEXT,
    clean=FLAG,
    attempts=NUMBER,
    failing_since=INSTANT,
    parked_from=choice(Phase),
    turns=NUMBER,
    ends_as=choice(Phase),
    ended_at=INSTANT,
    old_current=TEXT,
    fixed=FLAG,
    baseline=TEXTS,
    slot=TEXT,
    mint_fences=NUMBERS,
    first_mint_at=INSTANT,
    last_mint_at=INSTANT,
    escrow=TEXT,
    new_key=TEXT,
    minted_at=INSTANT,
    verified_at=INSTANT,
    live_at=INSTANT,
    beyond_pivot=FLAG,
    exposure_end=INSTANT,
    asked_at=INSTANT,
    supersedes=TEXTS,
    outage=FLAG,
)
"""A rotation's own columns; `waiting` and `problem` follow them; old keys, places, consumers are rows apart."""
WAITING = Shape(Waiting, until=INSTANT, for_=choice(WaitFor), note=TEXT)
ROTATION_COLUMNS = (
    *ROTATION.columns,
    "waiting_until",
    "waiting_for",
    "waiting_note",
    "problem_message",
    "problem_hint",
)
EVENT_COLUMNS = LINK.columns + EVENT.columns


def encode_rotation(row: Rotation) -> dict[str, Any]:
    """The columns of a rotation's row; `open` and `priority`, which follow from it, are there for the indexes."""
    waiting, problem = row.waiting, row.problem
    values = ROTATION.encode(row)
    values["waiting_until"] = micros(waiting.until) if waiting else None
    values["waiting_for"] = waiting.for_.value if waiting else None
    values["waiting_note"] = text(waiting.note) if waiting else None
    values["problem_message"] = text(problem.message) if problem else None
    values["problem_hint"] = text(problem.hint) if problem else None
    values["open"] = int(row.open)
    values["priority"] = row.rules.priority
    return values


def decode_rotation(
    record: Record,
    old_keys: tuple[OldKey, ...],
    stores: tuple[StoreState, ...],
    consumers: tuple[ConsumerState, ...] = (),
) -> Rotation:
    """The rotation of which `record` holds `ROTATION_COLUMNS`."""
    until, _, _, message, hint = record[len(ROTATION.columns) : len(ROTATION_COLUMNS)]
    return Rotation(
        **ROTATION.fields(record),
        waiting=None if until is None else WAITING.decode(record[len(ROTATION.columns) :]),
        problem=None if message is None else Problem(message=message, hint=hint),
        old_keys=old_keys,
        stores=stores,
        consumers=consumers,
    )


def encode_event(link: ChainedEvent) -> dict[str, Any]:
    """The columns of a chained event."""
    return LINK.encode(link) | EVENT.encode(link.event)


def decode_event(record: Record) -> ChainedEvent:
    """The chained event of which `record` holds `EVENT_COLUMNS`."""
    return ChainedEvent(**LINK.fields(record), event=EVENT.decode(record[len(LINK.columns) :]))
