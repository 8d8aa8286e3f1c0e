"""Which living keys are nobody's here, as far as journal and marks tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.aftermath import ForeignKey
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Key, KeyState
from rotator.domain.records import KnownKey

PrincipalOf = tuple[str, str, tuple[tuple[str, str], ...]]

LONGEST = 200
"""Characters of a provider's text that are kept."""


NO_LISTS = "the provider lists no keys"


@dataclass(frozen=True, slots=True)
class Stranger:
    """A living key that no credential has. `why`: what it bears or was, if that looks like one of ours."""

    key: Key
    why: str = ""


class Ours:
    """What the journal knows now, asked once for many lists. Entries of the same driver may be of one account."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._marker = assembly.installation.marker()
        config = assembly.config
        self._driver = {name: each.driver for name, each in config.providers.items()}
        driver_of = {name: self._driver[spec.provider] for name, spec in config.credentials.items()}
        self._known: dict[str, list[KnownKey]] = {}
        for each in assembly.journal.every_key():
            self._known.setdefault(each.key_id, []).append(each)
        self._names: dict[str | None, list[str]] = {}
        for name in dict.fromkeys((*driver_of, *config.broken)):
            self._names.setdefault(driver_of.get(name), []).append(name)
        self._driver_of = driver_of

    def owner(self, key_id: str) -> str | None:
        """A credential that has or had it, of whatever provider, and whether or not the config still names it."""
        found = self._known.get(key_id)
        return found[0].credential if found else None

    def knows(self, provider: str, key_id: str) -> bool:
        """Whether a key is, or was, a credential's of that provider or of another entry with its driver."""
        return bool(self._there(provider, key_id))

    def dead_since(self, provider: str, key_id: str) -> tuple[str, datetime] | None:
        """The credential of which the key was, and since when it is known to be dead; None for one that may live."""
        found = self._there(provider, key_id)
        dead = [(each.credential, each.dead_at) for each in found if each.dead_at is not None]
        return max(dead, key=lambda each: each[1]) if dead and len(dead) == len(found) else None

    def _there(self, provider: str, key_id: str) -> list[KnownKey]:
        driver = self._driver.get(provider)
        return [each for each in self._known.get(key_id, ()) if self._driver_of.get(each.credential) == driver]

    def marked(self, provider: str, mark: str | None) -> tuple[str, str] | None:
        """Credential and rotation of a mark that is ours."""
        for name in (*self._names.get(self._driver.get(provider), ()), *self._names.get(None, ())):
            found = self._marker.read(name, mark)
            if found is not None:
                return name, found.rotation
        return None

    def strangers(
        self, provider: str, listed: Iterable[Key], now: datetime, lag: timedelta = timedelta(0)
    ) -> tuple[Stranger, ...]:
        """Those of a list. A key with our mark is ours, unless that mark's rotation is over and made another one.

        A dead key of ours is none any more where it is enabled more than a `lag` after its death.
        """
        found = []
        for key in listed:
            if not key.live:
                continue
            dead = self.dead_since(provider, key.id)
            if dead is not None and key.state is KeyState.ENABLED and now - dead[1] > lag:
                found.append(Stranger(key, f"it was a key of {dead[0]}, proven dead, and is enabled again"))
            if self.knows(provider, key.id):
                continue
            marked, owner = self.marked(provider, key.mark), self.owner(key.id)
            if marked is not None and self._copied(marked[1], key.id):
                found.append(Stranger(key, f"it bears a copy of a mark of {marked[0]}"))
            elif marked is None:
                found.append(Stranger(key, f"the journal knows it as a key of {owner}" if owner else ""))
        return tuple(found)

    def _copied(self, rotation: str, key_id: str) -> bool:
        row = self._assembly.journal.rotation(rotation)
        return row is not None and not row.open and row.new_key != key_id


def listed(
    assembly: Assembly, specs: Sequence[Credential], parallel: int
) -> tuple[dict[str, tuple[Key, ...]], dict[str, str]]:
    """What each credential's principal has now, by credential; and of whom nobody could tell, why."""
    untold: dict[str, str] = {}

    def ask(spec: Credential) -> tuple[Key, ...]:
        try:
            provider = patient(assembly.world_of(spec)).provider
            if not provider.capabilities(spec.principal).lists:
                untold[spec.name] = NO_LISTS
                return ()
            return provider.keys(spec.principal)
        except (ConfigError, Failure) as failure:
            untold[spec.name] = failure.message
            return ()

    if not specs:
        return {}, {}
    with ThreadPoolExecutor(min(parallel, len(specs)), thread_name_prefix="looking") as pool:
        found = dict(zip((spec.name for spec in specs), pool.map(ask, specs), strict=True))
    return {name: keys for name, keys in found.items() if name not in untold}, untold


def one_of_each(specs: Iterable[Credential]) -> tuple[Credential, ...]:
    """One credential for each principal: an exclusive one, if any is."""
    found: dict[PrincipalOf, Credential] = {}
    for spec in specs:
        place = principal_of(spec)
        if place not in found or spec.principal.exclusive:
            found[place] = spec
    return tuple(found.values())


def principal_of(spec: Credential) -> PrincipalOf:
    """What tells a principal from every other one."""
    settings = tuple(sorted((name, str(value)) for name, value in spec.principal.settings.items()))
    return spec.provider, "" if settings else spec.principal.name, settings


def described(spec: Credential, key: Key, since: datetime | None, *, planned: bool = False) -> ForeignKey:
    """A listed key as it is kept and shown."""
    return ForeignKey(
        provider=spec.provider,
        principal=spec.principal.name,
        key_id=key.id,
        beside=spec.name,
        name=(key.mark or key.hint)[:LONGEST],
        created_by=key.created_by[:LONGEST],
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        in_window=in_window(key.created_at, since),
        planned=planned,
    )


def in_window(made_at: datetime | None, since: datetime | None) -> bool:
    """Whether something may have been made by the thief: what nobody knows counts."""
    return made_at is None or since is None or made_at >= since
