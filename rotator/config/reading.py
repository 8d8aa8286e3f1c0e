"""Reading the config: its files, their names and types, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rotator.config.document import Document
from rotator.config.errors import ConfigError
from rotator.config.faults import Faults
from rotator.config.including import load_document
from rotator.config.making import Maker
from rotator.config.validating import validated
from rotator.config.values import Config, DriverConfig
from rotator.ports import Calendar

if TYPE_CHECKING:
    from rotator.config.models import Environment

__all__ = ["Config", "DriverConfig", "read_config"]

_JOURNALS = ("sqlite:///", "postgresql://", "postgres://")
_WANTED = {"PARALLEL": "a number from 1 to 256", "LOG": "one of debug, info, warning, error"}
_JOURNAL_HINT = "write sqlite:///rotator.db or postgresql://USER@HOST/DATABASE"


def read_config(path: Path, *, calendar: Calendar, lenient: bool = False) -> Config:
    """Read the config and what it includes. Raises `ConfigError`.

    `lenient`, for emergencies: an entry's own faults leave it out, what needs it is in `broken`, and the rest goes.
    What is no YAML, or does not say where the journal and the installation's key are, is still refused.
    """
    document = load_document(path)
    faults = Faults(lenient=lenient)
    return _config(path, document, calendar, faults)


def _config(path: Path, document: Document, calendar: Calendar, faults: Faults) -> Config:
    file = validated(document, faults)
    environment = _environment(faults)
    maker = Maker(document, file, calendar, faults)
    password = file.state.password
    try:
        lease = maker.duration(file.defaults.lease, ("defaults", "lease"))
    except ConfigError as fault:
        faults.add("defaults", "lease", fault)
        lease = maker.duration("60s", ())
    return Config(
        path=path,
        state=_journal(environment.state, file.state.url, document),
        state_password=maker.reference(password, ("state", "password")) if password else None,
        installation=maker.reference(file.installation.key, ("installation", "key"), private=True),
        log=environment.log,
        parallel=environment.parallel or file.defaults.parallel,
        isolation=file.defaults.isolation,
        lease=lease,
        providers=maker.providers,
        stores=maker.stores,
        credentials=maker.credentials,
        consumers=maker.consumers,
        identities=maker.identities,
        broken=faults.broken(),
    )


def _journal(override: str | None, url: str, document: Document) -> str:
    where = "the environment variable ROTATOR_STATE" if override else f"{document.where(('state',))}: state"
    wanted = override or url
    if not wanted.startswith(_JOURNALS):
        raise ConfigError(f"{where} names no database that can hold the journal", _JOURNAL_HINT)
    return wanted


def _environment(faults: Faults) -> Environment:
    """What the environment overrides; in an emergency what is not understood there does not count."""
    from pydantic import ValidationError

    from rotator.config.models import Environment

    try:
        return Environment()
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0]).upper()
        wanted = _WANTED.get(name, "text")
        fault = ConfigError(f"the environment variable ROTATOR_{name} is not {wanted}", "unset it or mend it")
        faults.add("environment", name, fault)
        return Environment.model_construct()
