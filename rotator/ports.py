"""What the engine needs of the world, on one page. Nothing else may be asked of an adapter or a driver.

Every method raises the types of `rotator.domain.failures` and no others: `Transient` when it may work later, `Denied`
when the admin credential may not, `Permanent` when it never will. Whatever crosses a port is a frozen dataclass with a
JSON form (`rotator.domain.codec`). "Twice" says what happens when a call is repeated because its answer was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Protocol, TypeVar, runtime_checkable

from rotator.domain.consumers import Heard, News
from rotator.domain.credential import Place, Principal, Publication
from rotator.domain.failures import Failure, Permanent
from rotator.domain.figures import Census, Figures, Group
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Probe, Verdict
from rotator.domain.made import Made
from rotator.domain.outline import Outline
from rotator.domain.packages import Inventory, Package
from rotator.domain.records import ChainedEvent, Checkpoint, CredentialRow, Event, KnownKey, Request, Sighting, Verb
from rotator.domain.rotation import Rotation
from rotator.domain.secret import SECRET_TEXT, Secret
from rotator.domain.tokens import Token

T = TypeVar("T")


class Provider(Protocol):
    """Who issues keys, seen with one admin credential."""

    def capabilities(self, principal: Principal) -> Capabilities:
        """What the provider offers for this principal. No request. Twice: the same."""
        ...

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Make one key. Exactly one request, retried by nobody.

        Raises `Ambiguous` when the request may have arrived and no answer came; `CapFull` when there is no room;
        `Conflict` when the slot does not hold `request.expects`. Every other failure means that nothing was made.
        Twice: two keys, but for a slot, where the second is a `Conflict`.
        """
        ...

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """All keys of the principal over all pages, the disabled ones too; as old as `list_lag`. Twice: a new look.

        Without `Capabilities.lists` always none. Slots are listed even when empty, as a deleted key whose id carries
        the slot's fresh tag.
        """
        ...

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """Use the value once for something that changes nothing. `INVALID` only for "no such key"; a throttle, a broken

        server or a page of HTML is `Transient`. Twice: asked again.
        """
        ...

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The id of the key with this value, or None where the provider does not tell. Twice: asked again."""
        ...

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Disable, enable or delete exactly this key. Twice: nothing more; of a key that is gone: nothing.

        For a slot it acts only if the slot still holds this id, else it does nothing; deleting writes a fresh tag.
        Without `Capabilities.deletes` deleting is `Permanent`, and nobody asks for it.
        """
        ...

    def check_admin(self, principal: Principal) -> None:
        """Use the admin credential without changing anything; `Denied` names the permission it lacks."""
        ...


@runtime_checkable
class TellsTrail(Protocol):
    """A provider that tells who made what: where `Capabilities.trail` says so; for the end of an incident."""

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        """What was made since then in the whole account: keys, users, service accounts, roles, federation rules.

        All pages, and what is gone again too where the provider remembers it. Twice: a new look.
        """
        ...


def trail_of(provider: Provider, principal: Principal, since: datetime) -> tuple[Made, ...]:
    """The trail of a provider, which may be none. Raises `Permanent` where it tells none, and what `trail` raises."""
    if isinstance(provider, TellsTrail):
        return provider.trail(principal, since)
    raise Permanent("this driver tells nothing of who made what", "look for it in the provider's console")


ABSENT = ""
"""The version of a place that does not exist; expecting it means: only if it still does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a place holds: our fields, or None where there are none, and the version to expect when writing."""

    version: str
    fields: Mapping[str, str] | None = field(default=None, metadata=SECRET_TEXT)

    def __repr__(self) -> str:
        return f"Stored(version={self.version!r}, fields={'<secret>' if self.fields else None})"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCapabilities:
    """`exact`: compare-and-set is the store's own; else only detected: compared, written, looked at again.

    `readable`: it gives values back, and has places that consumers cannot read.
    """

    exact: bool
    readable: bool = True
    history: bool = False
    max_bytes: int | None = None


class Store(Protocol):
    """Where consumers read: a key-value store with compare-and-set over places.

    One that is not `readable` (the secrets of a CI) has current places alone. `read` tells the version, from whatever
    the store says beside the value, and never fields, so that None does not mean that there are none; `write` and
    `remove` compare that version, which is detected and not exact; `places` is empty; any other kind of place is
    `Permanent`.
    """

    def capabilities(self) -> StoreCapabilities:
        """What the store can do. No request."""
        ...

    def read(self, place: Place) -> Stored:
        """The place's fields and version; an absent place has version `ABSENT`. Twice: a new look."""
        ...

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """Write these fields, leave the document's others alone, and return the new version.

        Raises `Conflict` when the version is not `expected` any more. Durable on return. Twice: the second is a
        `Conflict`, because the first one changed the version.
        """
        ...

    def remove(self, place: Place, expected: str) -> None:
        """Remove the place's fields, and its document if no others are in it. Of an absent place: nothing."""
        ...

    def places(self, ref: str) -> tuple[Place, ...]:
        """The pending and previous places that exist for a reference. Twice: a new look."""
        ...


@runtime_checkable
class TellsLeastPolicy(Protocol):
    """A store that can say what its credential must be allowed to do: for `rotator check --policy`, not the engine."""

    def least_policy(self, refs: Collection[str]) -> str:
        """The least policy that suffices to publish to these references, and no wider, as the vendor takes it.

        No request. Twice: the same.
        """
        ...


@runtime_checkable
class TellsWorthKnowing(Protocol):
    """A store that knows of what will be trouble: for `rotator check`, not the engine."""

    def worth_knowing(self, places: Sequence[Publication]) -> Sequence[str]:
        """One line for each, without a secret, e.g. a token that will die. May ask, and raises what `read` raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one commit writes beside the row: all of it, or nothing."""

    events: tuple[Event, ...] = ()
    credential: CredentialRow | None = None
    keys: tuple[KnownKey, ...] = ()
    answered: tuple[int, ...] = ()  # operators' requests that are now dealt with
    successor: Rotation | None = None  # opened in the same breath as the row ends


class Journal(Protocol):
    """What survives a crash. Holds no secret. Safe for many threads and processes.

    A write that carries a fence raises `Fenced` when the row's is another, and then nothing was written. One that ends
    in `Transient` may have been written, or not; to do it again under the same fence is right either way.

    Where several machines share a journal, its own clock says what is due. A caller's `now` then says only how far away
    `next_at` is for him (for `begin`: `started_at`), so a clock that is wrong neither steals a lease nor starves.
    """

    # rotations
    def begin(self, rotation: Rotation, change: Change) -> bool:
        """Open a rotation and let the credential's fence grow; False, and nothing written, if one is open already."""
        ...

    def claim(
        self, *, owner: str, now: datetime, lease: timedelta, limit: int, only: Collection[str] | None = None
    ) -> tuple[Rotation, ...]:
        """Take up to `limit` open rows with `next_at <= now`, most urgent first: `fence + 1`, `next_at = now + lease`.

        `only` restricts to these credentials. A row that its last owner did not release comes back with `clean` False.
        A journal that was found older than the world gives none.
        """
        ...

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        """Save the row and the change where the fence is still `row.fence`.

        With `heed`, an operator's waiting request forbids: the requests are returned and nothing was written.
        Otherwise returns (). Raises `Fenced`.
        """
        ...

    def seize(self, rotation_id: str, *, owner: str, now: datetime, lease: timedelta) -> Rotation | None:
        """For an emergency: take the open row whoever holds it, `fence + 1`; unclean if it was held. None: over."""
        ...

    def rotation(self, rotation_id: str) -> Rotation | None:
        """The row as committed."""
        ...

    def open_rotation(self, credential: str) -> Rotation | None:
        """The credential's one open rotation."""
        ...

    def open_rotations(self, only: Collection[str] | None = None) -> tuple[Rotation, ...]:
        """All that are open, the oldest first; or those of these credentials."""
        ...

    def rotating(self) -> tuple[str, ...]:
        """The names of the credentials with an open rotation, sorted; of an index alone."""
        ...

    def rotations(self, credential: str | None = None, *, limit: int = 1000) -> tuple[Rotation, ...]:
        """Rotations, newest first."""
        ...

    def emergencies(self, reason: str = "") -> tuple[Rotation, ...]:
        """The rotations of emergencies whose reason begins so, however old, newest first; by an index of their own."""
        ...

    def next_wake(self, only: Collection[str] | None = None) -> datetime | None:
        """The earliest `next_at` of an open row that is not stuck; None when there is none."""
        ...

    # credentials and keys
    def credential(self, name: str) -> CredentialRow:
        """The credential's row; a fresh one for a name never saved."""
        ...

    def credentials(self, after: str = "", limit: int | None = None) -> tuple[CredentialRow, ...]:
        """All rows, by name; with a `limit` so many of those whose name comes behind `after`."""
        ...

    def credentials_among(self, names: Collection[str]) -> tuple[CredentialRow, ...]:
        """The rows of these names, by name; none for a name never saved."""
        ...

    def due(self, now: datetime, limit: int) -> tuple[CredentialRow, ...]:
        """Credentials with `next_due <= now`, not held, no rotation open; by an index, the longest due first."""
        ...

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        """Save a credential where its fence is still `row.fence` and no rotation is open; returns it with `fence + 1`.

        Raises `Fenced`.
        """
        ...

    def keys(self, credential: str) -> tuple[KnownKey, ...]:
        """The keys that belong to a credential as far as known, dead ones too."""
        ...

    def every_key(self) -> tuple[KnownKey, ...]:
        """The same of all credentials, by their names, also of those that no config has any more."""
        ...

    def holders(self, key_id: str) -> tuple[str, ...]:
        """The names of the credentials whose current key this is."""
        ...

    # operators
    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        """Leave a request for the owner of the open rotation, and wake it if nobody holds it."""
        ...

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        """Add to a credential's own trail, whoever owns its rotations. Twice: it is there twice."""
        ...

    # reconciler
    def sight(self, credential: str, key_ids: Collection[str], now: datetime) -> tuple[Sighting, ...]:
        """Remember first sightings of these keys, forget those of others, return them all."""
        ...

    # the trail
    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = 10000) -> tuple[ChainedEvent, ...]:
        """Events in the order they were committed."""
        ...

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All signed checkpoints, oldest first."""
        ...

    def checkpoint(self, now: datetime) -> Checkpoint | None:
        """Close what happened since the last one into a signed checkpoint; None when nothing did."""
        ...

    # small things that must outlive a process
    def recall(self, name: str) -> str | None:
        """What was remembered under a name; never a secret."""
        ...

    def remember(self, name: str, text: str | None) -> None:
        """Remember a short text under a name; None forgets it."""
        ...

    def replace(self, name: str, text: str, *, expected: str | None) -> bool:
        """Remember a text where `expected` is what is remembered now, None: nothing; whether `text` is there now.

        Of many that expect the same one alone succeeds. Twice: True again, unless somebody else did so meanwhile.
        """
        ...

    def remembered(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so and under which something is remembered, sorted."""
        ...

    # its own age
    def restore(self, row: Rotation, now: datetime) -> None:
        """Enter or overwrite a terminal row that the world remembers, while rebuilding. Twice: the same."""
        ...

    def older_than_world(self) -> str | None:
        """Why this journal was found older than the world, or None."""
        ...

    def set_older_than_world(self, why: str | None) -> None:
        """Remember it, so that nothing is claimed; None after it was rebuilt."""
        ...


@runtime_checkable
class Accounts(Protocol):
    """A journal in numbers: for metrics, not the engine. Safe for many threads; twice: a new look."""

    def figures(self) -> Figures:
        """What is open and what is wrong, of one moment; by indexes, so that it takes as long as there is of that."""
        ...

    def census(self, groups: Sequence[Group], now: datetime) -> Census:
        """Every credential counted in its group: a walk over all of them, within the database."""
        ...


@runtime_checkable
class Overview(Protocol):
    """A journal for people who look at all of it. Safe for many threads; twice: a new look."""

    def outline(self, after: str = "", limit: int = 1000) -> tuple[Outline, ...]:
        """Up to `limit` credentials in short, by name, of those whose name comes behind `after`."""
        ...

    def amiss(self, limit: int) -> tuple[CredentialRow, ...]:
        """Up to `limit` of those that are held or have a place that was left behind; the latter first, each by name."""
        ...

    def last_event(self) -> int:
        """How many events the whole trail has; `events(after=...)` counts as this does."""
        ...


class Tokens(Protocol):
    """The API's tokens, kept beside the journal as hashes. Safe for many threads and processes.

    What is done to one is written to the trail in the same breath, in a chain of its own (`rotator.domain.tokens`).
    """

    def add(self, token: Token, event: Event) -> bool:
        """Keep a new one; False, and nothing written, where its name was ever given. Twice: False."""
        ...

    def find(self, digest: str) -> Token | None:
        """The one with this hash, whether it is valid or not."""
        ...

    def every(self) -> tuple[Token, ...]:
        """All that were ever made, the oldest first."""
        ...

    def revoke(self, name: str, now: datetime, event: Event) -> bool:
        """End it now; False, and nothing written, where there is none or it is revoked already. Twice: False."""
        ...

    def used(self, name: str, now: datetime) -> None:
        """Remember when it was used last. No event. Twice: the later time counts."""
        ...


class Inventories(Protocol):
    """Which packages consumers had when; kept beside the journal and only added to. Safe for many threads.

    One that is open (`until` None) ends with the next record of the same consumer and `origin` that is of no commit; a
    commit only with one that was recorded after it. A commit is recorded again when more is known of its end, and then
    the last word counts.
    """

    def record(self, inventories: Sequence[Inventory], now: datetime) -> int:
        """Add these, all or none; returns how many told something new. Twice: nothing is added.

        Nothing new is what is there already, and what is of no commit and the same as the last one before it.
        """
        ...

    def history(self, consumer: str | None = None) -> tuple[Inventory, ...]:
        """All inventories, or one consumer's, by consumer, origin and time; without their components."""
        ...

    def holding(self, packages: Collection[Package]) -> tuple[Inventory, ...]:
        """The inventories that ever held one of these packages, with those components alone, in the same order."""
        ...

    def at(self, instant: datetime, consumer: str | None = None) -> tuple[Inventory, ...]:
        """What holds at an instant, whole, in the same order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a consumer is told; `kind` is a word for people. `spread`: the longest time until its turn comes."""

    kind: str
    spread: timedelta = timedelta(0)


class Consumers(Protocol):
    """Who reads the stores, and how each is told that a value changed."""

    def way(self, consumer: str) -> Way | None:
        """How it is told; None for one that reads by itself. No request."""
        ...

    def tell(self, consumers: Sequence[str], news: News) -> Mapping[str, Heard | Failure]:
        """Tell each of these once, all at the same time, within the time of one request; never raises.

        Of each, what it answered, or why it did not hear; `Permanent` where another attempt makes no sense. Twice: told
        again, of the same by the same id.
        """
        ...


class Admins(Protocol):
    """The providers whose admin credential the credential at hand is."""

    def use_what_is_published(self) -> None:
        """Of each, read the admin credential from its reference, as whoever comes next will, and use it once.

        Changes nothing at a provider. Raises what a provider raises; `Denied` where it is refused. Twice: used again.
        """
        ...


class Prober(Protocol):
    """The engine's own look at a key, past a driver that may have an interest."""

    def probe(self, probe: Probe, value: Secret) -> Verdict:
        """Send the probe once. `Transient` for everything that is neither "works" nor "no such key"."""
        ...


class Together(Protocol):
    """Several calls of ports at the same time."""

    def run(self, calls: Sequence[Callable[[], T]]) -> tuple[T | Failure, ...]:
        """Make each call once, and return when all are over: of each what it returned, or the `Failure` it raised.

        A single one is made by the caller's own thread; several touch nothing that the caller could change. Whatever
        else one raises is raised when all are over.
        """
        ...


class Clock(Protocol):
    """Time. Logic asks this and never the machine."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def boottime(self) -> float:
        """Seconds that never jump and go on while the machine sleeps (`CLOCK_BOOTTIME`): for leases."""
        ...


class Ids(Protocol):
    """Everything random."""

    def rotation(self, now: datetime) -> str:
        """A new id of a rotation: at most 20 lower-case letters and digits, sorting by time."""
        ...

    def value(self, length: int = 40) -> str:
        """A new secret text of letters and digits, for providers that take the value we choose."""
        ...


class Calendar(Protocol):
    """Cron lines."""

    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        """The next time the line fires after an instant, in UTC; None: never."""
        ...


class Observer(Protocol):
    """Told of everything that was committed: log, metrics, terminal."""

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Never raises; told once per commit, after it."""
        ...

    def alert(self, action: str, subject: str, message: str) -> None:
        """Something a person should know now."""
        ...
