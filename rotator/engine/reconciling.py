"""The reconciler: what woke up too late, what was left behind, and what somebody else changed.

Every few hours it looks at each credential's provider and stores. It revokes an orphan only after two sightings a list
lag apart and only if rule 6 allows; with no rotation open it writes the current key where another of the credential's
own is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rotator.domain.credential import Credential, Publication
from rotator.domain.failures import Failure, Fenced, LeaseOver
from rotator.domain.keys import Key, KeyState
from rotator.domain.records import CredentialRow, Event, EventKind, KnownKey, Origin
from rotator.engine import by_hand, places, side_by_side
from rotator.engine.belonging import check_journal_age
from rotator.engine.killing import holder
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Write
from rotator.engine.unread import publish
from rotator.engine.world import World
from rotator.ports import Change


class Drift(StrEnum):
    """How a place differs from what the journal says that consumers should read."""

    NONE = "none"
    MISSING = "missing"  # there is no value
    BEHIND = "behind"  # another key that the credential has or had
    UNCLEAR = "unclear"  # it cannot be read, and our last write there got lost
    BY_HAND = "changed by hand"  # a value that nobody here wrote: it stays
    UNKNOWN = "unknown"  # it could not be read, or not be mended


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFound:
    """One place, as it was found. `mended`: it holds the current key now. `held`: the key that it had, if known."""

    where: str  # store:ref
    drift: Drift
    held: str | None = None
    mended: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one pass over one credential found and did; `problems` are lines for people.

    `places` is empty while a rotation is open: it looks itself.
    """

    credential: str
    orphans: tuple[str, ...] = ()  # seen, not yet revoked
    revoked: tuple[str, ...] = ()
    places: tuple[PlaceFound, ...] = ()
    foreign_keys: tuple[Key, ...] = ()
    problems: tuple[str, ...] = field(default=())


def reconcile(spec: Credential, world: World, *, revoke: bool = True) -> Reconciled:
    """One pass. Raises `JournalOlder`, and `Failure` where provider or journal cannot be asked. Twice: a new pass."""
    look = _Look.looking(spec, world)
    listed = look.keys()
    check_journal_age(look, listed)
    result = Reconciled(credential=spec.name, foreign_keys=_foreign_keys(look, listed))
    if world.journal.open_rotation(spec.name) is not None:
        return result
    look.forget()  # what was loaded while a rotation was open is not fenced: its end does not change the fence
    result = _mend(look, result)
    return _revoke_orphans(look, listed, result, revoke=revoke)


def sync(spec: Credential, world: World) -> tuple[PlaceFound, ...]:
    """Bring every place of a credential to its current key, as `reconcile` does, and look at nothing else.

    Raises `JournalOlder`, `Fenced` when a rotation is open or begins meanwhile, and `Failure`. Twice: nothing more.
    """
    look = _Look.looking(spec, world)
    check_journal_age(look, look.keys())
    if world.journal.open_rotation(spec.name) is not None:
        raise Fenced(f"a rotation of {spec.name} is open")
    look.forget()
    return _mend(look, Reconciled(credential=spec.name)).places


class _Look(Recorded):
    """A credential with no rotation open, seen with the same eyes; effects are fenced by the credential's row."""

    def intend(self, action: str, subject: str) -> None:
        """Commit an intent under the credential's own fence, in time for the effect.

        Raises `Fenced` when a rotation began or another pass wrote, and `LeaseOver`.
        """
        self._intend(Event(kind=EventKind.INTENT, action=action, subject=subject))

    def _intend(self, *intents: Event, writes: Sequence[Write] = (), heed: bool = True) -> None:
        self._mean(writes)
        sent = self.world.clock.boottime()
        self.credential = self.world.journal.save(self.credential, self.now(), Change(events=intents))
        self._expires = sent + (self.world.timing.lease - self.world.timing.request).total_seconds()
        self._within_lease()

    def save_with(self, row: CredentialRow, *events: Event, keys: tuple[KnownKey, ...] = ()) -> None:
        """Save the credential's row, fenced the same way."""
        self.credential = self.world.journal.save(row, self.now(), Change(events=events, keys=keys))


def _foreign_keys(look: _Look, listed: tuple[Key, ...]) -> tuple[Key, ...]:
    exclusive = look.spec.principal.exclusive
    return tuple(
        key for key in listed if key.live and not exclusive and key.id not in look.known and look.mark_of(key) is None
    )


def _mend(look: _Look, result: Reconciled) -> Reconciled:
    """Write the current key where the credential's value is another of its own, or nothing."""
    current = look.known.get(look.credential.current or "")
    if current is None:
        return result
    for publication in look.spec.publish:
        where = f"{publication.store}:{publication.ref}"
        try:
            place = _mend_place(look, publication, where, current)
        except (Fenced, LeaseOver):
            return result
        except Failure as failure:
            look.purge(failure)
            place = PlaceFound(where=where, drift=Drift.UNKNOWN, problem=failure.message.removeprefix(f"{where}: "))
        result = replace(result, places=(*result.places, place))
    return result


def _mend_place(look: _Look, publication: Publication, where: str, current: KnownKey) -> PlaceFound:
    found = places.current(look, publication)
    if found.foreign:
        look.world.observer.alert("foreign value", look.spec.name, f"{where} holds a value nobody here wrote")
        return PlaceFound(where=where, drift=Drift.BY_HAND)
    if found.key is None or found.key.key_id != current.key_id:
        _write_current(look, publication, found, current)
        held = found.key.key_id if found.key is not None else None
        drift = Drift.UNCLEAR if found.unclear else Drift.BEHIND if held else Drift.MISSING
        return PlaceFound(where=where, drift=drift, held=held, mended=True)
    if where in look.credential.drift:
        _no_drift(look, where)
    return PlaceFound(where=where, drift=Drift.NONE, held=current.key_id)


def _write_current(look: _Look, publication: Publication, found: places.Found, current: KnownKey) -> None:
    value = places.find_value(look, current)
    where = f"{publication.store}:{publication.ref}"
    if value is None:
        raise Failure(f"the current key's value is in no store, so {where} cannot be mended")
    if not look.verify(value).authentic:
        raise Failure(f"the provider refuses the current key, so {where} is not mended")
    try:
        mended = publish(look, "mend", publication, publication.render(value), found.version, current.key_id)
        side_by_side.alone(look, mended)
    except Failure:
        if not look.reads(publication):
            look.save_with(look.credential)  # what is known of the place after all
        raise
    _no_drift(look, where)


def _no_drift(look: _Look, where: str) -> None:
    drift = tuple(each for each in look.credential.drift if each != where)
    event = Event(kind=EventKind.OUTCOME, action="mended", subject=where)
    look.save_with(replace(look.credential, drift=drift), event)


def orphans(look: Recorded, listed: tuple[Key, ...]) -> tuple[str, ...]:
    """Living keys with our mark, or unknown ones of an unmarked exclusive principal, that nobody has."""
    others = (key for key in listed if key.live and key.id != look.credential.current)
    return tuple(key.id for key in others if _looks_orphaned(look, key))


def _looks_orphaned(look: Recorded, key: Key) -> bool:
    known = look.known.get(key.id)
    if look.mark_of(key) is not None or (known is not None and known.rotation is not None):
        return True
    unknown = known is None or known.origin is Origin.FOUND
    return unknown and not look.capabilities.strategy.marked and _may_be_a_lost_mint(look, key)


def _may_be_a_lost_mint(look: Recorded, key: Key) -> bool:
    """Whether a rotation of this exclusive principal intended a mint and did not see the key before.

    Later rotations saw it, so their baselines say nothing.
    """
    if not look.spec.principal.exclusive:
        return False
    return any(row.mint_fences and key.id not in row.baseline for row in look.world.journal.rotations(look.spec.name))


def _revoke_orphans(look: _Look, listed: tuple[Key, ...], result: Reconciled, *, revoke: bool) -> Reconciled:
    now = look.now()
    seen = orphans(look, listed)
    sightings = look.world.journal.sight(look.spec.name, seen, now)
    ripe = {s.key_id for s in sightings if now - s.first_seen >= look.capabilities.list_lag and s.first_seen < now}
    for key_id in seen:
        if not revoke or key_id not in ripe:
            result = replace(result, orphans=(*result.orphans, key_id))
            continue
        try:
            who = holder(look, key_id)
            if who is not None:
                problem = f"{key_id} looks like an orphan and is current in {who}"
                result = replace(result, problems=(*result.problems, problem))
                continue
            if not look.capabilities.deletes:
                problem = f"{key_id} is nobody's as far as is known: {by_hand.instruction(look, key_id)}"
                result = replace(result, problems=(*result.problems, problem))
                continue
            look.intend("revoke orphan", key_id)
            look.world.provider.set_state(look.spec.principal, key_id, KeyState.DELETED)
            _buried(look, key_id)
        except (Fenced, LeaseOver):
            return result
        except Failure as failure:
            look.purge(failure)
            result = replace(result, problems=(*result.problems, f"{key_id}: {failure.message}"))
        else:
            result = replace(result, revoked=(*result.revoked, key_id))
    return result


def _buried(look: _Look, key_id: str) -> None:
    known = look.known.get(key_id)
    keys = (replace(known, dead_at=look.now()),) if known is not None else ()
    event = Event(kind=EventKind.OUTCOME, action="revoke orphan", subject=key_id, detail={"result": "ok"})
    look.save_with(look.credential, event, keys=keys)
