"""The service on a virtual clock: which of its parts are its own here, and what stands for the others, and why.

Its own: `Daemon` with its generations and turns, `Clockwork` and its duties with APScheduler's own planning, `Works`,
`Run`, `Worker`, everything of `rotator.app.housekeeping`, the engine, the journal on SQLite and its migrations, the
reading of the config.

    threads             one after the other: what would run beside it runs while the daemon sleeps, so that a seed is
                        one history; who dies, dies with all rows in hand that were claimed together
    turns               those in which nothing can be due are left out: a year has 31 million
    some periods        longer, see `PERIODS`, `RECONCILE_EVERY` and `HOLD_POLL`: reconciling 1,000 credentials every
                        six hours, and asking every five minutes for what a person does in weeks, is most of an hour
    drivers             fakes that know the truth; no isolation, no rate, no probe of our own
    `ReloadingApart`    the file is read by the real reader, without a process of its own, and applied at once
    `Beside`            nothing: no metrics, no API, nobody who tells people; the assembly's observer hears
    three duties        starting drivers dry, and remembering what is installed, which are not about rotations; and
                        saying which of them do not get on
    heartbeat           not written
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, TypeVar, cast

import apscheduler.executors.base
import apscheduler.schedulers.base
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.base import BaseScheduler

from rotator.adapters.journal import opening
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.writer import Ahead, Writer, _Job
from rotator.app import housekeeping, patient, running
from rotator.app.assembly import Assembly
from rotator.app.journals import open_journal
from rotator.app.reloading import Applied, Outcome, Unchanged
from rotator.app.running import Run
from rotator.config.installation import Installation
from rotator.config.reading import Config
from rotator.daemon import duties, service, works
from rotator.daemon.duties import Clockwork, Duty
from rotator.daemon.service import Daemon
from rotator.daemon.works import Works
from rotator.domain.failures import Closed, Failure
from rotator.engine.world import Timing
from rotator.ports import Journal, Observer, Provider, Store
from tests.simulation.year.journal import Alarm, MortalJournal, Watcher
from tests.simulation.year.life import Death, Life
from tests.simulation.year.time import VirtualTime
from tests.simulation.year.truth import Broken, Truth

T = TypeVar("T")
PERIODS = {"enroll": timedelta(hours=2), "reconcile": timedelta(hours=4), "ages": timedelta(hours=2)}
RECONCILE_EVERY = timedelta(hours=24)
HOLD_POLL = timedelta(minutes=30)
IDLE = 1800.0
"""The longest sleep: a turn notices a clock that was set within it."""


class CountedIds:
    """Implements `rotator.ports.Ids`: as many as there are, so that a seed is one history."""

    def __init__(self) -> None:
        self._made = 0

    def rotation(self, now: datetime) -> str:
        self._made += 1
        return f"r{self._made:015}"

    def value(self, length: int = 40) -> str:
        self._made += 1
        return f"v{self._made:0{length - 1}}"


@dataclass(kw_only=True, eq=False)
class Site:
    """What outlives a process: the world around it. `config`: what the file says; `alarm`: made anew with a process."""

    time: VirtualTime
    truth: Truth
    life: Life
    observer: Observer
    watcher: Watcher
    providers: dict[str, Provider]
    stores: dict[str, Store]
    installation: Installation
    config: Config
    script: Callable[[VirtualDaemon], None]
    next_event: Callable[[], float]
    alarm: Alarm = field(default_factory=Alarm)
    daemon: VirtualDaemon | None = None
    ids: CountedIds = field(default_factory=CountedIds)
    changed: bool = False
    owners: int = 0


@dataclass(kw_only=True)
class VirtualAssembly(Assembly):
    """An assembly whose drivers are fakes."""

    site: Site

    def __post_init__(self) -> None:
        super().__post_init__()
        self._together = cast("Any", OneByOne())

    @cached_property
    def timing(self) -> Timing:
        return replace(super().timing, hold_poll=HOLD_POLL)

    @cached_property
    def installation(self) -> Installation:
        return self.site.installation

    @cached_property
    def opened(self) -> Journal:
        site = self.site
        inner = open_journal(self.config, self.installation, self.resolver, self.clock, daemon=self.alone)
        for row in inner.credentials():
            site.alarm.at(row.next_due)
            opened = inner.open_rotation(row.name)
            site.alarm.at(opened.next_at if opened is not None else None)
        return cast("Journal", MortalJournal(inner, site.life, site.alarm, site.watcher))

    def close(self) -> None:
        if "opened" in vars(self):
            cast("MortalJournal", self.opened).inner.close()

    def provider(self, name: str) -> Provider:
        return self.site.providers[name]

    def store(self, name: str) -> Store:
        return self.site.stores[name]


class OneByOne:
    """Implements `rotator.ports.Together`: one call after the other."""

    def run(self, calls: Sequence[Callable[[], T]]) -> tuple[T | Failure, ...]:
        answers: list[T | Failure] = []
        for call in calls:
            try:
                answers.append(call())
            except Failure as failure:
                answers.append(failure)
        return tuple(answers)


class InlinePool:
    """Stands for `ThreadPoolExecutor`: what is submitted is done at once."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, act: Callable[..., Any], *args: Any) -> Future[Any]:
        act(*args)
        return Future()


class InlineWriter(Writer):
    """Does each piece of work at once, on the caller's thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._closed = False

    def run(self, work: Callable[[Session], T], *, ahead: Ahead | None = None) -> T:
        if self._closed:
            raise Closed("the journal is closed", "a daemon opens it again with its next config")
        job = _Job(work, ahead)
        self._commit([job])
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._session.close()


class SettledRun(Run):
    """A run that ends when nothing can be claimed, instead of waiting for more."""

    def until(self, settled: Callable[[], bool]) -> None:
        super().until(lambda: True)


class Once:
    """Stands for the event that ends `Works`: it is set after one round."""

    def __init__(self) -> None:
        self._rounds = 0

    def is_set(self) -> bool:
        self._rounds += 1
        return self._rounds > 1

    def wait(self, seconds: float) -> bool:
        return True

    def set(self) -> None: ...


class VirtualWorks(Works):
    """No thread: `work` is called while the daemon sleeps."""

    def __init__(self, assembly: Assembly, owner: str) -> None:
        super().__init__(assembly, owner)
        self._run = SettledRun(assembly=assembly, owner=owner, parallel=assembly.config.parallel)

    def start(self) -> None: ...

    def stop(self) -> None:
        self._run.stop()

    def wait(self, seconds: float) -> bool:
        return True

    def work(self) -> None:
        """Claim and advance what can move."""
        self._ended = cast("Any", Once())
        self._work()


class VirtualScheduler(BaseScheduler):  # type: ignore[misc]
    """APScheduler without its thread: `process` does what is due. `wait`: seconds until something is, then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "executors": {"default": DebugExecutor()}})
        self.wait = 0.0

    def wakeup(self) -> None:
        self.wait = 0.0

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def process(self) -> None:
        """Run the jobs that are due by the wall clock."""
        if self.running:
            wait = self._process_jobs()
            self.wait = IDLE if wait is None else wait


class Nobody:
    """Stands for `Beside`."""

    def __init__(self, observer: Observer) -> None:
        self.early = observer

    def follow(self) -> None: ...

    def close(self) -> None: ...


class Reloaded:
    """Stands for `ReloadingApart`: what the file says is in force as soon as somebody looks."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def begin(self, told: Observer) -> Config:
        self._site.changed = False
        return self._site.config

    def look(self, assembly: Assembly) -> Outcome:
        if not self._site.changed:
            return Unchanged()
        self._site.changed = False
        return Applied(self._site.config)


class LookingAtOnce:
    """Stands for `Looking`, whose thread would look while the virtual time stands still."""

    def __init__(self, reloading: Reloaded) -> None:
        self._reloading = reloading
        self._outcome: Outcome | None = None

    def first(self, told: Observer, given_up: Callable[[], bool]) -> Config:
        return self._reloading.begin(told)

    @property
    def going(self) -> bool:
        return self._outcome is not None

    def begin(self, assembly: Assembly) -> None:
        self._outcome = self._reloading.look(assembly)

    def outcome(self) -> Outcome | None:
        outcome, self._outcome = self._outcome, None
        return outcome

    def give_up(self) -> None:
        self._outcome = None

    def close(self) -> None: ...


class VirtualDaemon(Daemon):
    """One process of the service, from its start to its end or its death."""

    def __init__(self, site: Site) -> None:
        site.owners += 1
        site.life.begin()
        site.alarm = Alarm()
        reloaded = Reloaded(site)
        super().__init__(cast("Any", reloaded), owner=f"year-{site.owners}", adjusted=lambda config: config)
        self._looking = cast("Any", LookingAtOnce(reloaded))
        self._beside = cast("Any", Nobody(site.observer))
        self.site = site
        site.daemon = self
        self.works: VirtualWorks
        self.clockwork: Clockwork

    def run(self) -> bool:
        """Serve until stopped: True; or until it died: False."""
        try:
            self.serve(self.site.config)
        except Death:
            return False
        finally:
            os.close(self._woken)
            os.close(self._waker)
        return True

    def _sleep(self, seconds: float) -> None:
        """What other threads do meanwhile, and then the time until somebody has something to do."""
        site, scheduler = self.site, cast("VirtualScheduler", self.clockwork._scheduler)
        before = site.life.acts
        self.works.work()
        scheduler.process()
        now, due = site.time.now(), site.alarm.after(site.time.now())
        wait = min(IDLE, scheduler.wait, site.next_event() - site.time.seconds)
        if due is not None:
            wait = min(wait, (due - now).total_seconds())
        site.time.seconds += seconds if site.life.acts != before else max(seconds, wait)
        site.life.spare(1)
        site.script(self)
        site.life.spare(-1)
        if site.truth.broken is not None:
            raise Broken(site.truth.broken)


@contextmanager
def virtual(site: Site) -> Iterator[None]:
    """The service's modules on this site's clock, for as long as it lasts."""
    time, wall = site.time, datetime_of(site.time)

    def assembled(*, config: Config, alone: bool = False, **_: object) -> Assembly:
        return VirtualAssembly(config=config, observer=site.observer, clock=time, ids=site.ids, site=site, alone=alone)

    def working(assembly: Assembly, owner: str) -> Works:
        current().works = VirtualWorks(assembly, owner)
        return current().works

    def clockwork(assembly: Assembly, reminders: Any) -> Clockwork:
        current().clockwork = Clockwork(assembly, reminders, tuple(watched(site)))
        return current().clockwork

    def current() -> VirtualDaemon:
        assert site.daemon is not None
        return site.daemon

    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # it tells of every death
    with _patched(
        (service, "Assembly", assembled),
        (service, "Works", working),
        (service, "Clockwork", clockwork),
        (service, "time", time),
        (service, "write_heartbeat", lambda folder: None),
        (works, "time", time),
        (running, "ThreadPoolExecutor", InlinePool),
        (opening, "Writer", InlineWriter),
        (housekeeping, "RECONCILE_EVERY", RECONCILE_EVERY),
        (patient.PatientProvider.__init__, "__defaults__", (time.sleep,)),
        (duties, "time", time),
        (duties, "datetime", wall),
        (duties, "BackgroundScheduler", VirtualScheduler),
        (apscheduler.schedulers.base, "datetime", wall),
        (apscheduler.executors.base, "datetime", wall),
    ):
        yield


def datetime_of(time: VirtualTime) -> type[datetime]:
    """`datetime`, as this clock tells it."""

    class Virtual(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Virtual:
            return cls.fromtimestamp(time.time(), tz)

    return Virtual


def watched(site: Site) -> Iterator[Duty]:
    """The duties that are about rotations, as often as a year can bear; that they were done is noted."""
    for duty in duties.DUTIES:
        if duty.name in PERIODS:
            yield replace(duty, every=PERIODS[duty.name], do=_noted(site, duty))


def _noted(site: Site, duty: Duty) -> Callable[..., None]:
    def do(assembly: Assembly, reminders: Any, stop: Callable[[], bool]) -> None:
        duty.do(assembly, reminders, stop)
        site.truth.duties[duty.name] = site.time.seconds
        site.truth.counts[f"duty: {duty.name}"] += 1

    return do


@contextmanager
def _patched(*patches: tuple[object, str, object]) -> Iterator[None]:
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
