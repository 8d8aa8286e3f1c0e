"""Runs rotations on threads until what was asked for is settled."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rotator.adapters.processors import together
from rotator.app.adopting import Read
from rotator.app.assembly import Assembly
from rotator.app.coming import Coming
from rotator.app.just_seen import just_seen
from rotator.app.rooms import Rooms
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced
from rotator.domain.rotation import Rotation
from rotator.engine.worker import Worker
from rotator.ports import Change

LOOK = timedelta(milliseconds=200)
"""The longest that the dispatcher sleeps before it looks again: another process may have moved something."""
FIRST = 1
"""So many of each provider are begun together at first."""
KEPT = 6
"""Threads for those to come, of which no more than half are."""
AT_ONCE = 16
"""So many rows are claimed together; only then is it seen how many of them one provider has in hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A rotation that was begun just now, and what was read for it a moment ago, if anything was."""

    row: Rotation
    read: Read | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """It could not be begun now, and is to be tried again after so long."""

    after: timedelta


@dataclass(kw_only=True)
class Run:
    """One process's work.

    `coming`: what is begun by it besides, in this order, each by `begin` on the thread that then goes on with it; None
    where there is nothing to go on with. Rotations whose keys cannot be used any more wait for those of their provider.
    """

    assembly: Assembly
    owner: str
    parallel: int
    only: Collection[str] | None = None
    coming: Sequence[Credential] = ()
    begin: Callable[[Credential], Started | Later | None] = lambda spec: None
    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._specs = self.assembly.specs()
        self._worker = Worker(self.owner, self.assembly.journal, self._specs, self.assembly.world_of)
        self._claims = self.only
        self._strangers = False  # whether a rotation of a credential was claimed that this config does not have
        self._rooms = Rooms(self.assembly.line)
        self._coming = Coming(self.coming)
        self._urgent: dict[str, bool] = {}  # of rotations that were in hand: whether an old key may still be used
        self._window: defaultdict[str, int] = defaultdict(lambda: FIRST)
        self._beginning: Counter[str] = Counter()
        self._busy = 0
        self._freed = threading.Condition()
        self._stopping = False
        self.turns = 0
        """How often the dispatcher has looked for work: what grows is alive."""
        self.ended = 0
        """How often something in hand was let go of: what has no room and does not grow hangs."""

    def stop(self) -> None:
        """Finish the effects in hand, claim nothing more.

        Takes no lock, so that a signal's handler may call it wherever the main thread is: an Event's lock may be the
        very one that it holds. The dispatcher sees it within `LOOK`.
        """
        self._stopping = True

    @property
    def room(self) -> int:
        """How many more could be in hand now."""
        return max(0, self.parallel - self._busy)

    def leave(self, credential: str) -> None:
        """Claim it no more; what is in hand of it is finished. Where all may be claimed it stays among them."""
        if self._claims is not None:
            self._claims = frozenset(self._claims) - {credential}

    def until(self, settled: Callable[[], bool]) -> None:
        """Claim and advance until `settled`, which is asked whenever nothing is in hand that could change it."""
        with together(), ThreadPoolExecutor(self.parallel, thread_name_prefix="rotation") as pool:
            while not self._stopping:
                busy, ready = self._busy, self._coming.ready()
                among = self._among(ready)
                kept = max(1, min(KEPT, self.parallel // 2)) if ready else 0
                taken, wake = 0, self._wake(among) if busy < self.parallel else None
                if wake is not None and wake <= self.assembly.clock.now():
                    for row, at in self._claim(min(self.parallel - busy - kept, AT_ONCE), among):
                        self._enter(row.credential)
                        pool.submit(self._advance, row, at)
                        taken += 1
                taken += self._start(pool, self.parallel - busy - taken)
                if not taken and not busy and not self._coming and settled():
                    return
                self.turns += 1
                if not taken:
                    self._sleep(busy, wake)

    def _start(self, pool: ThreadPoolExecutor, limit: int) -> int:
        """Begin as many of those to come as there is room for; how many that were.

        One of each provider at first and twice as many each time: who comes first is exposed worst, and shares the
        machine and the provider's turns with few.
        """
        started = 0
        while started < limit:
            spec = self._coming.next(self._may_begin)
            if spec is None:
                break
            self._enter(spec.name)
            with self._freed:
                self._beginning[spec.provider] += 1
            pool.submit(self._begin, spec)
            started += 1
        return started

    def _may_begin(self, provider: str) -> bool:
        return self._beginning[provider] < self._window[provider] and self._rooms.free(provider)

    def _among(self, ready: Collection[str]) -> Collection[str] | None:
        """Of which credentials rotations are claimed: not of providers where more would only stand in line.

        Nor, where others are `ready` to be begun, those whose keys cannot be used any more.
        """
        shut = {name for name in self.assembly.config.providers if not self._rooms.free(name)}
        if not shut and not ready and not self._strangers:
            return self._claims
        # All that are configured may be 100,000, and each claim that named them would take 0.2 s; few are open.
        names = self.assembly.journal.rotating() if self._claims is None else self._claims
        specs = [self._specs[name] for name in names if name in self._specs]
        return [
            spec.name
            for spec in specs
            if spec.provider not in shut and (spec.provider not in ready or self._urgent.get(spec.name, True))
        ]

    def _enter(self, name: str) -> None:
        with self._freed:
            self._busy += 1
            if name in self._specs:
                self._rooms.enter(self._specs[name].provider)

    def _leave(self, name: str) -> None:
        with self._freed:
            self._busy -= 1
            self.ended += 1
            if name in self._specs:
                self._rooms.leave(self._specs[name].provider)
            self._freed.notify()

    def _claim(self, limit: int, among: Collection[str] | None) -> list[tuple[Rotation, float]]:
        if limit <= 0:
            return []
        clock, journal = self.assembly.clock, self.assembly.journal
        at = clock.boottime()
        rows = journal.claim(
            owner=self.owner, now=clock.now(), lease=self.assembly.timing.lease, limit=limit, only=among
        )
        return [(row, at) for row in rows if row.credential in self._specs or self._give_back(row)]

    def _give_back(self, row: Rotation) -> bool:
        """False, always. A credential that this config does not have: its rotation is somebody else's from now on."""
        self._strangers = True
        now = self.assembly.clock.now()
        with suppress(Fenced, Failure):  # what was claimed beside it is waiting to be run
            self.assembly.journal.commit(replace(row, owner=None, next_at=now), now, Change())
        return False

    def _advance(self, row: Rotation, claimed_at: float) -> None:
        try:
            with self._told(row.credential):
                self._run(row, claimed_at)
        finally:
            self._leave(row.credential)

    def _begin(self, spec: Credential) -> None:
        """Begin a rotation and go on with it, if nobody else did at this very moment."""
        try:
            started = None if self._stopping else self.begin(spec)
            if isinstance(started, Later):
                self._coming.again(spec, started.after)
                return
            if started is None or not started.row.open or self._stopping:
                return
            with self._told(spec.name):
                for row, at in self._claim(1, (spec.name,)):
                    self._run(row, at, started.read if row.id == started.row.id else None)
        finally:
            with self._freed:
                self._beginning[spec.provider] -= 1
                self._window[spec.provider] += 1
            self._leave(spec.name)

    def _run(self, row: Rotation, claimed_at: float, read: Read | None = None) -> None:
        world = self.assembly.world_of(self._specs[row.credential])
        world = just_seen(world, row, read, claimed_at)
        row = self._worker.run(row, claimed_at, world=world, stop=lambda: self._stopping)
        self._urgent[row.credential] = row.usable

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What goes wrong is kept among `failures`, and forgotten when it passes."""
        try:
            yield
        except (ConfigError, Failure) as failure:
            self.failures[name] = failure
        except Exception as error:  # noqa: BLE001 - a defect must not vanish with its thread; its text may hold anything
            message = f"an error of the rotator or a driver itself ({type(error).__name__})"
            self.failures[name] = Failure(message, "report it; `rotator history` shows how far it came")
            self.assembly.defect(name, error)
        else:
            self.failures.pop(name, None)

    def _wake(self, among: Collection[str] | None) -> datetime | None:
        """When something is due. Asked before each claim: a claim writes, and costs four times as much."""
        return self.assembly.journal.next_wake(among)

    def _sleep(self, busy: int, wake: datetime | None) -> None:
        """Until a thread is free, as `busy` were, or something is due."""
        seconds = LOOK.total_seconds()
        if wake is not None:
            seconds = min(seconds, max(0.002, (wake - self.assembly.clock.now()).total_seconds()))
        with self._freed:
            self._freed.wait_for(lambda: self._busy < busy, timeout=seconds)
