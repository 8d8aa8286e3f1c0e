"""From a config to the ports of each credential. Drivers and the journal are made when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from rotator.adapters.attributed import attributed
from rotator.adapters.calendar import CronCalendar
from rotator.adapters.consumers.kinds import Teller, Tools
from rotator.adapters.journal.location import for_replicas
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.limits import Bucket, LimitedProvider, SharedBucket
from rotator.adapters.logged import logged
from rotator.adapters.machine import MachineClock, RandomIds
from rotator.adapters.metrics.counting import PROCESS, Counts
from rotator.adapters.metrics.hearing import Counting, OfDrivers, OfProvider, OfStore
from rotator.adapters.named import Named
from rotator.adapters.observe import Log, Quiet, Several
from rotator.adapters.probe import HttpProber
from rotator.adapters.together import Threads
from rotator.app.admins import Admins, Readmitted, is_published_by
from rotator.app.consumers import make_consumers, make_teller, tools_of
from rotator.app.describing import described
from rotator.app.drivers import make_provider, make_store
from rotator.app.hardening import forbid_core_files, quiet_wires
from rotator.app.isolating import Isolation
from rotator.app.missing import MissingStore
from rotator.app.net import net
from rotator.config.errors import ConfigError
from rotator.config.installation import Installation, read_installation
from rotator.config.reading import Config, DriverConfig
from rotator.config.references import Resolver, from_prompt, read_reference
from rotator.config.values import ConsumerConfig
from rotator.domain.credential import Credential, Place, PlaceKind
from rotator.domain.defects import where
from rotator.domain.failures import Failure
from rotator.domain.held import HELD
from rotator.engine.world import Timing, World
from rotator.ports import Clock, Consumers, Ids, Journal, Observer, Provider, Store

BESIDE, LEAST_BESIDE = 2, 16
"""Threads that ask several stores at the same time: so many for each rotation in flight, and at least."""


@dataclass(kw_only=True)
class Assembly:
    """One config, put together. Safe for many threads.

    `admin`: for this run, the admin credential of a provider from another reference, `-` for standard input.
    `observer`: who else hears of what is committed, beside the log. `counts`: where what happens is counted. `by`: for
    whom this process works, as the trail calls him; empty: for whoever is on this machine.
    """

    config: Config
    observer: Observer = field(default_factory=Quiet)
    admin: Mapping[str, str] = field(default_factory=dict)
    store_wait: timedelta | None = None
    grace: timedelta | None = None
    emergency: bool = False  # a store whose driver cannot be made does not stop a credential that has another one
    clock: Clock = field(default_factory=MachineClock)
    ids: Ids = field(default_factory=RandomIds)
    counts: Counts = PROCESS
    by: str = ""
    alone: bool = False  # within `rotator.app.journals.alone`: a daemon migrates its own journal

    def __post_init__(self) -> None:
        forbid_core_files()  # before the first secret is read
        quiet_wires()
        self.log = self._make_log()
        self._lock = threading.RLock()
        self._reading_installation: int | None = None  # the thread that does
        self._providers: dict[str, LimitedProvider] = {}
        self._readmitted: dict[str, Readmitted] = {}
        self._prompted: dict[str, str] = {}
        self._stores: dict[str, Store] = {}
        self._worlds: dict[str, World] = {}
        self._prober = HttpProber(self.timing.request)
        self._together = Threads(max(LEAST_BESIDE, BESIDE * self.config.parallel))
        if for_replicas(self.config.state):
            self.clock = DatabaseClock(self.clock)

    def _make_log(self) -> Log | None:
        if self.config.log is None:
            return None
        HELD.begin()
        return Log(self.config.log, net=net, caught=self._caught)

    def _caught(self, action: str, subject: str, message: str) -> None:
        """Others hear of it, too: whoever they are by now."""
        self.observer.alert(action, subject, message)

    def defect(self, subject: str, error: BaseException) -> None:
        """Tell of an error of ours or of a driver that ended a piece of work. Never raises."""
        if self.log is not None:
            self.log.defect(subject, error)
        self.observer.alert("defect", subject, where(error))

    @cached_property
    def timing(self) -> Timing:
        """How long the engine waits for whom."""
        standard = Timing(lease=self.config.lease)
        wait = self.store_wait if self.store_wait is not None else standard.store_wait
        return Timing(lease=self.config.lease, store_wait=wait)

    @cached_property
    def installation(self) -> Installation:
        """The installation's key. Raises `ConfigError`."""
        self._reading_installation = threading.get_ident()
        try:
            return read_installation(self.resolver(self.config.installation))
        finally:
            self._reading_installation = None

    @cached_property
    def isolation(self) -> Isolation:
        """How drivers are kept apart."""
        try:
            return self._isolated(self.installation.copies_key())
        except ConfigError:
            return self._isolated(None)  # said where the installation is needed

    @cached_property
    def _isolation_before(self) -> Isolation:
        """The same for a store that holds the installation's key."""
        return self._isolated(None)

    def _isolated(self, key: bytes | None) -> Isolation:
        told = OfDrivers(self.counts)
        return Isolation(default=self.config.isolation, base=self.config.base, key=key, told=told)

    def close(self) -> None:
        """End the drivers' processes and close the journal, so that one file is left and not three. Twice: no more."""
        from rotator.app.journals import close_journal

        for name in ("isolation", "_isolation_before"):
            if name in vars(self):
                vars(self)[name].stop()
        close_journal(self)

    @cached_property
    def resolver(self) -> Resolver:
        """Turns references into text."""
        return Resolver(self.config.base, self._from_store)

    @cached_property
    def journal(self) -> Journal:
        """The journal, opened and migrated. Raises `ConfigError`."""
        journal = logged(self.opened, self.log) if self.log else self.opened
        return attributed(journal, self.by) if self.by else journal

    @cached_property
    def opened(self) -> Journal:
        """The journal without a log beside it, for who closes it. Raises `ConfigError`."""
        from rotator.app.journals import open_journal

        with self._lock:
            return open_journal(self.config, self.installation, self.resolver, self.clock, daemon=self.alone)

    @property
    def told(self) -> Observer:
        """Whoever hears of what is committed."""
        counting = Counting(self.counts, self._provider_of)
        return Several(self.observer, counting, *((self.log,) if self.log else ()))

    def _provider_of(self, credential: str) -> str:
        spec = self.config.credentials.get(credential)
        return spec.provider if spec is not None else ""

    def provider(self, name: str) -> Provider:
        """A provider's driver, limited to its rate. Raises `ConfigError`."""
        with self._lock:
            if name not in self._providers:
                config = self.provider_config(name)
                # Waiting for one's turn and the request itself share the time that the lease leaves for both.
                patience = self.timing.request / 4
                most = self.timing.request - patience
                driver = Readmitted(
                    lambda: self._admin(config), lambda admin: make_provider(config, admin, most, self.isolation)
                )
                self._readmitted[name] = driver
                bucket = self._bucket(config)
                limited = LimitedProvider(
                    driver,
                    parallel=self.config.parallel,
                    bucket=bucket,
                    patience=patience,
                    hears=OfProvider(self.counts, name),
                )
                self._providers[name] = limited
            return self._providers[name]

    def line(self, name: str) -> Bucket:
        """Where calls of a provider wait for their turn; of one that nobody has needed yet, nobody."""
        limited = self._providers.get(name)
        return limited.bucket if limited is not None else Bucket(None)

    @property
    def lines(self) -> Mapping[str, Bucket]:
        """The same of every provider that somebody has needed, by name."""
        return {name: limited.bucket for name, limited in list(self._providers.items())}

    def _bucket(self, config: DriverConfig) -> Bucket:
        """The turns of a provider's account: this process's own, or on PostgreSQL those of all replicas."""
        if config.rate is None or not for_replicas(self.config.state):
            return Bucket(config.rate)
        from rotator.app.journals import shared

        turns = shared(self.opened)
        assert turns is not None
        return SharedBucket(config.name, config.rate, turns)

    def store(self, name: str) -> Store:
        """A store's driver. Raises `ConfigError`."""
        with self._lock:
            if name not in self._stores:
                config = self.store_config(name)
                before = self._reading_installation == threading.get_ident()
                isolation = self._isolation_before if before else self.isolation
                self._stores[name] = make_store(config, self._resolve_text, self.timing.request, isolation)
            return self._stores[name]

    def provider_config(self, name: str) -> DriverConfig:
        """What a provider's driver is made with."""
        return described(self._absolute(self.config.providers[name]))

    def store_config(self, name: str) -> DriverConfig:
        """What a store's driver is made with."""
        return self._absolute(self.config.stores[name])

    def _absolute(self, config: DriverConfig) -> DriverConfig:
        """Relative paths in settings are relative to the config file."""
        settings = dict(config.settings)
        for name in ("root", "ca"):
            if isinstance(settings.get(name), str):
                settings[name] = str(self.config.base / Path(settings[name]))
        return replace(config, settings=settings)

    def _admin(self, config: DriverConfig) -> str:
        given = self.admin.get(config.name)
        if given == "-":
            if config.name not in self._prompted:
                self._prompted[config.name] = from_prompt(config.name)
            return self._prompted[config.name]
        reference = config.admin
        if given is not None:
            reference = read_reference(given, self.config.stores, f"--admin {config.name}")
        if reference is None:
            return ""  # the driver says whether it can do without
        try:
            return self.resolver(reference)
        except ConfigError as error:
            raise ConfigError(f"the admin credential of {config.name}: {error.message}", error.hint) from None

    def admin_at_reference(self, name: str) -> str:
        """The admin credential that the config's own reference has now; empty where there is none, or no reading it."""
        reference = self.config.providers[name].admin
        try:
            return self.resolver(reference) if reference is not None else ""
        except ConfigError:
            return ""

    def _resolve_text(self, text: str) -> str:
        return self.resolver(read_reference(text, self.config.stores, "the setting"))

    def _from_store(self, store: str, target: str) -> str:
        ref, _, name = target.partition("#")
        if not name:
            raise ConfigError(f"{store}:{target} names no field", f"write {store}:{target}#FIELD")
        try:
            stored = self.store(store).read(Place(ref=ref, kind=PlaceKind.CURRENT, fields=(name,)))
        except Failure as failure:
            raise ConfigError(f"{store}:{target} cannot be read: {failure.message}", failure.hint) from None
        text = (stored.fields or {}).get(name, "")
        if not text:
            raise ConfigError(f"{store}:{target} does not exist", "check the reference and the field's name")
        return text

    def world_of(self, spec: Credential) -> World:
        """The ports of one credential. Raises `ConfigError`, and `Failure` where a driver cannot say what it can do."""
        with self._lock:
            if spec.name not in self._worlds:
                self._worlds[spec.name] = self._make_world(spec)
            return self._worlds[spec.name]

    def _make_world(self, spec: Credential) -> World:
        provider = self.provider(spec.provider)
        capabilities = provider.capabilities(spec.principal)
        for publication in spec.publish:
            unknown = publication.parts() ^ set(capabilities.parts)
            if unknown:
                parts = ", ".join(f"{{{part}}}" for part in capabilities.parts)
                where = f"{spec.name}: the fields of {publication.store}:{publication.ref}"
                raise ConfigError(
                    f"{where} must mention {parts}", "a consumer needs every part of the key, and no other"
                )
        return World(
            provider=provider,
            stores=self._readable_among(spec, self._stores_of(spec)),
            journal=self.journal,
            clock=self.clock,
            ids=self.ids,
            calendar=CronCalendar(),
            prober=self._prober,
            observer=self.told,
            together=self._together,
            consumers=self._consumers_of(spec),
            marker=self.installation.marker(),
            fingerprinter=self.installation.fingerprinter(),
            admins=self._admins_of(spec),
            timing=self.timing,
        )

    def _admins_of(self, spec: Credential) -> Admins | None:
        """The providers whose admin credential this credential is. Raises `ConfigError`."""
        found = []
        for name, config in self.config.providers.items():
            principal = next(
                (each.principal for each in self.config.credentials.values() if each.provider == name), None
            )
            if principal is not None and is_published_by(config.admin, spec):
                self.provider(name)
                found.append((self._readmitted[name], principal))
        return Admins(found) if found else None

    def _consumers_of(self, spec: Credential) -> Consumers:
        """Raises `ConfigError` where one cannot be told as the config says; that keeps no stolen key alive."""
        named = [self.config.consumers[name] for name in spec.consumers if name in self.config.consumers]
        return make_consumers(named, self._telling, lenient=self.emergency)

    def teller(self, config: ConsumerConfig) -> Teller | None:
        """How a consumer is told; None for one that reads by itself. Raises `ConfigError`."""
        return make_teller(config, self._telling)

    @cached_property
    def _telling(self) -> Tools:
        """What every way of telling is made with."""
        return tools_of(self._resolve_text, self.timing.request)

    def _stores_of(self, spec: Credential) -> dict[str, Store]:
        made: dict[str, Store] = {}
        missing: dict[str, ConfigError] = {}
        for name in dict.fromkeys(each.store for each in spec.publish):
            try:
                made[name] = Named(name, self.store(name), OfStore(self.counts, name))
            except ConfigError as error:
                missing[name] = error
        if missing and not (self.emergency and made):
            raise next(iter(missing.values()))
        return made | {name: MissingStore(why) for name, why in missing.items()}

    @staticmethod
    def _readable_among(spec: Credential, stores: dict[str, Store]) -> dict[str, Store]:
        """A fresh key is saved where consumers cannot read before it is published: one store at least must keep it."""
        if not any(store.capabilities().readable for store in stores.values()):
            names = " and ".join(stores)
            raise ConfigError(
                f"{spec.name}: {names} cannot be read, so a new key could get lost before it is published",
                "publish it to a readable store, too, such as a file store",
            )
        return stores

    def specs(self) -> dict[str, Credential]:
        """The credentials as this run sees them: with `--grace`, another overlap in an emergency."""
        if self.grace is None:
            return dict(self.config.credentials)
        return {
            name: replace(spec, policy=replace(spec.policy, compromise_grace=self.grace))
            for name, spec in self.config.credentials.items()
        }
