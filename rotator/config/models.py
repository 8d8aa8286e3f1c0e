"""The shape of the config, by pydantic: names, types and nothing else. What it means is made in `reading`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=4096)]


class Strict(BaseModel):
    """Nothing that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class State(Strict):
    """Where the journal is. `password` is a reference."""

    url: Text
    password: Text | None = None


class Installation(Strict):
    """Where the installation's key is kept."""

    key: Text


class Defaults(Strict):
    """For everything that does not say otherwise."""

    isolation: Literal["off", "process", "sandbox"] = "off"
    parallel: Annotated[StrictInt, Field(ge=1, le=256)] = 32
    lease: Text = "60s"
    policy: Name | None = None


class ProviderEntry(BaseModel):
    """One account at a provider; what is not declared here are the driver's own settings, which the driver judges."""

    model_config = ConfigDict(extra="allow", frozen=True)

    driver: Name
    admin: Text
    hosts: list[Text] = []
    rate: Text | None = None
    isolation: Literal["off", "process", "sandbox"] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The driver's own."""
        return dict(self.model_extra or {})


class StoreEntry(BaseModel):
    """One store; likewise."""

    model_config = ConfigDict(extra="allow", frozen=True)

    driver: Name

    @property
    def settings(self) -> dict[str, Any]:
        """The driver's own."""
        return dict(self.model_extra or {})


class PublishEntry(Strict):
    """One place."""

    store: Name
    ref: Text
    fields: Annotated[dict[Text, StrictStr], Field(min_length=1)]


class Needs(Strict):
    """What a key may do."""

    scopes: list[Text] = []


class CredentialEntry(Strict):
    """One credential."""

    provider: Name
    principal: dict[Text, StrictStr | StrictBool | list[StrictStr]] = {}
    owner: Text | None = None
    publish: Annotated[list[PublishEntry], Field(min_length=1)]
    policy: Name | dict[str, Any] | None = None
    tags: list[Text] = []
    needs: Needs = Needs()
    consumers: list[Name] = []


class ConsumerEntry(Strict):
    """Who reads a store; how it is told comes later."""

    owner: Text | None = None
    environment: Text | None = None
    lockfiles: list[Text] = []
    reload: dict[str, Any] = {}


class ConfigFile(Strict):
    """The whole file."""

    state: Text | State
    installation: Installation
    include: Text | list[Text] = []
    defaults: Defaults = Defaults()
    providers: dict[Name, ProviderEntry] = {}
    stores: dict[Name, StoreEntry] = {}
    credentials: dict[Name, CredentialEntry] = {}
    policies: dict[Name, dict[str, Any]] = {}
    consumers: dict[Name, ConsumerEntry] = {}


class Environment(BaseSettings):
    """What the environment may override, and nothing more."""

    model_config = SettingsConfigDict(env_prefix="ROTATOR_", extra="ignore")

    state: str | None = None
    parallel: Annotated[int, Field(ge=1, le=256)] | None = None
    log: str | None = None
    listen: str | None = None
