"""Descriptions of APIs by name: those that a driver brings in its folder `descriptions`, found without importing it."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from rotator.config.describing import SETTING, read_description
from rotator.config.document import Document, Step, Where
from rotator.config.errors import ConfigError, nearest
from rotator.config.making import HOW_RATE, parse_rate
from rotator.config.values import DriverConfig

PROVIDERS = "rotator.providers"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_AT = re.compile(rf"{SETTING}\b((?:\.'?[A-Za-z0-9_/+-]+'?)*)")


def described(config: DriverConfig) -> DriverConfig:
    """The driver's settings with the description that they name in its place, and its rate where the config has none.

    Raises `ConfigError`.
    """
    name = config.settings.get(SETTING)
    if isinstance(name, str) and config.driver in _bringing():
        found = named(config.driver, name, config.where)
        config = replace(config, settings={**config.settings, SETTING: found.value}, described=found.places)
    table = config.settings.get(SETTING)
    if config.rate is not None or not isinstance(table, dict) or table.get("rate") is None:
        return config
    rate = parse_rate(table["rate"])
    if rate is None:
        raise ConfigError(f"{_nearest_place(config, ('rate',))}: {SETTING}.rate is not a rate", HOW_RATE)
    return replace(config, rate=rate)


def named(driver: str, name: str, where: Where | str) -> Document:
    """A description that a driver brings. Raises `ConfigError`."""
    found = _bringing().get(driver, {})
    if name not in found:
        near = nearest(name, found)
        hint = f"did you mean {near}?" if near else f"write the path of a .yaml file, or one of: {', '.join(found)}"
        raise ConfigError(f"{where}: the driver {driver} brings no description of that name", hint)
    return read_description(found[name], installed=True)


def brought() -> dict[str, tuple[str, ...]]:
    """The names of the descriptions that each driver brings."""
    return {driver: tuple(found) for driver, found in sorted(_bringing().items())}


def place_of(config: DriverConfig, complaint: str) -> Where:
    """Where a driver's complaint belongs: it begins with the path of what is wrong, `description.mint.path is …`."""
    found = _AT.match(complaint)
    if not found or not config.described:
        return config.where
    steps = tuple(int(step) if step.isdecimal() else step for step in found[1].replace("'", "").split(".")[1:])
    return _nearest_place(config, steps)


def _nearest_place(config: DriverConfig, steps: tuple[Step, ...]) -> Where:
    while steps and steps not in config.described:
        steps = steps[:-1]
    return config.described.get(steps, config.where)


def _bringing() -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for entry in entry_points(group=PROVIDERS):
        spec = find_spec(entry.module.partition(".")[0])
        folders = spec.submodule_search_locations if spec is not None else None
        for folder in folders or ():
            files = sorted(Path(folder, "descriptions").glob("*.yaml"))
            if files:
                found[entry.name] = {file.stem: file for file in files if _NAME.fullmatch(file.stem)}
    return found
