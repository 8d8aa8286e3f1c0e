"""Keys found by their form, and an honest answer for each: today, with an admin key, or by hand. No value is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.adapters.stores.file.dotenv_text import values
from rotator.app.assembly import Assembly
from rotator.app.drivers import installed, make_provider
from rotator.app.hardening import forbid_core_files
from rotator.app.logins import ROLE, Login, read_login
from rotator.config.document import Where
from rotator.config.errors import ConfigError, nearest
from rotator.config.recognise import Form, contains_key, recognise
from rotator.config.values import DriverConfig
from rotator.domain.credential import Place, PlaceKind, Principal
from rotator.domain.failures import Failure

WRITTEN = ("keyserver", "postgres")
"""The drivers whose config `init` writes; others want to know more than a key tells."""
TODAY, ADMIN, HAND = "can be rotated today", "needs an admin key", "by hand"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_BY_NAME = re.compile(r".*(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)", re.IGNORECASE)
_PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One key found. `value` stays in this process; `credential` is the name it gets.

    `lives`: what was answered when it was asked whether it works; empty: nobody could be asked.
    """

    variable: str
    credential: str
    form: Form
    value: str = field(repr=False)
    lives: str = ""

    @property
    def login(self) -> Login | None:
        """The database login that it is, if it is one that can be written as a template."""
        return read_login(self.value) if self.form.driver == "postgres" else None

    @property
    def admin(self) -> str:
        """Where a config expects the admin credential."""
        return f"env:{self.variable}_ADMIN"

    @property
    def manageable(self) -> bool:
        """Whether a driver that is here can rotate it, and its config can be written from nothing but the key."""
        known = any(each.kind == "provider" and each.name == self.form.driver for each in installed())
        return known and self.form.driver in WRITTEN and (self.form.driver != "postgres" or self.login is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the closing tables. `form`: what it looks like; `how`: what rotating it takes."""

    name: str
    form: str
    verdict: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a document holds. `unknown`: names of secrets, by their sound, of no known form; `others`: how many more."""

    candidates: tuple[Candidate, ...]
    unknown: tuple[str, ...]
    others: int


def find(variables: Mapping[str, str]) -> Found:
    """What is recognised by form among variables; values of several lines are left alone."""
    candidates = tuple(_candidates(variables))
    rest = [name for name in variables if name not in {each.variable for each in candidates}]
    unknown = tuple(name for name in rest if variables[name] and _speakable(name) and _SECRET_BY_NAME.fullmatch(name))
    return Found(candidates=candidates, unknown=unknown, others=len(rest) - len(unknown))


def read_env(text: str) -> dict[str, str]:
    """The variables of a dotenv file, as the file store reads them. Nothing is expanded."""
    forbid_core_files()  # there need not be an assembly
    return values(text)


def read_store(assembly: Assembly, source: str) -> tuple[str, str, dict[str, str]]:
    """The store, the document and its fields of `STORE:REF#FIELD,FIELD`. Raises `ConfigError`."""
    store, _, target = source.partition(":")
    ref, _, names = target.partition("#")
    if store not in assembly.config.stores:
        near = nearest(store, assembly.config.stores)
        raise ConfigError(
            "--from names neither a file nor a store", f"did you mean {near}:?" if near else "name a .env"
        )
    fields = tuple(filter(None, names.split(",")))
    if not ref or not fields:
        raise ConfigError("--from names no fields of the document", f"write --from {store}:REF#FIELD,FIELD")
    try:
        stored = assembly.store(store).read(Place(ref=ref, kind=PlaceKind.CURRENT, fields=fields))
    except Failure as failure:
        raise ConfigError(f"{store}:{ref} cannot be read: {failure.message}", failure.hint) from None
    return store, ref, dict(stored.fields or {})


def _candidates(variables: Mapping[str, str]) -> Iterator[Candidate]:
    taken: set[str] = set()
    for variable, value in variables.items():
        form = recognise(value) if "\n" not in value and _speakable(variable) else None
        if form is None:
            continue
        stem = re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-")[:50] or "key"
        name = next(each for each in _numbered(stem) if each not in taken)
        taken.add(name)
        yield Candidate(variable=variable, credential=name, form=form, value=value)


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    for number in range(2, 1_000_000):
        yield f"{stem}-{number}"


def _speakable(name: str) -> bool:
    """Whether a name may be shown and written into a config."""
    return _NAME.fullmatch(name) is not None and len(name) <= 200 and contains_key(name) is None


def entry(candidate: Candidate, environment: Mapping[str, str] = os.environ) -> Entry:
    """What can be done about a key."""
    verdict, how = _verdict(candidate, environment)
    asked = f"asked: {candidate.lives}; " if candidate.lives else ""
    return Entry(name=candidate.variable, form=candidate.form.vendor, verdict=verdict, how=asked + how)


def _verdict(candidate: Candidate, environment: Mapping[str, str]) -> tuple[str, str]:
    if not candidate.manageable:
        if candidate.form.driver == "postgres":
            return HAND, "an entry that you write: this URL holds more than a login, so no template was made"
        if candidate.form.driver is not None:
            return HAND, f"an entry that you write for the driver {candidate.form.driver}; and {candidate.form.admin}"
        return HAND, candidate.form.admin
    login, variable = candidate.login, candidate.admin.removeprefix("env:")
    more = f"make a role {login.owner} that owns what {login.user} owns now" if login else "write its base_url"
    if environment.get(variable):
        return TODAY, f"{variable} is set; first {more}"
    return ADMIN, f"{candidate.form.admin}, exported as {variable}; and {more}"


def asked(candidate: Candidate) -> Candidate:
    """Ask read-only whether it works, where a driver can with nothing but the key itself."""
    login = candidate.login
    if login is None or not candidate.manageable:
        return candidate
    where = Where(candidate.variable, 1)
    config = DriverConfig(name=candidate.credential, driver="postgres", settings=login.settings(ROLE), where=where)
    principal = Principal(name=login.user, settings={"roles": login.roles, "owner_role": login.owner})
    try:
        verdict = make_provider(config, "", _PATIENCE).verify(principal, login.value())
    except (ConfigError, Failure) as error:
        return replace(candidate, lives=error.message)
    return replace(candidate, lives=verdict.value)
