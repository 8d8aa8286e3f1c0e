"""What a config says, as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from rotator.config.api_listening import Listening
from rotator.config.document import Step, Where
from rotator.config.errors import ConfigError
from rotator.config.references import Reference
from rotator.domain.credential import Credential
from rotator.domain.grants import Identity
from rotator.domain.notices import Severity


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
class MetricsConfig:
    """Where metrics are shown. `hosts`: by which names, besides localhost and any address."""

    address: str = "127.0.0.1"
    port: int = 9464
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """A mail server. `tls`: how it is encrypted; `ca`: a path as it stands in the config."""

    host: str
    port: int
    tls: str
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: Reference | None = None
    ca: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationConfig:
    """Who is told of what; one of `webhook`, `smtp` and `apprise` is there. `webhook` may be a secret in its path.

    Of what goes on it is told again after `again`. `owners` and `kinds` empty: all of them.
    """

    name: str
    webhook: str | None = field(default=None, repr=False)
    secret: Reference | None = None
    ca: str | None = None
    smtp: SmtpConfig | None = None
    apprise: Reference | None = None
    severity: Severity = Severity.WARNING
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    again: timedelta = timedelta(days=1)
    resolved: bool = True
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubLeaks:
    """What GitHub may tell. `keys`: the address of the partner programme's public keys; None: it may not."""

    secret: Reference | None = None
    keys: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that a config says. `broken`: credentials that cannot be used as they stand, and why.

    `log`: from which level on there is a log; None: none. `policies`: the name of each credential's policy; `default`
    where it names none, `own` where it has one of its own.
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
    notifications: Mapping[str, NotificationConfig] = field(default_factory=dict)
    github_leaks: GithubLeaks | None = None
    broken: Mapping[str, ConfigError] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    metrics: MetricsConfig | None = None
    api: Listening | None = None

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return Path(os.path.realpath(self.path)).parent  # unlike Path.resolve it is no error where links go in circles
