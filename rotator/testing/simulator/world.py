"""One world made from one seed: a provider, stores, journals, workers, and everything that will happen to them."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from random import Random

from rotator.domain.credential import Credential, Principal, Publication
from rotator.domain.failures import Failure, JournalOlder
from rotator.domain.keys import Minter
from rotator.domain.marks import Mark, Marker
from rotator.domain.policy import Policy
from rotator.domain.records import CredentialRow, Event, KnownKey, LastWrite, Origin
from rotator.domain.rotation import Rotation
from rotator.domain.secret import Fingerprinter, Secret
from rotator.engine import reconciling, worker
from rotator.engine.world import Timing, World
from rotator.ports import Change
from rotator.testing.memory import MemoryJournal
from rotator.testing.simulator.consumers import SimulatedConsumers
from rotator.testing.simulator.faults import Faults
from rotator.testing.simulator.invariants import Estate, Invariants
from rotator.testing.simulator.journal import SimulatedJournal
from rotator.testing.simulator.person import Person
from rotator.testing.simulator.provider import KINDS, PREFIX, SimulatedProvider
from rotator.testing.simulator.schedule import START, Actor, Schedule
from rotator.testing.simulator.store import HANDS_OVER, SimulatedStore
from rotator.testing.simulator.together import SimulatedTogether

CREDENTIAL = "app"
RECONCILED_EVERY = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a world is made of; whatever is None is drawn from the seed. Rates are shares of effects or pauses.

    `strategy`: one of `KINDS`. `focus`: the phase at which faults and events are aimed. `unread`: a store that cannot
    be read joins the others.
    """

    strategy: str
    seed: int
    fault_rate: float | None = None
    stall_rate: float | None = None
    emergencies: bool = True
    operators: bool = True
    outages: bool = True
    foreign: bool = True
    renamer: bool = False
    restore: bool = False
    second: bool = False
    detected: bool | None = None
    unread: bool | None = None
    focus: str | None = None


class CachingFingerprinter(Fingerprinter):
    """The same fingerprints, each computed once."""

    __slots__ = ("_known",)

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        object.__setattr__(self, "_known", {})

    def of(self, value: Secret, part: str) -> str:
        text = value.reveal(part)
        known: dict[str, str] = self._known  # type: ignore[attr-defined]
        if text not in known:
            known[text] = super().of(value, part)
        return known[text]


class CachingMarker(Marker):
    """The same marks, each read once."""

    __slots__ = ("_known",)

    def __init__(self, installation: str, key: bytes) -> None:
        super().__init__(installation, key)
        object.__setattr__(self, "_known", {})

    def read(self, credential: str, text: str | None) -> Mark | None:
        known: dict[tuple[str, str | None], Mark | None] = self._known  # type: ignore[attr-defined]
        if (credential, text) not in known:
            known[(credential, text)] = super().read(credential, text)
        return known[(credential, text)]


class VirtualTime:
    """Implements `rotator.ports.Clock`, `Ids` and `Calendar` for one installation."""

    def __init__(self, schedule: Schedule, installation: str) -> None:
        self._schedule = schedule
        self._installation = installation
        self._made = 0

    def now(self) -> datetime:
        return self._schedule.instant()

    def boottime(self) -> float:
        return self._schedule.now

    def rotation(self, now: datetime) -> str:
        self._made += 1
        return f"{self._installation}{self._made:03}"

    def value(self, length: int = 40) -> str:
        self._made += 1
        return f"{PREFIX}{self._installation}{self._made:04}"

    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        raise AssertionError("no policy here has a cron line")


class Surroundings:
    """Implements `rotator.ports.Observer`; remembers the alerts."""

    def __init__(self, consumers: SimulatedConsumers) -> None:
        self.alerts: Counter[str] = Counter()
        self._consumers = consumers

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """The journal watches already; only consumers see what is published."""
        self._consumers.published(row)

    def alert(self, action: str, subject: str, message: str) -> None:
        self.alerts[action] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One deployment of the rotator over the fakes."""

    name: str
    spec: Credential
    world: World
    journal: SimulatedJournal
    stores: dict[str, SimulatedStore]
    time: VirtualTime
    surroundings: Surroundings
    consumers: SimulatedConsumers
    worker: worker.Worker

    def live(self) -> str | None:
        """The credential's current key as the journal says."""
        return self.journal.inner.credential(CREDENTIAL).current


class Simulated:
    """Everything of one world, before anything happens in it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = random = Random(f"{scenario.strategy}:{scenario.seed}")
        heat = random.choice((0.5, 1.0, 1.0, 2.0))
        stalls = 0.004 * random.choice((0.0, 0.5, 1.0, 2.0))
        self.schedule = Schedule(random, stall_rate=stalls if scenario.stall_rate is None else scenario.stall_rate)
        rate = 0.03 * heat if scenario.fault_rate is None else scenario.fault_rate
        self.faults = Faults(self.schedule, scenario.strategy, rate=rate, focus=scenario.focus)
        self.strategy = KINDS[scenario.strategy]
        fingerprinter = CachingFingerprinter(b"fingerprints")
        self.provider = SimulatedProvider(
            self.schedule, self.faults, scenario.strategy, fingerprint=lambda value: fingerprinter.of(value, "secret")
        )
        names = ("a", "b") if scenario.second else ("a",)
        self.installations = {name: self._install(name, fingerprinter) for name in names}
        self.estates = {
            each.name: Estate(
                each.name,
                each.journal,
                each.stores,
                {CREDENTIAL: each.spec.principal.name},
                {CREDENTIAL: each.spec},
                each.consumers.proved,
            )
            for each in self.installations.values()
        }
        self.invariants = Invariants(self.schedule, self.provider, self.estates)
        for each in self.installations.values():
            self._adopt(each)
            self.staff(each)

    def _install(self, name: str, fingerprinter: Fingerprinter) -> Installation:
        chance = Random(f"{self.scenario.strategy}:{self.scenario.seed}:{name}:consumers")
        consumers = SimulatedConsumers(CREDENTIAL, self.schedule, self.faults, self.provider, chance)
        time, surroundings = VirtualTime(self.schedule, name), Surroundings(consumers)
        journal = SimulatedJournal(MemoryJournal(), self.schedule, self.faults)
        stores = {store.name: store for store in self._stores(name)}
        world = World(
            provider=self.provider,
            stores=stores,
            journal=journal,
            clock=time,
            ids=time,
            calendar=time,
            prober=self.provider,
            consumers=consumers,
            observer=surroundings,
            together=SimulatedTogether(self.schedule),
            marker=CachingMarker(name, hmac.digest(b"installation", name.encode(), "sha256")),
            fingerprinter=fingerprinter,
            timing=Timing(),
        )
        spec = self._spec(name, tuple(stores), consumers)
        crew = worker.Worker(f"worker-{name}", journal, {CREDENTIAL: spec}, lambda _: world)
        installation = Installation(
            name=name,
            spec=spec,
            world=world,
            journal=journal,
            stores=stores,
            time=time,
            surroundings=surroundings,
            consumers=consumers,
            worker=crew,
        )
        consumers.stores = list(stores.values())
        consumers.hire = partial(self._hire_consumer, installation)
        return installation

    def _hire_consumer(self, installation: Installation, name: str, body: Callable[[Credential, World], None]) -> None:
        self.hire(installation, f"{installation.name}-{name}", lambda where: body(where.spec, where.world))

    def _stores(self, installation: str) -> list[SimulatedStore]:
        detected = self.random.random() < 0.15 if self.scenario.detected is None else self.scenario.detected
        kinds = [(True, True), (True, False), (not detected, False)]
        self.random.shuffle(kinds)
        count = self.random.choice((1, 2, 2, 3))
        stores = [
            SimulatedStore(f"{installation}-store{n}", self.schedule, self.faults, exact=exact, history=history)
            for n, (exact, history) in enumerate(kinds[:count])
        ]
        # A chance of its own, so that every other world of a seed is as it was.
        random = Random(f"{self.scenario.strategy}:{self.scenario.seed}:{installation}")
        # A restored journal that has no marks to tell its age by takes its own later writes there for a stranger's.
        drawn = random.random() < 0.2 and (self.strategy.marked or not self.scenario.restore)
        if drawn if self.scenario.unread is None else self.scenario.unread:
            ci = SimulatedStore(f"{installation}-ci", self.schedule, self.faults, exact=False, readable=False)
            stores.insert(random.randrange(len(stores) + 1), ci)
        return stores

    def _spec(self, installation: str, stores: tuple[str, ...], consumers: SimulatedConsumers) -> Credential:
        exclusive = self.strategy.slots or not self.strategy.marked
        principal = Principal(name=f"account-{installation}" if exclusive else "account", exclusive=exclusive)
        overlap = self.random.choice((timedelta(hours=1), timedelta(hours=24)))
        policy = Policy(every=timedelta(days=30), overlap=overlap, min_overlap=consumers.min_overlap)
        publish = tuple(Publication(store=each, ref=CREDENTIAL, fields={"API_KEY": "{secret}"}) for each in stores)
        return Credential(
            name=CREDENTIAL,
            provider="simulated",
            principal=principal,
            publish=publish,
            policy=policy,
            consumers=consumers.names,
        )

    def _adopt(self, installation: Installation) -> None:
        """The credential as `adopt` leaves it: one key, in every store."""
        principal, slots = installation.spec.principal.name, self.provider.offers.slots
        for slot in slots[1:]:
            self.provider.empty(principal, slot)
        key = self.provider.make(principal, installation.name, slot=slots[0] if slots else None)
        now = self.schedule.instant()
        known = KnownKey(
            key_id=key.id,
            credential=CREDENTIAL,
            origin=Origin.ADOPTED,
            since=now,
            fingerprint=installation.world.fingerprinter.of(key.secret, "secret"),
        )
        keys = [known]
        if self.strategy.name == "overlap" and self.random.random() < 0.3:
            another = self.provider.make(principal, installation.name)
            another.adopted = True
            keys.append(replace(known, key_id=another.id, fingerprint=None))
        row = CredentialRow(name=CREDENTIAL, current=key.id, current_since=now, next_due=now)
        for store in installation.stores.values():
            if not store.readable:
                row = row.having_written(LastWrite(store=store.name, ref=CREDENTIAL, key_id=key.id))
        installation.journal.inner.save(row, now, Change(keys=tuple(keys)))
        for store in installation.stores.values():
            store.install(CREDENTIAL, {"API_KEY": key.value}, installation.name)
        if not installation.spec.principal.exclusive and self.random.random() < 0.4:
            self.provider.make(principal, "person")

    # -- who works here ----------------------------------------------------------------------------------------------

    def staff(self, installation: Installation) -> None:
        """The processes of an installation."""
        for number in range(self.random.choice((2, 2, 3))):
            self.hire(installation, f"{installation.name}-worker{number}", self._works)
        if self.strategy.minter is Minter.PERSON:
            person = Person(self.schedule, self.provider, self.random)
            works = partial(_hands_over, person)
            self.hire(installation, installation.name + HANDS_OVER, works, after=60.0).background = True
        after = self.random.random() * RECONCILED_EVERY
        self.hire(installation, f"{installation.name}-reconciler", self._reconciles, after=after).background = True

    def hire(
        self, installation: Installation, name: str, body: Callable[[Installation], None], *, after: float = 0.0
    ) -> Actor:
        """An actor of this installation that begins after so many seconds."""
        actor = Actor(name, installation.name, lambda: body(installation))
        return self.schedule.add(actor, after)

    def _works(self, installation: Installation) -> None:
        owner = self.schedule.current.name
        crew = replace_owner(installation.worker, owner)
        while True:
            try:
                claimed = crew.claim(installation.world, 1)
                for row, claimed_at in claimed:
                    crew.run(row, claimed_at)
            except Failure as failure:
                self.schedule.tell("gives up", failure.message)
                self.schedule.sleep(5.0)
                continue
            if not claimed:
                self.schedule.rest()

    def _reconciles(self, installation: Installation) -> None:
        while True:
            self.reconcile(installation)
            self.schedule.sleep(RECONCILED_EVERY)

    def reconcile(self, installation: Installation) -> None:
        """One pass, as the daemon does it."""
        actor = self.schedule.current
        actor.mode = actor.phase = "-"
        actor.rotation = ""
        try:
            result = reconciling.reconcile(installation.spec, installation.world)
        except JournalOlder as older:
            self.schedule.tell("journal older", older.message)
            installation.journal.set_older_than_world(older.message)
        except Failure as failure:
            self.schedule.tell("cannot reconcile", failure.message)
        else:
            seen = replace(result, foreign_keys=())
            self.schedule.tell("reconciled", seen.orphans, seen.revoked, seen.places, seen.problems)


def _hands_over(person: Person, installation: Installation) -> None:
    person.works(installation.spec, installation.world, installation.journal.inner.open_rotation)


def replace_owner(crew: worker.Worker, owner: str) -> worker.Worker:
    """The same worker under another name."""
    return worker.Worker(owner, crew.journal, crew.specs, crew.world_of)


__all__ = ["CREDENTIAL", "START", "Installation", "Scenario", "Simulated"]
