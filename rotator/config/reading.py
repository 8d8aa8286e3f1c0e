"""Reading the config: its files, their names and types, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.config import signers
from rotator.config.api_listening import make_listening
from rotator.config.document import Document
from rotator.config.errors import ConfigError
from rotator.config.faults import Faults
from rotator.config.including import load_document, load_head
from rotator.config.making import Maker
from rotator.config.validating import validated
from rotator.config.values import Config, DriverConfig, MetricsConfig
from rotator.ports import Calendar

if TYPE_CHECKING:
    from rotator.config.models import ConfigFile, Environment

__all__ = ["Config", "DriverConfig", "Whole", "read_config", "read_head", "read_whole"]

Tree = Mapping[str, Any]
"""What a config says, as plain tables, lists and texts; what is written as it is anyway is left out."""

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
    return _config(path, document, validated(document, faults), calendar, faults)


def read_head(path: Path, *, calendar: Calendar) -> Config:
    """The config without credentials, and without who reads them: enough to find its journal. Raises `ConfigError`.

    What is wrong with the rest is said by who reads all of it.
    """
    document = load_head(path)
    faults = Faults(lenient=False)
    return _config(path, document, validated(document, faults), calendar, faults)


@dataclass(frozen=True, slots=True)
class Whole:
    """A config with all that it was read from; of the `document` its credentials are in the `tree` alone."""

    config: Config
    document: Document
    tree: Tree

    def saying(self, tree: Tree, calendar: Calendar) -> Config:
        """The config that says this instead. Raises `ConfigError`; then a place in it is the one of this config.

        Of its own `tree` that is made already, which is half the time that a start takes.
        """
        if tree is self.tree:
            return self.config
        document = replace(self.document, value=dict(tree))
        faults = Faults(lenient=False)
        return _config(self.config.path, document, validated(document, faults), calendar, faults)


def read_whole(path: Path, *, calendar: Calendar) -> Whole:
    """Read a config as `read_config` does, for comparing it with another one. Raises `ConfigError`."""
    document = load_document(path)
    faults = Faults(lenient=False)
    file = validated(document, faults)
    # What was written is no longer needed where its shape is: of 100,000 credentials each of the two takes 150 MB.
    document.value = {name: each for name, each in document.value.items() if name != "credentials"}
    config = _config(path, document, file, calendar, faults)
    tree = file.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    return Whole(config, document, tree)


def _config(path: Path, document: Document, file: ConfigFile, calendar: Calendar, faults: Faults) -> Config:
    environment = _environment(faults)
    maker = Maker(document, file, calendar, faults)
    signers.check(document, file, faults)
    password = file.state.password
    try:
        lease = maker.duration(file.defaults.lease, ("defaults", "lease"))
    except ConfigError as fault:
        faults.add("defaults", "lease", fault)
        lease = maker.duration("60s", ())
    try:
        listening = make_listening(document, file, environment.listen)
    except ConfigError as fault:
        faults.add("api", "listen", fault)
        listening = None
    return Config(
        path=path,
        api=listening,
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
        policies=maker.policies,
        metrics=_metrics(maker, faults),
        notifications=maker.notifications,
        github_leaks=maker.github_leaks,
        broken=faults.broken(),
    )


def _metrics(maker: Maker, faults: Faults) -> MetricsConfig | None:
    """In an emergency one that cannot be used is none."""
    try:
        return maker.metrics()
    except ConfigError as fault:
        faults.add("metrics", "listen", fault)
        return None


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
