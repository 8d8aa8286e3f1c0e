"""The shape of the config, by pydantic: names, types and nothing else. What it means is made in `making`.

Every docstring of a field is what an editor shows (`rotator.config.schema`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=4096)]
Isolation = Literal["off", "process", "sandbox"]
LogLevel = Literal["debug", "info", "warning", "error"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _as_url(value: Any) -> Any:
    if isinstance(value, str):
        return {"url": value}
    if isinstance(value, dict):
        return value
    raise PydanticCustomError("state", "is no URL")


def _name_or_table(value: Any) -> Any:
    if isinstance(value, str | dict):
        return value
    raise PydanticCustomError("policy", "is neither the name of a policy nor a table")


def _identity(value: Any) -> Any:
    if isinstance(value, str | bool) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return value
    raise PydanticCustomError("principal", "is neither text nor a list of texts")


class Strict(BaseModel):
    """Nothing that is not declared; what is declared and left empty is as if it were not there."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if each is not None or name not in cls.model_fields}


class WithSettings(Strict):
    """What is not declared are the driver's own settings, which the driver judges."""

    model_config = ConfigDict(extra="allow")

    @property
    def settings(self) -> dict[str, Any]:
        """The driver's own."""
        return dict(self.model_extra or {})


class State(Strict):
    """Where the journal is."""

    url: Text
    """sqlite:///PATH, relative to this file, sqlite:////ABSOLUTE/PATH, or postgresql://USER@HOST/DATABASE."""
    password: Text | None = None
    """A reference to the password: file:PATH or env:NAME."""


class Installation(Strict):
    """This deployment of the rotator."""

    key: Text
    """A reference to its key, which `rotator init` writes: file:PATH, env:NAME or STORE:REF#FIELD."""


class Defaults(Strict):
    """For everything that does not say otherwise."""

    isolation: Isolation | None = None
    """How drivers are kept apart; left out, as well as this machine can: `rotator doctor` says how."""
    parallel: Annotated[StrictInt, Field(ge=1, le=256)] = 32
    """How many rotations are worked on at the same time."""
    lease: Text = "60s"
    """How long a worker that no longer answers keeps a rotation."""
    policy: Name | None = None
    """The policy of credentials that name none."""


class MetricsEntry(Strict):
    """Where a daemon shows its metrics."""

    listen: Text = "127.0.0.1:9464"
    """An address of this machine, and a port."""
    unencrypted: StrictBool = False
    """true: on another address than loopback, too, whose network then reads the names of credentials."""
    hosts: list[Text] = []
    """By which names it may be asked, besides localhost and any address."""


class ProviderEntry(WithSettings):
    """One account at a provider; what else it takes, its driver says."""

    driver: Name
    """The name of an installed driver: `rotator plugins list`."""
    admin: Text
    """A reference to the credential that makes and deletes keys: file:PATH, env:NAME or STORE:REF#FIELD.

    `none` where a person makes and deletes its keys."""
    hosts: list[Text] = []
    """Where the driver may connect to."""
    rate: Text | None = None
    """At most so many requests, like 5/s or 100/m."""
    isolation: Isolation | None = None
    """Instead of the default."""


class StoreEntry(WithSettings):
    """One store; what else it takes, its driver says."""

    driver: Name
    """The name of an installed driver: `rotator plugins list`."""
    hosts: list[Text] = []
    """Where the driver may connect to."""
    isolation: Isolation | None = None
    """Instead of the default."""


class PublishEntry(Strict):
    """One place where consumers read the value."""

    store: Name
    """A name beneath stores:."""
    ref: Text
    """The document in the store."""
    fields: Annotated[dict[Text, StrictStr], Field(min_length=1)]
    """What is written into which field of it: "{secret}", or "postgresql://{user}:{password}@db/app"."""


class Needs(Strict):
    """What a key may do."""

    scopes: list[Text] = []
    """In the provider's words; nothing is copied from the old key."""
    expires: Text | None = None
    """After how long the provider lets the key end by itself, like 60d; longer than it is used."""


class CredentialEntry(Strict):
    """A logical secret under management."""

    provider: Name
    """A name beneath providers:."""
    principal: Annotated[
        dict[
            Text, Annotated[Any, BeforeValidator(_identity, json_schema_input_type=StrictStr | StrictBool | list[str])]
        ],
        Field(),
    ] = {}
    """The identity at the provider, in its driver's words; exclusive: true when all its keys are this credential's."""
    owner: Text | None = None
    """Who answers for it."""
    publish: Annotated[list[PublishEntry], Field(min_length=1)]
    """All places that must hold the value: all of them get it, or none."""
    policy: Annotated[Any, BeforeValidator(_name_or_table, json_schema_input_type=Name | dict[str, JsonValue])] = None
    """The name of a policy, or one written out here."""
    tags: list[Text] = []
    """For selecting."""
    needs: Needs = Needs()
    consumers: list[Name] = []
    """Who reads it."""


class ConsumerEntry(Strict):
    """Who reads a store, and how it is told."""

    owner: Text | None = None
    """Who answers for it."""
    environment: Text | None = None
    """Where it runs."""
    lockfiles: list[Text] = []
    """Which packages it has: lockfiles, bills of materials or folders of installed packages, relative to this file."""
    identities: list[Name] = []
    """As whom it runs: names beneath identities:."""
    reload: dict[str, JsonValue] = {}
    """How it is told: {webhook: URL, secret: REFERENCE}, {signal: PID-FILE}, {command: [PROGRAM, ARGUMENT]},
    {deployment: NAMESPACE/NAME, auth: {…}} or {external_secret: NAMESPACE/NAME, auth: {…}};

    spread: 30s tells those who have it one after the other. Left out, it reads by itself.
    """


class IdentityEntry(Strict):
    """An identity that consumers run as, and what whoever has it may read."""

    reads: Annotated[list[Text], Field(min_length=1)]
    """Credentials by name, places as STORE:REF where * stands for anything, or tag:TAG."""


class Approvals(Strict):
    """Whose word puts a sensitive change of this file in force, besides a person's on the machine."""

    signers: Annotated[
        list[Text],
        BeforeValidator(_as_list, json_schema_input_type=Text | list[Text]),
        Field(min_length=1),
    ]
    """An OpenSSH allowed-signers file, relative to this one, or its lines: who may sign commits of this."""


class SmtpEntry(Strict):
    """A mail server that takes our mails."""

    host: Text
    """Its name, which its certificate must have."""
    port: StrictInt | None = None
    """587 for starttls, 465 for implicit, 25 for none."""
    tls: Literal["starttls", "implicit", "none-on-loopback-only"] = "starttls"
    """How it is encrypted; a server that does not offer it gets nothing."""
    ca: Text | None = None
    """A file of certificates that are believed instead of the machine's, relative to this file."""
    user: Text | None = None
    """Who we are there."""
    password: Text | None = None
    """A reference to the password: file:PATH, env:NAME or STORE:REF#FIELD."""
    sender: Annotated[Text, Field(alias="from")]
    """The address that mails come from."""
    to: Annotated[list[Text], Field(min_length=1), BeforeValidator(_as_list, json_schema_input_type=Text | list[Text])]
    """Who gets them."""


class NotificationEntry(Strict):
    """Who is told outside of any command, and of what. One of webhook, smtp and apprise."""

    webhook: Text | None = None
    """A URL that gets one JSON object for each notice."""
    secret: Text | None = None
    """A reference to the webhook's secret, by which it is signed as Standard Webhooks says: whsec_…"""
    ca: Text | None = None
    """A file of certificates that are believed for the webhook instead of the machine's, relative to this file."""
    smtp: SmtpEntry | None = None
    """A mail for each notice."""
    apprise: Text | None = None
    """A reference to URLs of Apprise, one a line; they hold secrets. Needs the extra notify."""
    severity: Literal["info", "warning", "critical"] = "warning"
    """The least that is told."""
    owners: list[Text] = []
    """Only what is theirs, by the credential's owner, and what is everybody's."""
    kinds: list[Text] = []
    """Only these: `rotator notify list --kinds` shows them."""
    again: Text = "24h"
    """What goes on unchanged is told again after so long; before that it is told once."""
    resolved: StrictBool = True
    """Whether it is also told when it is over."""


class GithubLeaksEntry(Strict):
    """What GitHub may tell of leaked keys, by webhook."""

    secret: Text | None = None
    """A reference to the secret of a repository's or an organisation's webhook (X-Hub-Signature-256)."""
    keys: Text | None = None
    """Where the partner programme's public keys are: https://api.github.com/meta/public_keys/secret_scanning."""


class LeaksEntry(Strict):
    """Who may tell that a key is public."""

    github: GithubLeaksEntry | None = None


class TlsEntry(Strict):
    """A certificate for the API."""

    cert: Text
    """A file with the certificate and its chain, in PEM."""
    key: Text
    """A file with its key, in PEM."""


class RolesEntry(Strict):
    """Who may what, by the words of a claim."""

    claim: Text = "groups"
    """The claim that holds them."""
    viewer: list[Text] = []
    """Who looks."""
    operator: list[Text] = []
    """Who rotates, holds and releases."""
    responder: list[Text] = []
    """Who handles emergencies."""


class OidcSignInEntry(Strict):
    """How people sign in at the identity provider (OpenID Connect, code flow)."""

    client_id: Text
    """What the provider calls the dashboard."""
    client_secret: Text | None = None
    """A reference to what it shows the provider; left out for a public client."""
    authorization_endpoint: Text
    """Where people are sent, as the provider's discovery document says."""
    token_endpoint: Text
    """Where the daemon asks who came back."""
    redirect_uri: Text
    """https://NAME/sign-in/back: where people come back to, as the provider has it."""
    scopes: list[Text] = ["openid", "profile", "email"]
    """What is asked for; openid must be among them."""


class OidcEntry(Strict):
    """Whose JWTs the API believes."""

    issuer: Text
    """Exactly as the provider writes it."""
    audience: Text
    """Whom its tokens must be for."""
    jwks: Text
    """Where its public keys are."""
    roles: RolesEntry
    owners: Text | None = None
    """The claim that holds the owners whose credentials are seen; left out, everybody with a role sees all."""
    everything: list[Text] = []
    """Words of the roles' claim whose holders see all, whatever owners they have."""
    sign_in: OidcSignInEntry | None = None
    """Left out, people paste a token into the dashboard."""


class ApiEntry(Strict):
    """The HTTP API of the daemon."""

    listen: Text | None = None
    """127.0.0.1:8750; another address than this machine's own needs tls."""
    tls: TlsEntry | None = None
    hosts: list[Text] = []
    """The names by which it may be called, beside its own address."""
    oidc: OidcEntry | None = None


class ConfigFile(Strict):
    """The config of the rotator. Secrets are referred to, never written here."""

    state: Annotated[State, BeforeValidator(_as_url, json_schema_input_type=Text | State)]
    """Where the journal is."""
    installation: Installation
    include: Annotated[list[Text], BeforeValidator(_as_list, json_schema_input_type=Text | list[Text])] = []
    """Files beneath this one's folder that hold more credentials: credentials/*.yaml."""
    defaults: Defaults = Defaults()
    approvals: Approvals | None = None
    """Who may approve a change by signing a commit."""
    metrics: MetricsEntry | None = None
    """Where a daemon shows its metrics; left out, nowhere."""
    providers: dict[Name, ProviderEntry] = {}
    """Who issues keys."""
    stores: dict[Name, StoreEntry] = {}
    """Where consumers read them."""
    credentials: dict[Name, CredentialEntry] = {}
    """What is rotated."""
    policies: dict[Name, dict[str, JsonValue]] = {}
    """When, by name: {every: 30d, window: "Mon-Fri 09:00-16:00 Europe/Berlin", overlap: 24h, quiet_for: 1h}."""
    consumers: dict[Name, ConsumerEntry] = {}
    """Who reads the stores."""
    listen: Text | None = None
    """Where the daemon's API listens: 127.0.0.1:8750. The same as api: {listen: …}."""
    api: ApiEntry | None = None
    identities: dict[Name, IdentityEntry] = {}
    """Roles and service accounts, and what they may read beyond what their consumers are known to need."""
    notifications: dict[Name, NotificationEntry] = {}
    """Who is told of what needs a person: {webhook: URL, secret: REFERENCE}, {smtp: {…}} or {apprise: REFERENCE}."""
    leaks: LeaksEntry = LeaksEntry()
    """Who may tell that a key is public."""


class Environment(BaseSettings):
    """What the environment may override, and nothing more."""

    model_config = SettingsConfigDict(env_prefix="ROTATOR_", extra="ignore", env_ignore_empty=True)

    state: str | None = None
    parallel: Annotated[int, Field(ge=1, le=256)] | None = None
    log: Annotated[LogLevel, BeforeValidator(_lower)] | None = None
    listen: str | None = None
