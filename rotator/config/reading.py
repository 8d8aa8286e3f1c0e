"""From the file's shape to the domain's values; what is wrong is said with file, line and the nearest right word."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.config.document import Document, Where, read_document
from rotator.config.errors import ConfigError, nearest
from rotator.config.recognise import contains_key
from rotator.config.references import HOW, Reference, read_reference
from rotator.domain.credential import Credential, Principal, Publication
from rotator.domain.policy import STANDARD, Policy, PolicyError
from rotator.domain.times import UnreadableError, parse_duration, quoted
from rotator.policy.reading import read_policy

if TYPE_CHECKING:
    from pydantic import ValidationError

    from rotator.config.models import ConfigFile, CredentialEntry

SECRET_NAMES = frozenset({"token", "secret_id", "password", "secret", "api_key", "key", "admin"})
_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|m|h)")
_ADJACENT = re.compile(r"\}\{")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverConfig:
    """A provider or a store as configured. `admin` and `rate` (requests a second) are a provider's."""

    name: str
    driver: str
    settings: Mapping[str, Any]
    admin: Reference | None = None
    hosts: tuple[str, ...] = ()
    rate: float | None = None
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that a config says. `broken`: credentials that cannot be used as they stand, and why."""

    path: Path
    state: str
    state_password: Reference | None
    installation: Reference
    parallel: int
    lease: timedelta
    providers: Mapping[str, DriverConfig]
    stores: Mapping[str, DriverConfig]
    credentials: Mapping[str, Credential]
    broken: Mapping[str, ConfigError] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return self.path.resolve().parent


def read_config(path: Path, *, lenient: bool = False) -> Config:
    """Read the config and what it includes. Raises `ConfigError`; with `lenient` a credential's own faults are kept in

    `broken` instead, so that in an emergency what can go goes.
    """
    document = read_document(path)
    _include(document, path)
    _refuse_secrets(document)
    file = _validated(document)
    return _Reader(document, file, path, lenient=lenient).config()


def _include(document: Document, path: Path) -> None:
    """Merge the `credentials` of included files, each name once."""
    patterns = document.value.get("include", []) if isinstance(document.value, dict) else []
    for pattern in [patterns] if isinstance(patterns, str) else patterns or []:
        found = _included(path.resolve().parent, str(pattern), document.where(("include",)))
        if not found and not glob.has_magic(str(pattern)):
            raise ConfigError(f"{document.where(('include',))}: {quoted(pattern)} does not exist", "mend the path")
        for name in found:
            _merge(document, read_document(name))


def _included(base: Path, pattern: str, where: Where) -> list[Path]:
    if Path(pattern).is_absolute():
        raise ConfigError(f"{where}: {quoted(pattern)} is absolute", "include files beneath the config's own folder")
    return sorted(base.glob(pattern))


def _merge(document: Document, other: Document) -> None:
    entries = other.value
    if not isinstance(entries, dict) or set(entries) - {"credentials"}:
        raise ConfigError(f"{other.file} is included and may hold credentials: alone", "move the rest to the main file")
    credentials = document.value.setdefault("credentials", {})
    for name, entry in (entries.get("credentials") or {}).items():
        if name in credentials:
            raise ConfigError(f"{other.where(('credentials', name))}: {name} stands twice", "remove one of the two")
        credentials[name] = entry
        offset = ("credentials", name)
        document.lines.update({at: line for at, line in other.lines.items() if at[: len(offset)] == offset})


def _refuse_secrets(document: Document) -> None:
    for path, text in _texts(document.value):
        form = contains_key(text)
        if form is not None:
            what = ".".join(str(each) for each in path)
            raise ConfigError(f"{document.where(path)}: {what} holds a key ({form.vendor})", f"{HOW} instead")


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key), key
            yield from _texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))


def _validated(document: Document) -> ConfigFile:
    from pydantic import ValidationError

    from rotator.config.models import ConfigFile

    if not isinstance(document.value, dict):
        raise ConfigError(f"{document.file} is no config", "`rotator init` writes one")
    try:
        return ConfigFile.model_validate(document.value)
    except ValidationError as error:
        raise _explained(document, error) from None


def _explained(document: Document, error: ValidationError) -> ConfigError:
    """The first thing that pydantic found, said without the value it found there."""
    from rotator.config.models import ConfigFile

    first = min(error.errors(include_input=False, include_url=False), key=lambda each: _line(document, each["loc"]))
    path = tuple(first["loc"])
    shown = ".".join(str(each) for each in path)
    where = document.where(path)
    if first["type"] == "extra_forbidden":
        known = _known_fields(ConfigFile, path[:-1])
        near = nearest(str(path[-1]), known)
        hint = f"did you mean {near}?" if near else "known here: " + ", ".join(sorted(known))
        return ConfigError(f"{where}: {quoted(shown)} is not known", hint)
    if first["type"] == "missing":
        return ConfigError(f"{where}: {shown} is missing", f"add {path[-1]}: …, see the README's config")
    return ConfigError(f"{where}: {shown}: {first['msg'][:1].lower()}{first['msg'][1:]}", "see the README's config")


def _line(document: Document, path: tuple[Any, ...]) -> int:
    return document.where(tuple(path)).line


def _known_fields(model: Any, path: tuple[Any, ...]) -> list[str]:
    """The fields of the model at a path, found by walking its annotations."""
    import typing

    for step in path:
        fields = getattr(model, "model_fields", None)
        if fields is not None and step in fields:
            model = fields[step].annotation
        else:
            arguments = [a for a in typing.get_args(model) if a is not type(None)]
            model = arguments[-1] if arguments else model
        for argument in typing.get_args(model):
            if hasattr(argument, "model_fields"):
                model = argument
    return list(getattr(model, "model_fields", {}))


class _Reader:
    def __init__(self, document: Document, file: ConfigFile, path: Path, *, lenient: bool) -> None:
        self.document = document
        self.file = file
        self.path = path
        self.lenient = lenient
        self.policies: dict[str, Policy] = {}

    def config(self) -> Config:
        from rotator.config.models import Environment, State

        state = self.file.state if isinstance(self.file.state, State) else State(url=self.file.state)
        environment = _environment(Environment)
        self.policies = {name: self._policy(entry, ("policies", name)) for name, entry in self.file.policies.items()}
        credentials, broken = self._credentials()
        return Config(
            path=self.path,
            state=environment.state or state.url,
            state_password=self._reference(state.password, ("state", "password")) if state.password else None,
            installation=self._installation(),
            parallel=environment.parallel or self.file.defaults.parallel,
            lease=self._duration(self.file.defaults.lease, ("defaults", "lease")),
            providers={name: self._provider(name) for name in self.file.providers},
            stores={name: self._store(name) for name in self.file.stores},
            credentials=credentials,
            broken=broken,
        )

    def _installation(self) -> Reference:
        return self._reference(self.file.installation.key, ("installation", "key"))

    def _reference(self, text: str, path: tuple[Any, ...]) -> Reference:
        where = f"{self.document.where(path)}: {'.'.join(str(each) for each in path)}"
        return read_reference(text, self.file.stores, where)

    def _duration(self, text: str, path: tuple[Any, ...]) -> timedelta:
        try:
            duration = parse_duration(text)
        except UnreadableError as error:
            raise self._error(path, error.message, error.hint) from None
        if duration < timedelta(seconds=1):
            raise self._error(path, f"{text} is too short", "write at least 1s")
        return duration

    def _error(self, path: tuple[Any, ...], message: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.document.where(path)}: {message}", hint)

    def _provider(self, name: str) -> DriverConfig:
        entry = self.file.providers[name]
        path = ("providers", name)
        self._secrets_are_references(entry.settings, path)
        return DriverConfig(
            name=name,
            driver=entry.driver,
            settings=entry.settings,
            admin=self._reference(entry.admin, (*path, "admin")),
            hosts=tuple(entry.hosts),
            rate=self._rate(entry.rate, (*path, "rate")),
            where=self.document.where(path),
        )

    def _store(self, name: str) -> DriverConfig:
        entry = self.file.stores[name]
        path = ("stores", name)
        if name in ("file", "env"):
            raise self._error(path, f"a store cannot be called {name}", f"{name}: already begins a reference")
        self._secrets_are_references(entry.settings, path)
        return DriverConfig(name=name, driver=entry.driver, settings=entry.settings, where=self.document.where(path))

    def _secrets_are_references(self, settings: Mapping[str, Any], path: tuple[Any, ...]) -> None:
        for key, value in settings.items():
            if isinstance(value, dict):
                self._secrets_are_references(value, (*path, key))
            elif key in SECRET_NAMES and isinstance(value, str):
                self._reference(value, (*path, key))

    def _rate(self, text: str | None, path: tuple[Any, ...]) -> float | None:
        if text is None:
            return None
        found = _RATE.fullmatch(text)
        if not found or float(found[1]) <= 0:
            raise self._error(path, f"{quoted(text)} is not a rate", "write it like 5/s or 100/m")
        return float(found[1]) / {"s": 1, "m": 60, "h": 3600}[found[2]]

    def _policy(self, entry: Mapping[str, Any], path: tuple[Any, ...]) -> Policy:
        from datetime import UTC, datetime

        from rotator.adapters.calendar import CronCalendar
        from rotator.policy.checks import check

        try:
            policy = read_policy(entry)
            check(policy, now=datetime.now(UTC), calendar=CronCalendar())
        except PolicyError as error:
            raise self._error(path, error.message, error.hint) from None
        return policy

    def _credentials(self) -> tuple[dict[str, Credential], dict[str, ConfigError]]:
        good: dict[str, Credential] = {}
        broken: dict[str, ConfigError] = {}
        taken: dict[tuple[str, str, str], str] = {}
        for name, entry in self.file.credentials.items():
            try:
                good[name] = self._credential(name, entry, taken)
            except ConfigError as error:
                if not self.lenient:
                    raise
                broken[name] = error
        return good, broken

    def _credential(self, name: str, entry: CredentialEntry, taken: dict[tuple[str, str, str], str]) -> Credential:
        path = ("credentials", name)
        self._must_know(entry.provider, self.file.providers, "provider", (*path, "provider"))
        for index, consumer in enumerate(entry.consumers):
            if self.file.consumers:
                self._must_know(consumer, self.file.consumers, "consumer", (*path, "consumers", index))
        return Credential(
            name=name,
            provider=entry.provider,
            principal=_principal(entry),
            publish=tuple(self._publication(name, entry, index, taken) for index in range(len(entry.publish))),
            policy=self._policy_of(entry, path),
            owner=entry.owner or "",
            tags=tuple(entry.tags),
            scopes=tuple(entry.needs.scopes),
            consumers=tuple(entry.consumers),
        )

    def _policy_of(self, entry: CredentialEntry, path: tuple[Any, ...]) -> Policy:
        wanted = entry.policy if entry.policy is not None else self.file.defaults.policy
        if wanted is None:
            return STANDARD
        if isinstance(wanted, str):
            self._must_know(wanted, self.policies, "policy", (*path, "policy"))
            return self.policies[wanted]
        return self._policy(wanted, (*path, "policy"))

    def _publication(
        self, name: str, entry: CredentialEntry, index: int, taken: dict[tuple[str, str, str], str]
    ) -> Publication:
        place, path = entry.publish[index], ("credentials", name, "publish", index)
        self._must_know(place.store, self.file.stores, "store", (*path, "store"))
        for each, template in place.fields.items():
            self._check_template(template, (*path, "fields", each))
            other = taken.setdefault((place.store, place.ref, each), name)
            if other != name or sum(p.ref == place.ref and p.store == place.store for p in entry.publish) > 1:
                raise self._error(
                    (*path, "fields", each),
                    f"the field {quoted(each)} of {place.store}:{place.ref} is published twice, by {other} and {name}",
                    "two credentials may share a document, never a field",
                )
        return Publication(store=place.store, ref=place.ref, fields=dict(place.fields))

    def _check_template(self, template: str, path: tuple[Any, ...]) -> None:
        parts = _BRACES.findall(template)
        if not parts or not all(re.fullmatch(r"[a-z_]+", part) for part in parts):
            raise self._error(path, f"{quoted(template)} mentions no part of a key", 'write it like "{secret}"')
        if _ADJACENT.search(template):
            raise self._error(path, f"{quoted(template)} cannot be read backwards", "put text between the parts")

    def _must_know(self, word: str, known: Mapping[str, Any], what: str, path: tuple[Any, ...]) -> None:
        if word in known:
            return
        near = nearest(word, known)
        hint = f"did you mean {near}?" if near else f"declare it beneath {what}s:".replace("policys", "policies")
        raise self._error(path, f"there is no {what} {quoted(word)}", hint)


def _environment(model: Any) -> Any:
    from pydantic import ValidationError

    try:
        return model()
    except ValidationError as error:
        name = "ROTATOR_" + str(error.errors()[0]["loc"][0]).upper()
        raise ConfigError(f"the environment variable {name} is not understood", "unset it or mend it") from None


def _principal(entry: CredentialEntry) -> Principal:
    settings = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.principal.items() if key != "exclusive"}
    texts = {key: value if isinstance(value, (str, tuple)) else str(value).lower() for key, value in settings.items()}
    name = ",".join("+".join(v) if isinstance(v, tuple) else v for _, v in sorted(texts.items()))
    return Principal(name=name or "default", exclusive=entry.principal.get("exclusive") is True, settings=texts)
