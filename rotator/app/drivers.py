"""Drivers by entry point: found by name, imported when first used, duplicates refused naming both distributions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rotator.adapters.isolation.closures import NoClosure, closure_of
from rotator.app.describing import PROVIDERS, place_of
from rotator.app.isolating import OFF, Isolation
from rotator.config.errors import ConfigError, nearest
from rotator.config.reading import DriverConfig
from rotator.domain.failures import Failure
from rotator.ports import Provider, Store

STORES = "rotator.stores"

ISOLATED_BY_NOBODY = Isolation(default=OFF)


@dataclass(frozen=True, slots=True)
class Installed:
    """One driver that is installed here."""

    kind: str
    name: str
    module: str
    distribution: str


def installed() -> tuple[Installed, ...]:
    """All drivers, imported by nobody."""
    found = [
        Installed(
            "provider" if group == PROVIDERS else "store", each.name, each.value, each.dist.name if each.dist else ""
        )
        for group in (PROVIDERS, STORES)
        for each in entry_points(group=group)
    ]
    return tuple(sorted(set(found), key=lambda each: (each.kind, each.name)))


def says_of_itself(entry: EntryPoint) -> str:
    """The text at the head of a driver's module, read and never run."""
    try:
        files = closure_of(entry).parts
    except NoClosure as error:
        return f"{error.message}; {error.hint}"
    tail = entry.module.replace(".", "/")
    for part in files:
        for path, source in part.files.items():
            if str(path) in (f"{tail}.py", f"{tail}/__init__.py"):
                return ast.get_docstring(ast.parse(source.read_text())) or ""
    return ""


def find(group: str, config: DriverConfig) -> EntryPoint:
    """The one entry point of a driver, imported by nobody. Raises `ConfigError`."""
    found: list[EntryPoint] = list(
        {(e.value, e.dist.name if e.dist else ""): e for e in entry_points(group=group, name=config.driver)}.values()
    )
    if len(found) > 1:
        both = " and ".join(each.dist.name if each.dist else each.value for each in found)
        raise ConfigError(f"{both} both bring a driver {config.driver}", "uninstall one of the two")
    if not found:
        known = [each.name for each in entry_points(group=group)]
        near = nearest(config.driver, known)
        hint = f"did you mean {near}?" if near else "`rotator plugins list` shows what is installed"
        raise ConfigError(f"{config.where}: there is no driver {config.driver}", hint)
    return found[0]


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ImportError as error:
        hint = f"pip install 'rotator[{entry.extras[0] if entry.extras else entry.name}]'"
        raise ConfigError(f"the driver {entry.name} cannot be loaded: {error.name or error} is missing", hint) from None


def make_provider(
    config: DriverConfig, admin: str, timeout: timedelta, isolation: Isolation = ISOLATED_BY_NOBODY
) -> Provider:
    """The driver of a provider. Raises `ConfigError`."""
    entry = find(PROVIDERS, config)
    level = isolation.level(config, entry)
    if level != OFF:
        return isolation.provider(config, entry, admin, timeout, level)
    made: Provider = _made(config, lambda: _load(entry).from_settings(config.name, config.settings, admin, timeout))
    return made


def make_store(
    config: DriverConfig,
    resolve: Callable[[str], str],
    timeout: timedelta,
    isolation: Isolation = ISOLATED_BY_NOBODY,
) -> Store:
    """The driver of a store. Raises `ConfigError`."""
    entry = find(STORES, config)
    level = isolation.level(config, entry)
    if level != OFF:
        return isolation.store(config, entry, resolve, timeout, level)
    made: Store = _made(config, lambda: _load(entry).from_settings(config.name, config.settings, resolve, timeout))
    return made


def _made(config: DriverConfig, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ConfigError, Failure):
        raise
    except Exception as error:
        message, hint = getattr(error, "message", None), getattr(error, "hint", None)
        if message is None or hint is None:
            raise
        raise ConfigError(f"{place_of(config, message)}: {config.name}: {message}", hint) from None
