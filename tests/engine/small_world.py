"""A world of one credential in memory: two stores, one provider, a clock that only the test moves, and a trace.

Everything that reaches the journal, the provider or a store is noted in `trace`, in the order in which it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from rotator.domain.consumers import Heard, News
from rotator.domain.credential import Credential, Place, PlaceKind, Principal, Publication
from rotator.domain.failures import Conflict, Failure, Permanent
from rotator.domain.keys import (
    OVERLAP,
    Capabilities,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Probe,
    Strategy,
    Verdict,
)
from rotator.domain.marks import Marker
from rotator.domain.policy import Policy
from rotator.domain.records import CredentialRow, Event, KnownKey, Origin, Request
from rotator.domain.rotation import Mode, Rotation
from rotator.domain.secret import Fingerprinter, Secret
from rotator.engine.recorded import Recorded
from rotator.engine.starting import new_rotation
from rotator.engine.world import Timing, World
from rotator.ports import ABSENT, Change, StoreCapabilities, Stored, Way
from rotator.testing.memory import MemoryJournal

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
TIMING = Timing()
NAME = "openai-prod"
INSTALLATION = "prod"

Step = tuple[str, ...]
T = TypeVar("T")


def kept(value: Secret, key_id: str, rotation_id: str) -> dict[str, str]:
    """A document as the rotator writes it to a pending or previous place."""
    parts = {f"value.{name}": text for name, text in value.parts().items()}
    return {**parts, "key_id": key_id, "rotation": rotation_id, "installation": INSTALLATION}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.instant = START
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.instant

    def boottime(self) -> float:
        return self.seconds

    def move(self, duration: timedelta) -> None:
        self.instant += duration
        self.seconds += duration.total_seconds()


class TracedJournal(MemoryJournal):
    """The journal in memory that notes what was committed, and can be asked to do something just before."""

    def __init__(self, trace: list[Step]) -> None:
        super().__init__()
        self._trace = trace
        self.before_commit: Callable[[], object] = lambda: None

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        self.before_commit()
        requests = super().commit(row, now, change, heed=heed)
        if not requests:
            self._trace.append(("commit", *(f"{each.kind} {each.action}" for each in change.events)))
        return requests


class Provider:
    """Keys by id. `fails`: raised by the next effect; `during`: done in the middle of each effect."""

    def __init__(self, trace: list[Step], strategy: Strategy) -> None:
        self._trace = trace
        self.offers = Capabilities(strategy=strategy)
        self.held: dict[str, Key] = {}
        self.values: dict[str, Secret] = {}
        self.user: str | None = None  # a second part of every value
        self.refuses: dict[str, Failure] = {}  # why a key's state cannot be changed
        self.deletes = True  # else it only says so
        self.fails: Exception | None = None
        self.during: Callable[[], object] = lambda: None

    def capabilities(self, principal: Principal) -> Capabilities:
        return self.offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        self._trace.append(("mint", request.mark))
        self._happens()
        key_id = f"k{len(self.held) + 1}"
        self.add(key_id, mark=request.mark)
        return Minted(key_id=key_id, value=self.values[key_id])

    def add(self, key_id: str, mark: str | None = None) -> Secret:
        self.held[key_id] = Key(id=key_id, state=KeyState.ENABLED, mark=mark)
        more = {"user": self.user} if self.user is not None else {}
        self.values[key_id] = Secret({"secret": f"sk-{key_id}", **more})
        return self.values[key_id]

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        return tuple(self.held.values())

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        owner = next((key_id for key_id, text in self.values.items() if text == value), None)
        key = self.held.get(owner or "")
        return Verdict.WORKS if key is not None and key.state is KeyState.ENABLED else Verdict.INVALID

    def identify(self, principal: Principal, value: Secret) -> str | None:
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        self._trace.append(("set_state", key_id, state.value))
        self._happens()
        if key_id in self.refuses:
            raise self.refuses[key_id]
        if self.deletes:
            self.held[key_id] = replace(self.held[key_id], state=state)

    def check_admin(self, principal: Principal) -> None:
        return

    def _happens(self) -> None:
        self.during()
        failure, self.fails = self.fails, None
        if failure is not None:
            raise failure


class Store:
    """Places by kind and owner. `down`: raised by everything until it is None again.

    `loses`: raised once, by the next write after it took effect. One that is not `readable` tells versions alone.
    """

    def __init__(self, name: str, trace: list[Step], *, readable: bool = True) -> None:
        self.name = name
        self.offers = StoreCapabilities(exact=readable, readable=readable)
        self.loses: Failure | None = None
        self._trace = trace
        self.held: dict[tuple[PlaceKind, str], tuple[str, dict[str, str]]] = {}
        self.down: Failure | None = None
        self.when_asked: Callable[[], object] = lambda: None
        self._versions = 0

    def capabilities(self) -> StoreCapabilities:
        return self.offers

    def read(self, place: Place) -> Stored:
        self._trace.append(("read", self.name, place.kind.value))
        self._up()
        self._kept(place)
        version, fields = self.held.get((place.kind, place.of), (ABSENT, None))
        return Stored(version=version, fields=fields if self.offers.readable else None)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        self._trace.append(("write", self.name, place.kind.value))
        self._up()
        version, _ = self.held.get((place.kind, place.of), (ABSENT, None))
        if version != expected:
            raise Conflict(f"{self.name} was written meanwhile")
        self._kept(place)
        written, failure, self.loses = self.put(place, fields), self.loses, None
        if failure is not None:
            raise failure
        return written

    def put(self, place: Place, fields: Mapping[str, str]) -> str:
        self._versions += 1
        self.held[(place.kind, place.of)] = (f"{self.name}{self._versions}", dict(fields))
        return f"{self.name}{self._versions}"

    def remove(self, place: Place, expected: str) -> None:
        self._trace.append(("remove", self.name, place.kind.value))
        self._up()
        self.held.pop((place.kind, place.of), None)

    def places(self, ref: str) -> tuple[Place, ...]:
        self._up()
        kinds = (key for key in self.held if key[0] is not PlaceKind.CURRENT)
        return tuple(Place(ref=ref, kind=kind, of=of) for kind, of in kinds)

    def _kept(self, place: Place) -> None:
        if not self.offers.readable and place.kind is not PlaceKind.CURRENT:
            raise Permanent(f"{self.name} keeps no {place.kind.value} values")

    def _up(self) -> None:
        self.when_asked()
        if self.down is not None:
            raise self.down


class InTurn:
    """One call after the other, in the order in which they are given. `met`: how many were to be made together."""

    def __init__(self) -> None:
        self.met: list[int] = []

    def run(self, calls: Sequence[Callable[[], T]]) -> tuple[T | Failure, ...]:
        self.met.append(len(calls))
        return tuple(self._made(call) for call in calls)

    @staticmethod
    def _made(call: Callable[[], T]) -> T | Failure:
        try:
            return call()
        except Failure as failure:
            return failure


class Others:
    """Everything else that a world has: it listens, and answers nothing of interest."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str, str]] = []
        self.told: list[tuple[tuple[str, ...], News]] = []
        self.ways: dict[str, Way] = {}
        self.answers: dict[str, Heard | Failure] = {}  # of a consumer; else it hears and says nothing
        self.observed: list[tuple[Event, ...]] = []
        self._serial = 0

    def rotation(self, now: datetime) -> str:
        self._serial += 1
        return f"r{self._serial}"

    def value(self, length: int = 40) -> str:
        return "x" * length

    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        return None

    def probe(self, probe: Probe, value: Secret) -> Verdict:
        return Verdict.INVALID

    def way(self, consumer: str) -> Way | None:
        return self.ways.get(consumer)

    def tell(self, consumers: Sequence[str], news: News) -> dict[str, Heard | Failure]:
        self.told.append((tuple(consumers), news))
        return {each: self.answers.get(each, Heard()) for each in consumers}

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        self.observed.append(tuple(events))

    def alert(self, action: str, subject: str, message: str) -> None:
        self.alerts.append((action, subject, message))


@dataclass
class SmallWorld:
    """`stores` in the order in which the credential is published; `begin` opens and claims a rotation of it.

    `unread`: which of them cannot be read.
    """

    strategy: Strategy = OVERLAP
    stores: tuple[str, ...] = ("vault", "file")
    unread: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=lambda: {"API_KEY": "{secret}"})
    exclusive: bool = True
    trace: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock, self.others, self.together = Clock(), Others(), InTurn()
        self.journal = TracedJournal(self.trace)
        self.provider = Provider(self.trace, self.strategy)
        self.store = {name: Store(name, self.trace, readable=name not in self.unread) for name in self.stores}
        self.marker = Marker(INSTALLATION, b"m" * 32)
        self.prints = Fingerprinter(b"f" * 32)
        self.spec = Credential(
            name=NAME,
            provider="openai",
            principal=Principal(name="svc", exclusive=self.exclusive),
            publish=tuple(Publication(store=name, ref="app", fields=self.fields) for name in self.stores),
            policy=Policy(every=timedelta(days=30)),
            consumers=("web",),
        )
        self.world = World(
            provider=self.provider,
            stores=self.store,
            journal=self.journal,
            clock=self.clock,
            ids=self.others,
            calendar=self.others,
            prober=self.others,
            consumers=self.others,
            observer=self.others,
            together=self.together,
            marker=self.marker,
            fingerprinter=self.prints,
            timing=TIMING,
        )

    def publish(self, key_id: str = "k1") -> Secret:
        """A credential as adopted: a key that lives, is current in every store and known to the journal."""
        value = self.provider.add(key_id)
        for entry in self.spec.publish:
            self.store[entry.store].put(entry.place, entry.render(value))
        self.know(key_id, value, current=True)
        return value

    def know(self, key_id: str, value: Secret | None, *, current: bool = False) -> None:
        """Let the journal know a key."""
        known = KnownKey(
            key_id=key_id,
            credential=NAME,
            origin=Origin.ADOPTED,
            since=START,
            fingerprint=self.prints.of(value, "secret") if value is not None else None,
        )
        row = self.journal.credential(NAME)
        row = replace(row, current=key_id) if current else row
        self.journal.save(row, START, Change(keys=(known,)))

    def begin(self, mode: Mode = Mode.SCHEDULED, **fields: object) -> Recorded:
        """A rotation as its owner has it after the claim; `fields` are put into its row."""
        row = new_rotation(NAME, mode, "a test", self.others, self.clock.now())
        assert self.journal.begin(replace(row, **fields), Change())  # type: ignore[arg-type]
        return self.claim()

    def claim(self) -> Recorded:
        """The open rotation as its next owner has it."""
        (row,) = self.journal.claim(owner="me", now=self.clock.now(), lease=TIMING.lease, limit=1)
        self.trace.clear()
        return Recorded(row, self.spec, self.world, claimed_at=self.clock.boottime())

    def committed(self) -> Rotation:
        """The row as the journal has it."""
        row = self.journal.rotations(NAME)[0]
        found = self.journal.rotation(row.id)
        assert found is not None
        return found

    def credential(self) -> CredentialRow:
        """The credential's row as the journal has it."""
        return self.journal.credential(NAME)

    def effects(self) -> list[str]:
        """What was done to the world, in order."""
        return [step[0] for step in self.trace if step[0] in ("mint", "write", "remove", "set_state")]
