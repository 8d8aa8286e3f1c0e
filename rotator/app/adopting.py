"""Adoption: taking over what exists, read-only at provider and stores, and never in silence about other keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced
from rotator.domain.keys import Key, KeyState, Verdict, unlisted_id
from rotator.domain.records import CredentialRow, Event, EventKind, KnownKey, LastWrite, Origin
from rotator.domain.secret import Secret
from rotator.engine.world import World
from rotator.policy.due import Adoption, first_due
from rotator.ports import ABSENT, Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What consumers read now: the value and its key, both None where every place is empty; `listed`: all keys.

    `verdict`: what the provider said to the value. `at`: boot time before the keys were listed.
    """

    value: Secret | None = field(repr=False)
    key_id: str | None
    listed: tuple[Key, ...]
    at: float
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What was taken over. `others`: more living keys that belong; `foreign`: those that do not, and stay untouched.

    `unread`: places, as store:ref, that cannot be read; what is there is given up, and the current key written over it.
    """

    credential: str
    key_id: str | None
    others: tuple[Key, ...] = ()
    foreign: tuple[Key, ...] = ()
    unread: tuple[str, ...] = ()
    read: Read = field(repr=False)

    def remarks(self) -> tuple[str, ...]:
        """What a person must hear: no unknown key stays alive in silence."""
        others = (f"{key.id} also belongs, is alive, and dies in the next emergency" for key in self.others)
        foreign = (f"{key.id} is a foreign key at the same principal, and is not touched" for key in self.foreign)
        return (*others, *foreign)


def adopt(assembly: Assembly, spec: Credential, key_id: str | None = None, *, emergency: bool = False) -> Adopted:
    """Find out which key consumers read now and let the journal know it. Twice: the same, and what changed since.

    `key_id`: which one it is, where nobody else can tell. `emergency`: one store that can be read is enough.
    Raises `ConfigError` and `Failure`, in an emergency also where a limit says that it is not its turn; `Fenced` where
    a rotation is open, or somebody else adopts at this very moment.
    """
    world = assembly.world_of(spec) if emergency else patient(assembly.world_of(spec))
    read = read_now(spec, world, key_id, emergency=emergency)
    others = tuple(key for key in read.listed if key.live and key.id != read.key_id)
    belonging = others if spec.principal.exclusive else ()
    unread = _taken_over_unread(assembly.journal.credential(spec.name), spec, world, read.key_id)
    _save(assembly, spec, world, read, belonging, unread)
    return Adopted(
        credential=spec.name,
        key_id=read.key_id,
        others=belonging,
        foreign=() if spec.principal.exclusive else _foreign(assembly, spec, others),
        unread=tuple(f"{each.store}:{each.ref}" for each in unread),
        read=read,
    )


def read_now(spec: Credential, world: World, key_id: str | None = None, *, emergency: bool = False) -> Read:
    """Which key consumers read now, without any change. Raises `ConfigError` where nobody can tell, and `Failure`."""
    value = _published(spec, world, emergency=emergency)
    at = world.clock.boottime()
    listed, verdict, identified = _asked(spec, world, value, identify=key_id is None)
    if value is None or verdict is None:
        if key_id is not None:
            raise ConfigError(
                f"{spec.name}: the stores hold no value, so no key is adopted", f"`rotate {spec.name}` makes the first"
            )
        return Read(value=None, key_id=None, listed=listed, at=at)
    if not verdict.authentic:
        raise ConfigError(
            f"{spec.name}: the provider refuses the value that the stores hold",
            "publish a working key first, or remove the value and `rotate` makes the first one",
        )
    which = _which(spec, world, value, listed, key_id or identified, identified=key_id is None)
    return Read(value=value, key_id=which, listed=listed, at=at, verdict=verdict)


def _asked(
    spec: Credential, world: World, value: Secret | None, *, identify: bool
) -> tuple[tuple[Key, ...], Verdict | None, str | None]:
    """The keys as listed, and of the value what the provider says to it and whose it is; asked at the same time."""
    provider, offers = world.provider, world.provider.capabilities(spec.principal)
    calls: list[Callable[[], Any]] = [lambda: provider.keys(spec.principal)]
    if value is not None:
        calls.append(lambda: provider.verify(spec.principal, value))
        if identify and offers.lists and offers.identifies:
            calls.append(lambda: provider.identify(spec.principal, value))
    answers: tuple[Any, ...] = world.together.run(calls)
    failure = next((each for each in answers if isinstance(each, Failure)), None)
    if failure is not None:
        raise failure
    listed, verdict, identified = (*answers, None, None)[:3]
    return listed, verdict, identified


def _published(spec: Credential, world: World, *, emergency: bool) -> Secret | None:
    values: list[tuple[str, Secret]] = []
    failures: list[Failure] = []
    for publication in spec.publish:
        where = f"{publication.store}:{publication.ref}"
        try:
            stored = world.stores[publication.store].read(publication.place)
        except Failure as failure:
            if not emergency:
                raise
            failures.append(failure)
            continue
        if not stored.fields or not any(stored.fields.values()):
            continue
        value = publication.extract(stored.fields)
        if value is None:
            names = ", ".join(publication.fields)
            raise ConfigError(f"{where}: {names} does not look like the template", "mend the template in publish:")
        values.append((where, value))
    if failures and not values:
        raise failures[0]
    if any(value != values[0][1] for _, value in values):
        first, other = values[0][0], next(where for where, value in values if value != values[0][1])
        hint = "make them equal, then the same command"
        raise ConfigError(f"{spec.name}: {first} and {other} hold different values", hint)
    return values[0][1] if values else None


def _which(
    spec: Credential, world: World, value: Secret, listed: tuple[Key, ...], told: str | None, *, identified: bool
) -> str:
    """`told`: by the provider if `identified`, else by whoever asks."""
    live = [key for key in listed if key.live]
    capabilities = world.provider.capabilities(spec.principal)
    if not capabilities.lists:
        own = unlisted_id(world.fingerprinter.of(value, capabilities.secret_part))
        if told not in (None, own):
            raise ConfigError(f"{spec.name}: the provider lists no keys; here this one is {own}", "leave out --key-id")
        return own
    if told is not None:
        if not identified and all(key.id != told for key in live):
            raise ConfigError(f"{spec.name}: the provider lists no living key {told}", _choice(live))
        return told
    if spec.principal.exclusive and len(live) == 1:
        return live[0].id
    if not live:
        raise ConfigError(
            f"{spec.name}: the provider lists no living key, and accepts the value that the stores hold",
            "see if the principal is the one that the key belongs to",
        )
    raise ConfigError(
        f"{spec.name}: nobody can tell which of the provider's keys the stores hold",
        f"`rotator adopt {spec.name} --key-id ID` with {_choice(live)}",
    )


def _choice(live: list[Key]) -> str:
    return "one of " + ", ".join(key.id for key in live[:8]) if live else "a key that lives"


def _taken_over_unread(row: CredentialRow, spec: Credential, world: World, current: str | None) -> list[LastWrite]:
    """The places that cannot be read and hold something that the journal cannot account for."""
    found = []
    for publication in spec.publish:
        store, last = world.stores[publication.store], row.last_write(publication.store, publication.ref)
        if store.capabilities().readable:
            continue
        try:
            version = store.read(publication.place).version
        except Failure:
            continue  # whoever may not fail for it was told before
        if version not in (ABSENT, last.version if last is not None else ABSENT):
            found.append(LastWrite(store=publication.store, ref=publication.ref, key_id=current))
    return found


def _save(
    assembly: Assembly,
    spec: Credential,
    world: World,
    read: Read,
    belonging: tuple[Key, ...],
    unread: list[LastWrite],
) -> None:
    now, current, value = assembly.clock.now(), read.key_id, read.value
    known = {key.key_id: key for key in assembly.journal.keys(spec.name)}
    created = next((key.created_at for key in read.listed if key.id == current), None)
    learned = []
    if current is not None and value is not None:
        part = world.provider.capabilities(spec.principal).secret_part
        fingerprint = world.fingerprinter.of(value, part)
        base = known.get(current) or KnownKey(
            key_id=current, credential=spec.name, origin=Origin.ADOPTED, since=created or now
        )
        learned.append(replace(base, fingerprint=fingerprint, dead_at=None))
    for key in belonging:
        if key.id not in known and key.state is not KeyState.DELETED:
            since = key.created_at or now
            learned.append(KnownKey(key_id=key.id, credential=spec.name, origin=Origin.FOUND, since=since))
    row = assembly.journal.credential(spec.name)
    adoption = Adoption(at=now, key_created_at=created)
    due = first_due(spec.policy, spec.name, adoption, now=now, calendar=world.calendar)
    row = replace(row, current=current, current_since=created or now, next_due=row.next_due or due, drift=())
    for write in unread:
        row = row.having_written(write)
    event = Event(kind=EventKind.OPERATOR, action="adopt", subject=current or "", detail={"credential": spec.name})
    assembly.journal.save(row, now, Change(events=(event,), keys=tuple(learned)))
    if current is not None:
        _take_from_removed(assembly, spec, current)


def _take_from_removed(assembly: Assembly, spec: Credential, key_id: str) -> None:
    """A credential that is called otherwise now left a row behind, by which its key could never be deleted (rule 6)."""
    config, journal, now = assembly.config, assembly.journal, assembly.clock.now()
    for name in journal.holders(key_id):
        if name in config.credentials or name in config.broken:
            continue
        left = replace(journal.credential(name), current=None, current_since=None, next_due=None)
        event = Event(kind=EventKind.OPERATOR, action="adopt", subject=key_id, detail={"credential": spec.name})
        with suppress(Fenced):  # a rotation of it is open, or somebody else has it in hand
            journal.save(left, now, Change(events=(event,)))


def _foreign(assembly: Assembly, spec: Credential, others: tuple[Key, ...]) -> tuple[Key, ...]:
    known = {key.key_id for key in assembly.journal.keys(spec.name)}
    marker = assembly.installation.marker()
    ours = {key.id for key in others for name in assembly.config.credentials if marker.read(name, key.mark)}
    return tuple(key for key in others if key.id not in known and key.id not in ours)
