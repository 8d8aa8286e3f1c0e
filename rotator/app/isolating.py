"""Which driver runs where: in a confined process of its own, in a process, or, for who debugs one, in ours."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property, partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.egress import Hosts
from rotator.adapters.isolation.keeping import NOT_STARTED, Driver, Recipe
from rotator.adapters.isolation.pins import FILE, NotPinned, Pins, read_pins
from rotator.adapters.isolation.possible import how, why_not
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.adapters.isolation.questions import NotResolved
from rotator.adapters.isolation.store import IsolatedStore, isolated_store
from rotator.app.describing import place_of
from rotator.config.errors import ConfigError
from rotator.config.permissions import checked
from rotator.config.reading import DriverConfig
from rotator.domain.reach import Reach

__all__ = ["INSIDE", "OFF", "PROCESS", "SANDBOX", "Isolation", "best", "how", "why_not"]

OFF, PROCESS, SANDBOX = "off", "process", "sandbox"
INSIDE = frozenset({"rotator.adapters.stores.file:FileStore"})
"""Drivers that run in our own process: no code but ours, no host, no credential, and they have to write files."""


@dataclass(kw_only=True)
class Isolation:
    """Makes the drivers of one config. `base`: the config's folder, where the pins are; None: nothing is pinned.

    `key`: of the installation, for what is kept of the drivers' code from one run to the next; None: nothing is kept.
    `told` hears what becomes of the processes: provider or store, its name, and a word of `isolation.keeping`.
    """

    default: str | None = None
    base: Path | None = None
    key: bytes | None = field(default=None, repr=False)
    told: Callable[[str, str, str], None] = lambda kind, name, what: None
    _drivers: list[Driver] = field(default_factory=list, repr=False)

    def level(self, config: DriverConfig, entry: EntryPoint) -> str:
        """How a driver is kept apart: as the config says, else as well as this machine can."""
        if f"{entry.module}:{entry.attr}" in INSIDE:
            return OFF
        return config.isolation or self.default or best()

    def provider(
        self, config: DriverConfig, entry: EntryPoint, admin: str, timeout: timedelta, level: str
    ) -> IsolatedProvider:
        """A provider's driver in its process. Raises `ConfigError`."""
        driver = self._driver("provider", config, entry, timeout, level, admin=admin)
        return IsolatedProvider(f"driver of {config.name}", driver, timeout, admin)

    def store(
        self, config: DriverConfig, entry: EntryPoint, resolve: Callable[[str], str], timeout: timedelta, level: str
    ) -> IsolatedStore:
        """A store's driver in its process. Raises `ConfigError`."""
        driver = self._driver("store", config, entry, timeout, level, resolve=_explained(resolve))
        return isolated_store(f"driver of {config.name}", driver, timeout)

    def look(self, kind: str, config: DriverConfig, entry: EntryPoint, timeout: timedelta) -> tuple[Hosts, Reach]:
        """Start a driver dry, without its credential: where it connects, what it reads. Raises `ConfigError`."""
        driver = Driver(self._recipe(kind, config, entry, timeout, self.level(config, entry)))
        with _said(config):
            return driver.look()

    def _driver(
        self, kind: str, config: DriverConfig, entry: EntryPoint, timeout: timedelta, level: str, **given: Any
    ) -> Driver:
        driver = Driver(
            self._recipe(kind, config, entry, timeout, level, **given), partial(self.told, kind, config.name)
        )
        with _said(config):
            driver.start()
        self._drivers.append(driver)
        return driver

    def stop(self) -> None:
        """End every driver's process; the next call of one starts another."""
        for driver in self._drivers:
            driver.stop()

    def _recipe(
        self, kind: str, config: DriverConfig, entry: EntryPoint, timeout: timedelta, level: str, **given: Any
    ) -> Recipe:
        return Recipe(
            label=f"{kind} {config.driver}",
            entry=entry,
            name=config.name,
            settings=config.settings,
            copies=self.copies,
            pins=self.pins,
            confine=level == SANDBOX,
            seconds=timeout.total_seconds(),
            hosts=config.hosts,
            store=kind == "store",
            **given,
        )

    @cached_property
    def copies(self) -> Copies:
        """Where the drivers' code is copied to. Raises `ConfigError`."""
        if self.key is not None:
            home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
            try:
                return Copies(Path(home) / "rotator" / "drivers", self.key)
            except (OSError, RuntimeError):
                pass  # without a home, or with one that others may write: this run makes its own copies
        try:
            return Copies(_passing(), secrets.token_bytes(32))
        except OSError as error:
            message = f"there is no folder for copies of the drivers: {error.strerror or error}"
        raise ConfigError(message, "set XDG_CACHE_HOME or TMPDIR to one that the rotator may write")

    @cached_property
    def pins(self) -> Pins:
        """What was approved. Raises `ConfigError`."""
        if self.base is None or not (self.base / FILE).exists():
            return Pins()
        try:
            return read_pins(checked(self.base / FILE))
        except NotPinned as error:
            raise ConfigError(error.message, error.hint) from None


@contextmanager
def _said(config: DriverConfig) -> Iterator[None]:
    """Why a driver has no process, as of the config's entry."""
    try:
        yield
    except NOT_STARTED as error:
        raise ConfigError(f"{place_of(config, error.message)}: {config.name}: {error.message}", error.hint) from None


def best() -> str:
    """The best level of this machine."""
    return SANDBOX if why_not() is None else PROCESS


def _explained(resolve: Callable[[str], str]) -> Callable[[str], str]:
    """Resolves, with a complaint that a driver's process can be told."""

    def resolved(reference: str) -> str:
        try:
            return resolve(reference)
        except ConfigError as error:
            message, hint = error.message, error.hint
        raise NotResolved(message, hint)

    return resolved


@cache
def _passing() -> Path:
    """A folder that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "drivers"
