"""The first thing that is audited: this rotator's own environment, and the closure of each of its drivers.

Whoever can run code here reads every new key, so a bad package in it comes before all others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from rotator.adapters.installed.distributions import read_environment
from rotator.adapters.isolation.closures import OURS, NoClosure, versions_in
from rotator.app.describing import PROVIDERS
from rotator.app.drivers import STORES, find
from rotator.app.own_environment import OWN, folders
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.findings import Judged, Unjudged
from rotator.domain.packages import PYPI, Component, Inventory, Package

CLOSURE = "closure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What is to be audited, and what is known of it already. `sources`: what was installed from a folder, by label."""

    inventories: tuple[Inventory, ...] = ()
    sources: frozenset[tuple[str, Package]] = frozenset()
    judged: tuple[Judged, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()

    def __add__(self, other: Audited) -> Audited:
        return Audited(
            inventories=self.inventories + other.inventories,
            sources=self.sources | other.sources,
            judged=self.judged + other.judged,
            unjudged=self.unjudged + other.unjudged,
        )


def own_installation(config: Config | None, *, at: datetime) -> Audited:
    """This environment and its drivers: those of the config, or without one all that are installed."""
    own = installed_in(folders(), consumer=OWN, at=at, origin=sys.prefix)
    itself = (OWN, Package.of(PYPI, OURS))  # an index may well have something of another's by that name
    drivers, unjudged = [], []
    for label, entry, used in _drivers(config):
        try:
            drivers.append(_closure(label, entry(), at))
        except NoClosure as error:
            if used:
                unjudged.append(Unjudged(what=label, why=error.message))
        except ConfigError as error:
            unjudged.append(Unjudged(what=label, why=error.message))
    sources = {itself, *((each.consumer, itself[1]) for each in drivers)}
    return own + Audited(inventories=tuple(drivers), unjudged=tuple(unjudged), sources=frozenset(sources))


def installed_in(folders: list[Path], *, consumer: str, at: datetime, origin: str = "") -> Audited:
    """What is installed in these folders, with its files that run at every start. Raises `Permanent`."""
    found = read_environment(folders, consumer=consumer, at=at, origin=origin, ours=OURS if consumer == OWN else "")
    judged = tuple(
        Judged(
            package=each.package or Package("file", each.path.name),
            version=_version(found.inventory, each.package),
            where=(found.inventory.label,),
            signals=(each.signal,),
        )
        for each in found.starts
    )
    sources = frozenset((found.inventory.label, each) for each in found.local)
    return Audited(inventories=(found.inventory,), sources=sources, judged=judged)


def _version(inventory: Inventory, package: Package | None) -> str:
    return next((each.version for each in inventory.components if each.package == package), "")


def _given(entry: EntryPoint) -> EntryPoint:
    return entry


def _drivers(config: Config | None) -> Iterator[tuple[str, Callable[[], EntryPoint], bool]]:
    """A label, what finds where it begins, and whether the config uses it; each once."""
    if config is None:
        for group in (PROVIDERS, STORES):
            for entry in sorted(entry_points(group=group), key=lambda each: each.name):
                yield _label(group, entry.name), partial(_given, entry), False
        return
    seen = set()
    for group, configured in ((PROVIDERS, config.providers), (STORES, config.stores)):
        for each in configured.values():
            if (group, each.driver) not in seen:
                seen.add((group, each.driver))
                yield _label(group, each.driver), partial(find, group, each), True


def _label(group: str, name: str) -> str:
    return f"{group.removeprefix('rotator.').removesuffix('s')} {name}"


def _closure(label: str, entry: EntryPoint, at: datetime) -> Inventory:
    """Raises `NoClosure`."""
    parts = versions_in(entry).items()
    components = sorted(Component(package=Package.of(PYPI, name), version=version) for name, version in parts)
    return Inventory(consumer=label, kind=CLOSURE, origin=entry.module, since=at, components=tuple(components))
