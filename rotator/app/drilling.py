"""A rehearsal's stage: the real config's shape on keyservers of this machine, in a folder that goes with it.

The real drivers are asked what they offer and nothing else: no secret is opened, no request sent, no journal touched.
"""

from __future__ import annotations

import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from rotator.adapters.isolation.copies import Copies
from rotator.adapters.limits import Bucket
from rotator.app.assembly import Assembly
from rotator.app.isolating import OFF, Isolation
from rotator.app.pretending import Offers, offers_of
from rotator.app.rehearsal_shapes import Shape, shape_of
from rotator.app.rehearsal_stores import Files, Slow, private
from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation
from rotator.config.reading import Config, DriverConfig
from rotator.config.references import Reference
from rotator.domain.credential import Credential, Principal
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities
from rotator.engine.world import Timing
from rotator.ports import Store
from rotator.testing.keyserver import KeyserverProcess

SHORTEST_LEASE = timedelta(seconds=2)
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who takes part: each credential with what its real driver offers; and who cannot, with message and hint.

    `rates`: by provider, requests a second.
    """

    offers: Mapping[str, Capabilities]
    refused: Mapping[str, tuple[str, str]]
    rates: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`latency`: of every request to a provider or a store. `speed`: what every duration is divided by."""

    latency: timedelta
    speed: float = 1.0


def too_fast(config: Config, speed: float) -> float | None:
    """The highest speed at which this config's lease still is one; None: it is not exceeded."""
    most = max(1.0, float(config.lease // SHORTEST_LEASE))
    return most if speed > most else None


def cast(config: Config, specs: Sequence[Credential], folder: Path) -> Cast:
    """Ask the real drivers what they offer. `folder`: for copies of their code. Sends nothing, reads no secret."""
    real = Assembly(config=config)
    isolation = Isolation(default=config.isolation, base=config.base)
    isolation.copies = Copies(folder / "drivers", secrets.token_bytes(32))
    offers: dict[str, Capabilities] = {}
    refused: dict[str, tuple[str, str]] = {}
    rates: dict[str, float | None] = {}
    try:
        for provider in dict.fromkeys(spec.provider for spec in specs):
            theirs = [spec for spec in specs if spec.provider == provider]
            try:
                entry = real.provider_config(provider)
                found: Offers = offers_of(entry, {each.principal for each in theirs}, isolation)
            except (ConfigError, Failure) as error:
                refused |= {spec.name: (error.message, error.hint) for spec in theirs}
                continue
            rates[provider] = entry.rate
            for spec in theirs:
                told = found[spec.principal]
                if isinstance(told, Capabilities):
                    offers[spec.name] = told
                else:
                    refused[spec.name] = (told.message, told.hint)
    finally:
        isolation.stop()
    return Cast(offers=offers, refused=refused, rates=rates)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, whoever interrupts that."""
    made = tempfile.TemporaryDirectory(prefix="rotator-drill-")
    try:
        yield Path(made.name)
    finally:
        with undisturbed():
            made.cleanup()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without a signal that ends us, for the little that must not be left half-way; threads have none anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(kw_only=True)
class Rehearsed(Assembly):
    """The config of a rehearsal, put together: every duration of the engine's is divided, and stores are slow.

    `real`: by the name of a stage's provider, the one that it stands for; all that stand for one share its rate.
    """

    pace: Pace
    real: Mapping[str, str]
    _lines: dict[str, Bucket] = field(default_factory=dict, init=False)

    @cached_property
    def timing(self) -> Timing:
        """How long the engine waits for whom."""
        standard = Timing(lease=self.config.lease * self.pace.speed)
        return Timing(**{each.name: getattr(standard, each.name) / self.pace.speed for each in fields(standard)})

    def _bucket(self, config: DriverConfig) -> Bucket:
        """The turns of the real provider's account, whatever keyserver stands for a part of it."""
        return self._lines.setdefault(self.real[config.name], Bucket(config.rate))

    def store(self, name: str) -> Store:
        """A store's driver, made slow. Raises `ConfigError`."""
        with self._lock:
            known = self._stores.get(name)
            if not isinstance(known, Slow):
                seconds = self.pace.latency.total_seconds() / self.pace.speed
                self._stores[name] = known = Slow(super().store(name), seconds)
            return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A rehearsal that may begin. `real`: by the name of a stage's provider, the one that it stands for."""

    assembly: Rehearsed
    real: Mapping[str, str]
    servers: Mapping[Shape, KeyserverProcess]
    pace: Pace

    def begin(self) -> None:
        """From now on providers take as long as they may take."""
        for shape, server in self.servers.items():
            server.tell(**shape.pace(self.pace.latency, self.pace.speed))


@contextmanager
def stage(config: Config, specs: Sequence[Credential], players: Cast, folder: Path, pace: Pace) -> Iterator[Stage]:
    """Keyservers, stores and a journal for these credentials. Everything ends with the `with` block."""
    shapes = {spec.name: shape_of(spec.provider, players.offers[spec.name]) for spec in specs}
    admin = f"drill_{secrets.token_urlsafe(24)}"
    with ExitStack() as ending:
        servers = {
            shape: ending.enter_context(KeyserverProcess(shape.behaviour(), admin=admin))
            for shape in dict.fromkeys(shapes.values())
        }
        private(folder / "admin", admin)
        private(folder / "installation.key", new_installation().text())
        names = _names(tuple(servers))
        files = Files(folder / "stores")
        principals: dict[tuple[Shape, Principal], str] = {}
        credentials = {}
        for spec in specs:
            shape = shapes[spec.name]
            principal = principals.setdefault((shape, spec.principal), f"principal-{len(principals)}")
            wish = {"slot": shape.slot_names[0]} if shape.slots else {}
            played = _played(spec, names[shape], principal, shape, files, pace.speed)
            files.publish(played.publish, servers[shape].seed_key(principal, **wish)[1])
            credentials[spec.name] = played
        files.write()
        urls = {shape: server.url for shape, server in servers.items()}
        rehearsed = replace(
            _on_stage(config, folder, pace),
            providers=_providers(config, players, names, urls, pace),
            stores=files.stores(),
            credentials=credentials,
        )
        stands_for = {name: shape.provider for shape, name in names.items()}
        assembly = Rehearsed(config=rehearsed, pace=pace, real=stands_for, emergency=True)
        try:
            yield Stage(assembly=assembly, real=stands_for, servers=servers, pace=pace)
        finally:
            with undisturbed():
                assembly.close()
                ending.close()


def _on_stage(config: Config, folder: Path, pace: Pace) -> Config:
    """The config with a journal and a key of its own, and with nobody outside to tell."""
    return replace(
        config,
        path=folder / "rotator.yaml",
        state=f"sqlite:///{folder / 'rotator.db'}",
        state_password=None,
        installation=Reference("file", "installation.key"),
        isolation=OFF,
        lease=config.lease / pace.speed,
        log=None,
        consumers={},
        identities={},
        broken={},
    )


def _providers(
    config: Config, players: Cast, names: Mapping[Shape, str], urls: Mapping[Shape, str], pace: Pace
) -> dict[str, DriverConfig]:
    """The stage's providers by name, each with the rate of the one that it stands for."""
    return {
        names[shape]: _provider(
            config.providers[shape.provider], players.rates[shape.provider], shape, names[shape], url, pace.speed
        )
        for shape, url in urls.items()
    }


def _names(shapes: Sequence[Shape]) -> dict[Shape, str]:
    """A name for each: the provider's own, or with a number that no config's name can have."""
    found: dict[Shape, str] = {}
    for shape in shapes:
        several = sum(each.provider == shape.provider for each in shapes) > 1
        number = sum(each.provider == shape.provider for each in found) + 1
        found[shape] = f"{shape.provider} ({number})" if several else shape.provider
    return found


def _provider(real: DriverConfig, rate: float | None, shape: Shape, name: str, url: str, speed: float) -> DriverConfig:
    return DriverConfig(
        name=name,
        driver="keyserver",
        settings=shape.settings(url, speed),
        admin=Reference("file", "admin"),
        rate=None if rate is None else rate * speed,
        isolation=OFF,
        where=real.where,
    )


def _played(spec: Credential, provider: str, principal: str, shape: Shape, files: Files, speed: float) -> Credential:
    """The credential at its keyserver. Nobody is told of its new keys; who reads it is real."""
    return replace(
        spec,
        provider=provider,
        principal=replace(spec.principal, settings={"principal": principal}),
        publish=tuple(files.place(each) for each in spec.publish),
        policy=replace(spec.policy, compromise_grace=spec.policy.compromise_grace / speed),
        scopes=spec.scopes if shape.scopes else (),
        lifetime=None,
        consumers=(),
    )
