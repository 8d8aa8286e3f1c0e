"""A lost or outdated journal made again from what config, stores and providers say. Revokes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential, PlaceKind
from rotator.domain.failures import Failure, Fenced
from rotator.domain.keys import Key
from rotator.domain.marks import Mark
from rotator.domain.records import Event, EventKind, KnownKey, Origin
from rotator.domain.rotation import Mode, Phase, Problem, Rotation
from rotator.engine import places
from rotator.engine.recorded import Recorded
from rotator.engine.world import World
from rotator.ports import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """`complete`: every credential is. `lines`: (credential, what was found) for people."""

    complete: bool
    lines: list[tuple[str, str]]


def rebuild(assembly: Assembly) -> Rebuilt:
    """For each credential: the key that stores hold becomes its current one; every key with our mark is known again.

    Rotations that only the world remembers are entered as superseded, so that their marks and pending places are
    accounted for, and the reconciler may judge their keys after two sightings; so are the keys whose values are still
    kept. Rotations that the journal believes open end superseded too: what it knows of them is older than the world.
    Twice: nothing more.
    """
    lines: list[tuple[str, str]] = []
    complete = True
    for name, spec in assembly.config.credentials.items():
        try:
            lines += [(name, line) for line in _rebuild_one(assembly, spec)]
        except (ConfigError, Failure, Fenced) as error:
            complete = False
            hint = getattr(error, "hint", "")
            lines.append((name, f"not rebuilt: {getattr(error, 'message', error)}" + (f" — {hint}" if hint else "")))
    if complete:
        assembly.journal.set_older_than_world(None)
    else:
        lines.append(("journal", "stays marked as older than the world until every credential is rebuilt"))
    return Rebuilt(complete=complete, lines=lines)


def _rebuild_one(assembly: Assembly, spec: Credential) -> list[str]:
    world, now = patient(assembly.world_of(spec)), assembly.clock.now()
    listed = world.provider.keys(spec.principal)
    marks = _marks(assembly, spec, listed)
    look = Recorded.looking(spec, world)
    pending = {
        place.of
        for publication in spec.publish
        for place in world.stores[publication.store].places(publication.ref)
        if place.kind is PlaceKind.PENDING and not places.of_others(look, look.read(publication, place))
    }
    lines = _end_open(assembly, spec, now)
    lines += _enter_lost(assembly, spec, marks.values(), pending, now)
    adopted = adopt(assembly, spec)
    _know_marked(assembly, spec, listed, marks, now)
    _know_kept(assembly, spec, world, now)
    lines.append(f"the current key is {adopted.key_id or 'none'}")
    return [*lines, *(f"{key_id} has our mark; the reconciler looks at it" for key_id in marks), *adopted.remarks()]


def _marks(assembly: Assembly, spec: Credential, listed: Iterable[Key]) -> dict[str, Mark]:
    marker = assembly.installation.marker()
    found = {key.id: marker.read(spec.name, key.mark) for key in listed if key.live}
    return {key_id: mark for key_id, mark in found.items() if mark is not None}


def _end_open(assembly: Assembly, spec: Credential, now: datetime) -> list[str]:
    row = assembly.journal.open_rotation(spec.name)
    if row is None:
        return []
    taken = assembly.journal.seize(row.id, owner="rebuild", now=now, lease=assembly.timing.lease)
    if taken is None:
        return []
    problem = Problem(message="the journal was rebuilt", hint="what it knew of this rotation was older than the world")
    ended = replace(taken, phase=Phase.SUPERSEDED, owner=None, ended_at=now, problem=problem)
    event = Event(kind=EventKind.OPERATOR, action="rebuild", subject=row.id)
    assembly.journal.commit(ended, now, Change(events=(event,)))
    return [f"rotation {row.id} was open at {row.phase.value} and is over; what it made is found by mark"]


def _enter_lost(
    assembly: Assembly, spec: Credential, marks: Iterable[Mark], pending: set[str], now: datetime
) -> list[str]:
    """Rows for rotations that the journal does not know, with the fences at which they minted."""
    fences: dict[str, set[int]] = {rotation: set() for rotation in pending}
    for mark in marks:
        fences.setdefault(mark.rotation, set()).add(mark.fence)
    lines = []
    for rotation, minted in sorted(fences.items()):
        known = assembly.journal.rotation(rotation)
        if known is not None and minted <= set(known.mint_fences):
            continue
        _enter(assembly, spec, rotation, known, minted, now)
        lines.append(f"rotation {rotation} was not known, or not to its end")
    return lines


def _enter(
    assembly: Assembly, spec: Credential, rotation: str, known: Rotation | None, minted: set[int], now: datetime
) -> None:
    base = known or Rotation(
        id=rotation,
        credential=spec.name,
        mode=Mode.MANUAL,
        reason="found in the world",
        started_at=now,
        next_at=now,
        since=now,
    )
    fence = max({base.fence, *minted})
    row = replace(
        base,
        phase=Phase.SUPERSEDED,
        fence=fence,
        mint_fences=tuple(sorted(minted | set(base.mint_fences))),
        owner=None,
        ended_at=base.ended_at or now,
    )
    assembly.journal.restore(row, now)


def _know_marked(
    assembly: Assembly, spec: Credential, listed: Iterable[Key], marks: dict[str, Mark], now: datetime
) -> None:
    known = {key.key_id for key in assembly.journal.keys(spec.name)}
    learned = tuple(
        KnownKey(
            key_id=key.id,
            credential=spec.name,
            origin=Origin.FOUND,
            since=key.created_at or now,
            rotation=marks[key.id].rotation,
        )
        for key in listed
        if key.id in marks and key.id not in known
    )
    if learned:
        row = assembly.journal.credential(spec.name)
        event = Event(kind=EventKind.OPERATOR, action="rebuild", subject=spec.name)
        assembly.journal.save(row, now, Change(events=(event,), keys=learned))


def _know_kept(assembly: Assembly, spec: Credential, world: World, now: datetime) -> None:
    """The keys whose values lie where consumers cannot read: kept until their death is proven, which nobody remembers.

    The next emergency proves it, and the sweep after it removes the values.
    """
    look = Recorded.looking(spec, world)
    learned: dict[str, KnownKey] = {}
    for publication in spec.publish:
        for place in world.stores[publication.store].places(publication.ref):
            stored = look.read(publication, place)
            found = places.private_as(look, stored)
            if found.key_id is None or found.fingerprint is None or places.of_others(look, stored):
                continue
            known = look.known.get(found.key_id) or KnownKey(
                key_id=found.key_id,
                credential=spec.name,
                origin=Origin.FOUND,
                since=now,
                rotation=place.of if place.kind is PlaceKind.PENDING else None,
            )
            if known.fingerprint is None:
                learned[found.key_id] = replace(known, fingerprint=found.fingerprint)
    if learned:
        row = assembly.journal.credential(spec.name)
        event = Event(kind=EventKind.OPERATOR, action="rebuild", subject=spec.name)
        assembly.journal.save(row, now, Change(events=(event,), keys=tuple(learned.values())))
