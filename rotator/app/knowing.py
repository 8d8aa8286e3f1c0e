"""Which values are ours: fingerprints that the journal knows, and of what stores hold now. No value is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Protocol

from rotator.adapters.journal.errors import NoJournalYet
from rotator.adapters.journal.location import for_replicas, path_of
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.readonly import look_at as look_at_file
from rotator.adapters.together import Threads
from rotator.app.assembly import Assembly
from rotator.app.journals import look_at as look_at_replicas
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential, PlaceKind, Publication
from rotator.domain.evidence import SURE
from rotator.domain.failures import Failure
from rotator.domain.keys import slot_of, unlisted_id
from rotator.domain.records import CredentialRow, KnownKey
from rotator.domain.rotation import Rotation
from rotator.domain.secret import Fingerprinter, Secret
from rotator.engine.places import document_value
from rotator.ports import Store

MOST_ROTATIONS = 100_000
"""That are looked at for proofs."""
AT_ONCE = 16
"""Credentials whose stores are read at the same time."""
_TAG = re.compile(r"[0-9a-f]{16}")
_NO_SECRET = frozenset(("user", "username", "access_key_id", "role_id", "public"))
"""Parts of a value that are none of its secret, where no driver can be asked which part is."""


class Standing(StrEnum):
    """How a key stands with its credential."""

    CURRENT = "current"  # the one that consumers should read
    NEW = "new"  # made since, and not current yet
    OLD = "old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One key of ours. `key_id` None: only a store has it. `alive` None: nobody here knows. `secret`: else its id.

    `proven`: a rotation proved it dead; what was only deleted, or could not be tried any more, may live.
    """

    credential: str
    provider: str
    key_id: str | None
    standing: Standing
    alive: bool | None
    dead_at: datetime | None = None
    proven: bool = False
    secret: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be asked, and why; whatever is only there may be a key all the same."""

    what: str
    why: str


class KnowsKeys(Protocol):
    """A journal, as far as it is asked here."""

    def every_key(self) -> tuple[KnownKey, ...]: ...

    def credentials(self) -> tuple[CredentialRow, ...]: ...

    def rotations(self, credential: str | None = None, *, limit: int = ...) -> tuple[Rotation, ...]: ...


@dataclass(slots=True)
class Known:
    """What is known, by fingerprint and by key id."""

    fingerprinter: Fingerprinter
    fingerprints: dict[str, list[Match]] = field(default_factory=dict)
    key_ids: dict[str, list[Match]] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)  # credentials whose current value has no fingerprint here

    def of(self, text: str) -> tuple[Match, ...]:
        """Whose secret a text is; several where credentials share a value."""
        found = self.fingerprints.get(self.fingerprinter.of_text(text)) if self.fingerprints else None
        return tuple(found or ())

    def of_key_id(self, key_id: str) -> tuple[Match, ...]:
        """Whose id a text is."""
        return tuple(self.key_ids.get(key_id, ()))

    def add(self, fingerprint: str, match: Match) -> None:
        """Learn of one more; what is known already with its key's id stays as it is."""
        known = self.fingerprints.setdefault(fingerprint, [])
        if all(each.credential != match.credential for each in known):
            known.append(match)


def from_journal(assembly: Assembly, journal: KnowsKeys) -> Known:
    """What a journal knows. Raises `Failure`."""
    known = Known(assembly.installation.fingerprinter())
    rows = {row.name: row for row in journal.credentials()}
    config = assembly.config.credentials
    proven = {
        (row.credential, old.key_id)
        for row in journal.rotations(limit=MOST_ROTATIONS)
        for old in row.old_keys
        if old.proof in SURE
    }
    for key in journal.every_key():
        row = rows.get(key.credential) or CredentialRow(name=key.credential)
        provider = config[key.credential].provider if key.credential in config else ""
        match = Match(
            credential=key.credential,
            provider=provider,
            key_id=key.key_id,
            standing=_standing(key, row),
            alive=key.alive,
            dead_at=key.dead_at,
            proven=(key.credential, key.key_id) in proven,
        )
        known.key_ids.setdefault(key.key_id, []).append(match)
        for fingerprint in _fingerprints(key):
            known.fingerprints.setdefault(fingerprint, []).append(match)
    seen = {
        match.credential
        for matches in known.fingerprints.values()
        for match in matches
        if match.standing is Standing.CURRENT
    }
    known.unseen = set(config) - seen
    return known


def nothing_known(assembly: Assembly) -> Known:
    """Where there is no journal."""
    return Known(assembly.installation.fingerprinter(), unseen=set(assembly.config.credentials))


def _standing(key: KnownKey, row: CredentialRow) -> Standing:
    if row.current == key.key_id:
        return Standing.CURRENT
    newer = key.alive and row.current_since is not None and key.since > row.current_since
    return Standing.NEW if newer else Standing.OLD


def _fingerprints(key: KnownKey) -> set[str]:
    """The key's own, and that in the id of a slot's key or of one that no list shows."""
    found = {key.fingerprint} if key.fingerprint else set()
    tag = key.key_id.rpartition("@")[2]
    if "@" in key.key_id and _TAG.fullmatch(tag):
        found.add(tag)
    if _TAG.fullmatch(key.key_id[-16:]) and key.key_id == unlisted_id(key.key_id[-16:]):
        found.add(key.key_id[-16:])
    return found


@contextmanager
def offline(assembly: Assembly) -> Iterator[Known]:
    """What the journal knows, read without writing or migrating it. Raises `ConfigError` and `Failure`."""
    config = assembly.config
    if for_replicas(config.state):
        try:
            with look_at_replicas(config, assembly.resolver, DatabaseClock(assembly.clock)) as journal:
                yield from_journal(assembly, journal)
        except NoJournalYet:
            yield nothing_known(assembly)
        return
    path = path_of(config.state, config.base)
    if not path.exists():
        yield nothing_known(assembly)
        return
    with look_at_file(config.state, base=config.base) as look:
        yield from_journal(assembly, look)


# -- what stores hold ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One value that a place holds, as its fingerprints."""

    fingerprints: tuple[str, ...]
    match: Match


def from_stores(assembly: Assembly, specs: Sequence[Credential], known: Known) -> list[Trouble]:
    """Read every place of these credentials, and learn their fingerprints; returns what could not be read."""
    if not specs:
        return []
    threads = Threads(AT_ONCE)
    troubles: list[Trouble] = []
    for at in range(0, len(specs), AT_ONCE):
        calls = [partial(_read, assembly, spec, known.fingerprinter) for spec in specs[at : at + AT_ONCE]]
        for answer in threads.run(calls):
            if isinstance(answer, Failure):
                troubles.append(Trouble("a store", answer.message))
                continue
            held, more = answer
            troubles += more
            for each in held:
                for fingerprint in each.fingerprints:
                    known.add(fingerprint, each.match)
    return list(dict.fromkeys(troubles))


def _read(assembly: Assembly, spec: Credential, fingerprinter: Fingerprinter) -> tuple[list[_Held], list[Trouble]]:
    held: list[_Held] = []
    troubles: list[Trouble] = []
    part = _secret_part(assembly, spec)
    for publication in spec.publish:
        where = f"{publication.store}:{publication.ref}"
        try:
            store = assembly.store(publication.store)
            if not store.capabilities().readable:
                troubles.append(Trouble(where, "gives no value back"))
                continue
            for value, key_id, kind in values_of(store, publication):
                held.append(_held(spec, value, part, key_id, kind, fingerprinter))
        except (ConfigError, Failure) as error:
            troubles.append(Trouble(where, error.message.removeprefix(f"{where}: ")))
    if held:  # what cannot be read was written from what can
        troubles = [each for each in troubles if each.why != "gives no value back"]
    return held, troubles


def values_of(store: Store, publication: Publication) -> Iterator[tuple[Secret, str | None, PlaceKind]]:
    """Raises `Failure`, and `ConfigError` for a document that is no rendering of the template."""
    stored = store.read(publication.place)
    if stored.fields and any(stored.fields.values()):
        value = publication.extract(stored.fields)
        if value is None:
            names = ", ".join(publication.fields)
            raise ConfigError(f"{names} does not look like the template", "mend the template in publish:")
        yield value, None, PlaceKind.CURRENT
    for place in store.places(publication.ref):
        stored = store.read(place)
        value = document_value(stored)
        if value is not None:
            yield value, (stored.fields or {}).get("key_id"), place.kind


def _held(
    spec: Credential, value: Secret, part: str | None, key_id: str | None, kind: PlaceKind, prints: Fingerprinter
) -> _Held:
    parts = [part] if part in value.names else [name for name in value.names if name not in _NO_SECRET]
    standing = {PlaceKind.CURRENT: Standing.CURRENT, PlaceKind.PENDING: Standing.NEW}.get(kind, Standing.OLD)
    match = Match(credential=spec.name, provider=spec.provider, key_id=key_id, standing=standing, alive=None)
    return _Held(fingerprints=tuple(prints.of(value, name) for name in parts if name), match=match)


def _secret_part(assembly: Assembly, spec: Credential) -> str | None:
    """Which part the secret is; None where that is only known to a driver that cannot be made here."""
    parts = {part for each in spec.publish for part in each.parts()}
    if len(parts) == 1:
        return next(iter(parts))
    try:
        return assembly.provider(spec.provider).capabilities(spec.principal).secret_part
    except (ConfigError, Failure):
        return None


def distinct(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Each credential's key once."""
    return tuple(dict.fromkeys(matches))


def in_slot(match: Match, slot: str) -> bool:
    """Whether it is the key of this slot."""
    return match.key_id is not None and "@" in match.key_id and slot_of(match.key_id) == slot
