"""From the file's shape to the values of the domain; what is wrong is said with its file and line."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rotator.config.describing import SETTING, Places, is_file, read_description
from rotator.config.document import Document, Step, Where
from rotator.config.errors import ConfigError, nearest
from rotator.config.faults import SECTIONS, Faults
from rotator.config.identities import make_identities
from rotator.config.listening import loopback, read_address, read_hosts
from rotator.config.notifications import make_github_leaks, make_notification
from rotator.config.references import BUILT_IN, Reference, read_reference
from rotator.config.secrecy import dotted, masked, secret_settings, shown
from rotator.config.templates import complaint
from rotator.config.values import ConsumerConfig, DriverConfig, GithubLeaks, MetricsConfig, NotificationConfig
from rotator.domain.credential import Credential, Principal, Publication
from rotator.domain.pairs import Pairs
from rotator.domain.policy import STANDARD, Policy, PolicyError
from rotator.domain.times import UnreadableError, format_duration, parse_duration
from rotator.policy.checks import check
from rotator.policy.reading import read_policy
from rotator.ports import Calendar

if TYPE_CHECKING:
    from rotator.config.models import ConfigFile, CredentialEntry, NotificationEntry

_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
HOW_RATE = "write it like 5/s or 100/m"
NO_ADMIN = "none"
"""What the config says of a provider whose keys a person makes and deletes."""
OWN, DEFAULT = "own", "default"
"""Instead of a policy's name: one that is written out where it is used, and the one of who names none."""
T = TypeVar("T")


class Maker:
    """Makes the values of one config. Every method raises `ConfigError`; lenient, an entry's own faults are kept."""

    def __init__(self, document: Document, file: ConfigFile, calendar: Calendar, faults: Faults) -> None:
        self._document = document
        self._file = file
        self._calendar = calendar
        self._faults = faults
        self.stores = self._each("stores", file.stores, self._store)
        self._no_circles()
        self.providers = self._each("providers", file.providers, self._provider)
        self._policies = self._each("policies", file.policies, self._named_policy)
        self.consumers = self._each("consumers", file.consumers, self._consumer)
        self.policies: dict[str, str] = {}
        self._taken: dict[tuple[str, str, str], str] = {}
        self._principals: dict[tuple[str, Principal], str] = {}
        self._fields_once: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self.credentials = self._each("credentials", file.credentials, self._credential)
        self.identities = make_identities(document, file, faults)
        self.notifications = self._each("notifications", file.notifications, self._notification)
        self.github_leaks = self._lenient("leaks", "github", self._github_leaks)

    def reference(self, text: str, path: tuple[Step, ...], *, private: bool = False) -> Reference:
        """The reference at a path."""
        where = f"{self._document.where(path)}: {dotted(path)}"
        return read_reference(text, self._file.stores, where, private=private)

    def duration(self, text: str, path: tuple[Step, ...]) -> timedelta:
        """A duration of at least a second."""
        try:
            duration = parse_duration(text)
        except UnreadableError as error:
            raise self.error(path, f"{dotted(path)}: {masked(error.message)}", error.hint) from None
        if duration < timedelta(seconds=1):
            raise self.error(path, f"{dotted(path)} is too short", "write at least 1s")
        return duration

    def error(self, path: tuple[Step, ...], message: str, hint: str) -> ConfigError:
        """What is wrong at a path."""
        return ConfigError(f"{self._document.where(path)}: {message}", hint)

    def _each(self, section: str, entries: Mapping[str, Any], make: Callable[[str, Any], T]) -> dict[str, T]:
        made: dict[str, T] = {}
        for name, entry in entries.items():
            try:
                made[name] = make(name, entry)
            except ConfigError as fault:
                self._faults.add(section, name, fault)
        return made

    # -- providers and stores --------------------------------------------------------------------------------------

    def _provider(self, name: str, entry: Any) -> DriverConfig:
        path = ("providers", name)
        settings = entry.settings
        # a description says where in an answer a secret is, and `secret: /key` is no secret
        self._secrets_are_references({key: each for key, each in settings.items() if key != SETTING}, path)
        if is_file(settings.get(SETTING)):  # it could not be read before; this says why
            read_description(Path(self._document.file).resolve().parent / settings[SETTING])
        return DriverConfig(
            name=name,
            driver=entry.driver,
            settings=settings,
            described=self._beneath((*path, SETTING)),
            admin=None if entry.admin == NO_ADMIN else self.reference(entry.admin, (*path, "admin")),
            hosts=tuple(entry.hosts),
            rate=self._rate(entry.rate, (*path, "rate")),
            isolation=entry.isolation,
            where=self._document.where(path),
        )

    def _store(self, name: str, entry: Any) -> DriverConfig:
        path = ("stores", name)
        if name in BUILT_IN:
            raise self.error(path, f"a store cannot be called {name}", f"{name}: begins a reference of another kind")
        self._secrets_are_references(entry.settings, path)
        return DriverConfig(
            name=name,
            driver=entry.driver,
            settings=entry.settings,
            hosts=tuple(entry.hosts),
            isolation=entry.isolation,
            where=self._document.where(path),
        )

    def _consumer(self, name: str, entry: Any) -> ConsumerConfig:
        path = ("consumers", name, "reload")
        self._secrets_are_references(entry.reload, path)
        return ConsumerConfig(
            name=name,
            owner=entry.owner or "",
            environment=entry.environment or "",
            lockfiles=tuple(entry.lockfiles),
            identities=tuple(entry.identities),
            reload=entry.reload,
            where=self._document.where(path if entry.reload else path[:2]),
        )

    def _notification(self, name: str, entry: NotificationEntry) -> NotificationConfig:
        return make_notification(self, name, entry)

    def _github_leaks(self) -> GithubLeaks | None:
        return make_github_leaks(self, self._file.leaks.github)

    def _lenient(self, section: str, name: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigError as fault:
            self._faults.add(section, name, fault)
            return None

    def where(self, path: tuple[Step, ...]) -> Where:
        """The file and line of a path."""
        return self._document.where(path)

    def _secrets_are_references(self, settings: Any, path: tuple[Step, ...]) -> None:
        for at, text in secret_settings(settings, path):
            if not isinstance(text, str):
                message = f"{dotted(at)} is not a reference; a secret does not belong into the config"
                raise self.error(at, message, "write file:PATH, env:NAME or STORE:REF#FIELD")
            self.reference(text, at)

    def _no_circles(self) -> None:
        """A store that can be opened only with what it holds itself, perhaps by way of others."""
        for name in list(self.stores):
            reached: set[str] = set()
            ahead = [name]
            while ahead:
                needed = self._needed(ahead.pop()) - reached
                reached |= needed
                ahead.extend(needed)
            if name in reached:
                fault = self.error(
                    ("stores", name),
                    f"the store {name} needs a secret that is in itself",
                    "write file:PATH or env:NAME",
                )
                self._faults.add("stores", name, fault)
                del self.stores[name]

    def _needed(self, store: str) -> set[str]:
        if store not in self.stores:
            return set()
        texts = (text for _, text in secret_settings(self.stores[store].settings, ()))
        return {text.partition(":")[0] for text in texts if isinstance(text, str)} & set(self._file.stores)

    def _rate(self, text: str | None, path: tuple[Step, ...]) -> float | None:
        if text is None:
            return None
        rate = parse_rate(text)
        if rate is None:
            raise self.error(path, f"{shown(text)} is not a rate", HOW_RATE)
        return rate

    def _beneath(self, path: tuple[Step, ...]) -> Places:
        """The places of everything at a path, by what follows it."""
        return {at[len(path) :]: place for at, place in self._document.places.items() if at[: len(path)] == path}

    def metrics(self) -> MetricsConfig | None:
        """Where a daemon shows its metrics."""
        entry = self._file.metrics
        if entry is None:
            return None
        path: tuple[Step, ...] = ("metrics", "listen")
        address, port = read_address(entry.listen, f"{self._document.where(path)}: {dotted(path)}")
        if not loopback(address) and not entry.unencrypted:
            message = f"{dotted(path)} is reached from other machines, and nothing there is encrypted"
            raise self.error(path, message, "listen on 127.0.0.1, or write unencrypted: true beside it")
        hosts = read_hosts(entry.hosts, f"{self._document.where(('metrics', 'hosts'))}: metrics.hosts")
        return MetricsConfig(address=address, port=port, hosts=hosts)

    # -- policies --------------------------------------------------------------------------------------------------

    def _named_policy(self, name: str, entry: Any) -> Policy:
        return self._policy(entry, ("policies", name))

    def _policy(self, entry: Mapping[str, Any], path: tuple[Step, ...]) -> Policy:
        try:
            policy = read_policy({name: each for name, each in entry.items() if each is not None})
            check(policy, now=datetime.now(UTC), calendar=self._calendar)
        except PolicyError as error:
            setting = error.message.partition(":")[0].strip("'\"")
            at = (*path, setting) if setting in entry else path
            raise self.error(at, f"{dotted(path)}: {masked(error.message)}", masked(error.hint)) from None
        return policy

    def _policy_of(self, name: str, entry: CredentialEntry) -> Policy:
        path: tuple[Step, ...] = ("credentials", name, "policy")
        wanted = entry.policy
        if wanted is None:
            path, wanted = ("defaults", "policy"), self._file.defaults.policy
        self.policies[name] = wanted if isinstance(wanted, str) else OWN if wanted is not None else DEFAULT
        if wanted is None:
            return STANDARD
        if not isinstance(wanted, str):
            return self._policy(wanted, path)
        self._must_know(wanted, "policies", path)
        return self._policies[wanted]

    # -- credentials -----------------------------------------------------------------------------------------------

    def _credential(self, name: str, entry: CredentialEntry) -> Credential:
        path = ("credentials", name)
        self._must_know(entry.provider, "providers", (*path, "provider"))
        for index, consumer in enumerate(entry.consumers if self._file.consumers else ()):
            self._must_know(consumer, "consumers", (*path, "consumers", index))
        policy = self._policy_of(name, entry)
        credential = Credential(
            name=name,
            provider=entry.provider,
            principal=self._principal(entry, (*path, "principal")),
            publish=tuple(self._publication(name, entry, index) for index in range(len(entry.publish))),
            policy=policy,
            owner=entry.owner or "",
            tags=tuple(entry.tags),
            scopes=tuple(entry.needs.scopes),
            lifetime=self._lifetime(entry, policy, (*path, "needs", "expires")),
            consumers=tuple(entry.consumers),
        )
        self._shares_nothing(credential)
        return credential

    def _lifetime(self, entry: CredentialEntry, policy: Policy, path: tuple[Step, ...]) -> timedelta | None:
        """After which a key ends by itself: not before its successor is live and everybody has moved."""
        if entry.needs.expires is None:
            return None
        lifetime = self.duration(entry.needs.expires, path)
        if policy.every is not None and lifetime < policy.every + policy.overlap:
            least = format_duration(policy.every + policy.overlap)
            raise self.error(path, f"{dotted(path)} ends a key before it is replaced", f"write at least {least}")
        return lifetime

    def _principal(self, entry: CredentialEntry, path: tuple[Step, ...]) -> Principal:
        self._secrets_are_references(entry.principal, path)
        exclusive = entry.principal.get("exclusive", False)
        if not isinstance(exclusive, bool):
            raise self.error((*path, "exclusive"), f"{dotted(path)}.exclusive is neither true nor false", "write true")
        return make_principal({key: each for key, each in entry.principal.items() if key != "exclusive"}, exclusive)

    def _publication(self, name: str, entry: CredentialEntry, index: int) -> Publication:
        place, path = entry.publish[index], ("credentials", name, "publish", index)
        self._must_know(place.store, "stores", (*path, "store"))
        if any((each.store, each.ref) == (place.store, place.ref) for each in entry.publish[:index]):
            raise self.error(path, f"{name} names {place.store}:{shown(place.ref)} twice", "write its fields in one")
        for each, template in place.fields.items():
            wrong = complaint(template)
            if wrong is not None:
                raise self.error((*path, "fields", each), f"the field {shown(each)} {wrong[0]}", wrong[1])
        fields = self._fields_once.setdefault(tuple(place.fields.items()), place.fields)
        return Publication(store=place.store, ref=place.ref, fields=fields)

    def _shares_nothing(self, credential: Credential) -> None:
        """No two credentials write one field, and an exclusive principal is one credential's."""
        path = ("credentials", credential.name)
        fields = list(self._fields(credential))
        for at, field in fields:
            other = self._taken.get(field)
            if other is not None:
                message = f"{other} publishes to the field {shown(field[2])} of {shown(field[1])} already"
                raise self.error((*path, *at), message, "two credentials may share a document, never a field")
        identity = (credential.provider, make_principal(credential.principal.settings, exclusive=False))
        other = self._principals.get(identity)
        if other is not None and (
            credential.principal.exclusive or self._file.credentials[other].principal.get("exclusive")
        ):
            message = f"{other} has the same principal, and one of the two says exclusive"
            raise self.error((*path, "principal"), message, "give each its own principal, or leave exclusive out")
        self._principals[identity] = credential.name
        self._taken.update(dict.fromkeys((field for _, field in fields), credential.name))

    def _fields(self, credential: Credential) -> Iterator[tuple[tuple[Step, ...], tuple[str, str, str]]]:
        for index, place in enumerate(credential.publish):
            store = self.stores[place.store]
            same = json.dumps([store.driver, {**store.settings, "auth": None}], sort_keys=True)
            ref = posixpath.normpath("/" + place.ref).lstrip("/")
            for name in place.fields:
                yield ("publish", index, "fields", name), (same, ref, name)

    def _must_know(self, word: str, section: str, path: tuple[Step, ...]) -> None:
        fault = self._faults.of(section, word)
        if fault is not None:
            raise fault
        known = getattr(self._file, section)
        if word not in known:
            near = nearest(word, known)
            hint = f"did you mean {near}?" if near else f"declare it beneath {section}:"
            raise self.error(path, f"there is no {SECTIONS[section]} {shown(word)}", hint)


def parse_rate(text: object) -> float | None:
    """Requests a second; None for what is no rate."""
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    return float(found[1]) / _SECONDS[found[2]] if found and float(found[1]) > 0 else None


def make_principal(settings: Mapping[str, Any], exclusive: bool) -> Principal:
    """The principal of these settings; its name is made of their values, so that people recognise it."""
    values = {key: _plain(each) for key, each in settings.items()}
    name = ",".join("+".join(each) if isinstance(each, tuple) else each for _, each in sorted(values.items()))
    return Principal(name=name or "default", exclusive=exclusive, settings=Pairs(values))


def _plain(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else tuple(value)
