"""A trial put together from what was typed: a description, an address, a principal and an admin credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.adapters.probe import HttpProber
from rotator.app.describing import described, named
from rotator.app.drivers import make_provider
from rotator.app.hardening import forbid_core_files, quiet_wires
from rotator.app.trying import Trial
from rotator.config.describing import SETTING, is_file, read_description
from rotator.config.document import Where
from rotator.config.errors import ConfigError
from rotator.config.making import make_principal
from rotator.config.references import Resolver, read_reference
from rotator.config.values import DriverConfig

DRIVER = "rest"
"""The driver whose settings a description is."""
TIMEOUT = timedelta(seconds=15)
"""Of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed. `description`: a file, or the name of one that ships. `settings`: the provider's own words."""

    description: str
    base_url: str | None
    admin: str = field(repr=False)
    principal: Mapping[str, str]
    settings: Mapping[str, str]
    patience: timedelta


def prepare(wanted: Wanted) -> Trial:
    """The trial, with no request sent. Raises `ConfigError`."""
    forbid_core_files()
    quiet_wires()
    config = described(read(wanted.description))
    settings: dict[str, Any] = {**config.settings, **_plain(wanted.settings)}
    if wanted.base_url is not None:
        settings["base_url"] = wanted.base_url
    driver = make_provider(
        DriverConfig(
            name=config.name, driver=DRIVER, settings=settings, described=config.described, where=config.where
        ),
        wanted.admin,
        TIMEOUT,
    )
    principal = make_principal(dict(wanted.principal), exclusive=False)
    return Trial(driver, principal, HttpProber(TIMEOUT), wanted.patience)


def read(description: str) -> DriverConfig:
    """The description as a driver's settings. Raises `ConfigError`."""
    path = Path(description)
    document = read_description(path) if is_file(description) else named(DRIVER, description, description)
    return DriverConfig(
        name=path.stem,
        driver=DRIVER,
        settings={SETTING: document.value},
        described=document.places,
        where=Where(document.file, 1),
    )


def admin_credential(reference: str) -> str:
    """The text at a reference. Raises `ConfigError`."""
    return Resolver(Path.cwd(), _no_store)(read_reference(reference, (), "--admin"))


def _plain(settings: Mapping[str, str]) -> dict[str, Any]:
    """A number is typed as text."""
    return {name: int(text) if text.isdecimal() and name == "cap" else text for name, text in settings.items()}


def _no_store(store: str, target: str) -> str:
    raise ConfigError(f"{store}:{target} needs a config", "write file:PATH or env:NAME, or give it on standard input")
