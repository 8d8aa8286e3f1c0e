"""Drivers by entry point: found by name, imported when first used, duplicates refused naming both distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rotator.app.describing import PROVIDERS, place_of
from rotator.config.errors import ConfigError, nearest
from rotator.config.reading import DriverConfig
from rotator.domain.failures import Failure
from rotator.ports import Provider, Store

STORES = "rotator.stores"


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


def _load(group: str, config: DriverConfig) -> Any:
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
    try:
        return found[0].load()
    except ImportError as error:
        hint = f"pip install 'rotator[{config.driver}]'"
        raise ConfigError(
            f"the driver {config.driver} cannot be loaded: {error.name or error} is missing", hint
        ) from None


def make_provider(config: DriverConfig, admin: str, timeout: timedelta) -> Provider:
    """The driver of a provider. Raises `ConfigError`."""
    made: Provider = _made(
        config, lambda: _load(PROVIDERS, config).from_settings(config.name, config.settings, admin, timeout)
    )
    return made


def make_store(config: DriverConfig, resolve: Callable[[str], str], timeout: timedelta) -> Store:
    """The driver of a store. Raises `ConfigError`."""
    made: Store = _made(
        config, lambda: _load(STORES, config).from_settings(config.name, config.settings, resolve, timeout)
    )
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
