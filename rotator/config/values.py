"""What a config says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from rotator.config.document import Step, Where
from rotator.config.errors import ConfigError
from rotator.config.references import Reference
from rotator.domain.credential import Credential
from rotator.domain.grants import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverConfig:
    """A provider or a store as configured. `admin` and `rate` (requests a second) are a provider's.

    `settings` are the driver's own, which nobody here has judged; so they are not shown. `described`: where each thing
    of its setting `description` stands.
    """

    name: str
    driver: str
    settings: Mapping[str, Any] = field(repr=False)
    admin: Reference | None = None
    hosts: tuple[str, ...] = ()
    rate: float | None = None
    isolation: str | None = None
    described: Mapping[tuple[Step, ...], Where] = field(default_factory=dict, repr=False)
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerConfig:
    """Who reads stores. `reload`: how it is told, in the words of what tells it, which nobody here has judged."""

    name: str
    owner: str = ""
    environment: str = ""
    lockfiles: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    reload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that a config says. `broken`: credentials that cannot be used as they stand, and why.

    `log`: from which level on there is a log; None: none.
    """

    path: Path
    state: str
    state_password: Reference | None
    installation: Reference
    parallel: int
    isolation: str | None  # None: as well as the machine can
    lease: timedelta
    providers: Mapping[str, DriverConfig]
    stores: Mapping[str, DriverConfig]
    credentials: Mapping[str, Credential]
    log: Literal["debug", "info", "warning", "error"] | None = None
    consumers: Mapping[str, ConsumerConfig] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    broken: Mapping[str, ConfigError] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return self.path.resolve().parent
