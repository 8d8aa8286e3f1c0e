"""The drivers of a config as they stand: how they are kept apart, what they may reach, whether they are as approved."""

from __future__ import annotations

import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from rotator.adapters.isolation.closures import NoClosure, closure_of
from rotator.adapters.isolation.pins import FILE, Pin, Pins, write_pins
from rotator.app.assembly import Assembly
from rotator.app.describing import PROVIDERS
from rotator.app.drivers import STORES, find
from rotator.app.isolating import OFF
from rotator.config.errors import ConfigError
from rotator.config.reading import DriverConfig

PINNED, NOT_PINNED = "pinned", "not pinned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One driver that a config uses. `problem`: why it would not start, and what to do; None: it would."""

    kind: str
    name: str
    driver: str
    level: str
    pinned: str
    hosts: str = ""
    reads: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None


def standings(assembly: Assembly) -> Iterator[Standing]:
    """Every driver that the config uses, started dry: it gets no credential and sends nothing."""
    for kind, config in used(assembly):
        yield _standing(assembly, kind, config)


def used(assembly: Assembly) -> Iterator[tuple[str, DriverConfig]]:
    """Each provider and store of the config."""
    for provider in assembly.config.providers:
        yield "provider", assembly.provider_config(provider)
    for store in assembly.config.stores:
        yield "store", assembly.store_config(store)


def _entry(kind: str, config: DriverConfig) -> EntryPoint:
    return find(PROVIDERS if kind == "provider" else STORES, config)


def _standing(assembly: Assembly, kind: str, config: DriverConfig) -> Standing:
    base = Standing(kind=kind, name=config.name, driver=config.driver, level="", pinned="")
    try:
        entry = _entry(kind, config)
        level = assembly.isolation.level(config, entry)
        pinned = _pinned(assembly.isolation.pins, f"{kind} {config.driver}", level)
    except ConfigError as error:
        return _but(base, error)
    base = Standing(kind=kind, name=config.name, driver=config.driver, level=level, pinned=pinned)
    if level == OFF:
        return base
    try:
        hosts, reach = assembly.isolation.look(kind, config, entry, assembly.timing.request)
    except ConfigError as error:
        return _but(base, error)
    reads = (*reach.paths, *(f"${name}" for name in reach.variables))
    return Standing(
        kind=kind, name=config.name, driver=config.driver, level=level, pinned=pinned, hosts=str(hosts), reads=reads
    )


def _but(base: Standing, error: ConfigError) -> Standing:
    return Standing(
        kind=base.kind,
        name=base.name,
        driver=base.driver,
        level=base.level,
        pinned=base.pinned,
        problem=(error.message, error.hint),
    )


def _pinned(pins: Pins, label: str, level: str) -> str:
    if level == OFF:
        return ""
    if pins.drivers is None:
        return NOT_PINNED
    return PINNED if label in pins.drivers else NOT_PINNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinning:
    """One driver's pin, as it was and as it is now. `change`: how they differ; None: they do not."""

    label: str
    before: Pin | None
    now: Mapping[str, str]

    @property
    def change(self) -> str | None:
        if self.before is None:
            return "was not pinned"
        return self.before.differs(self.now)


def pin(assembly: Assembly, only: str | None = None) -> tuple[Pinning, ...]:
    """Write down what makes each driver of the config now; `only`: of this driver, the others as they were.

    Raises `ConfigError`, and then nothing was written.
    """
    known = dict(assembly.isolation.pins.drivers or {})
    found: dict[str, Pinning] = {}
    for kind, config in used(assembly):
        label, entry = f"{kind} {config.driver}", _entry(kind, config)
        if label in found or assembly.isolation.level(config, entry) == OFF or only not in (None, config.driver):
            continue
        try:
            now = closure_of(entry).digests()
        except NoClosure as error:
            raise ConfigError(f"the {label}: {error.message}", error.hint) from None
        found[label] = Pinning(label=label, before=known.get(label), now=now)
    if not found:
        return ()
    kept = {label: each.parts for label, each in known.items() if only is not None}
    path = assembly.config.base / FILE
    try:
        write_pins(path, kept | {label: each.now for label, each in found.items()})
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", "the config's folder must be yours") from None
    return tuple(found.values())


def runs_at_start() -> tuple[str, ...]:
    """Files by which installed packages run code in every Python of this environment, the rotator's own included."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    found = []
    for folder in dict.fromkeys(folders):
        for path in sorted(Path(folder).glob("*.pth")):
            lines = path.read_text(errors="replace").splitlines()
            if any(line.startswith(("import ", "import\t")) for line in lines):
                found.append(str(path))
    return tuple(found) if not sys.flags.no_site else ()
