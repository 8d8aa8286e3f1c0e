"""What the journal keeps beside rotations: credentials, their keys, events, requests and sightings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Origin(StrEnum):
    """How a key came to belong to a credential."""

    MINTED = "minted"
    ADOPTED = "adopted"
    FOUND = "found"  # a key of an exclusive principal, or with our mark, that a list showed


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key that belongs to a credential. `dead_at`: since when its death is proven, or it is known to be deleted."""

    key_id: str
    credential: str
    origin: Origin
    since: datetime  # minted (its intent, until the outcome is known) or first known
    fingerprint: str | None = None
    rotation: str | None = None
    dead_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether it must be reckoned with."""
        return self.dead_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWrite:
    """The last write to a place that cannot be read: all that is known of what consumers find there.

    `version`: what the write returned. None: it was meant and no answer came, or the place was taken over unread; what
    is there may be this key or another one.
    """

    store: str
    ref: str
    key_id: str | None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRow:
    """What is known of a credential between rotations.

    `fence` grows with every rotation that opens and every pass of the reconciler that writes, so that neither can act
    on what it read before the other began. `drift`: places left behind, as `store:ref`, by the last rotation.
    `last_writes`: one for each place that cannot be read and was ever written or taken over.
    """

    name: str
    current: str | None = None  # the key_id that consumers should read
    current_since: datetime | None = None
    next_due: datetime | None = None
    held: bool = False
    held_why: str = ""
    fence: int = 0
    drift: tuple[str, ...] = ()
    outage: bool = False
    spec: str = ""  # a digest of the config's entry, so that a change can be told
    last_writes: tuple[LastWrite, ...] = ()

    def last_write(self, store: str, ref: str) -> LastWrite | None:
        """What is known of the place `store:ref`."""
        return next((each for each in self.last_writes if (each.store, each.ref) == (store, ref)), None)

    def having_written(self, write: LastWrite) -> CredentialRow:
        """The row with this as what is known of its place."""
        others = self.without_write(write.store, write.ref).last_writes
        return replace(self, last_writes=(*others, write))

    def without_write(self, store: str, ref: str) -> CredentialRow:
        """The row with nothing known of the place `store:ref`."""
        others = tuple(each for each in self.last_writes if (each.store, each.ref) != (store, ref))
        return replace(self, last_writes=others)


class EventKind(StrEnum):
    """What an event tells."""

    INTENT = "intent"  # committed before an effect
    OUTCOME = "outcome"  # committed after it
    PHASE = "phase"
    OPERATOR = "operator"
    OBSERVATION = "observation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the trail, before the journal numbers and chains it. `detail` never holds a value of a key."""

    kind: EventKind
    action: str
    subject: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEvent:
    """An event as the journal keeps it: `digest` is over `previous` and everything else here, per rotation."""

    rotation: str
    seq: int
    at: datetime
    fence: int
    event: Event
    previous: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The heads of all chains that moved since the last checkpoint, signed with the installation's key."""

    number: int
    at: datetime
    heads: Mapping[str, str]  # rotation -> digest of its newest event
    previous: str
    digest: str
    signature: str


class Verb(StrEnum):
    """What an operator can ask of an open rotation."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    RELEASE = "release"
    RESUME = "resume"
    ACKNOWLEDGE = "acknowledge"  # a consumer proved that it has the new key; `why` is the rotation and its name
    PROVIDE = "provide"  # a key that a person made lies in a pending place; `why` is the rotation and the key's id


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An operator's command, waiting for the owner of the row."""

    id: int
    credential: str
    verb: Verb
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The reconciler's first sight of a key that looks like an orphan."""

    credential: str
    key_id: str
    first_seen: datetime
