"""Testing the death of old keys again, and killing keys that get no successor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced
from rotator.domain.keys import KeyState, Verdict
from rotator.domain.records import Event, EventKind, KnownKey, Verb
from rotator.domain.rotation import Proof
from rotator.domain.secret import Secret
from rotator.engine import by_hand, places
from rotator.engine.recorded import Recorded
from rotator.engine.world import World
from rotator.ports import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What a look at one key said. `proof` UNPROVEN: it lives, or nobody can say; `text` says which."""

    key_id: str
    proof: Proof
    text: str


def prove(assembly: Assembly, spec: Credential, sleep: Callable[[float], None] = time.sleep) -> Iterator[Death]:
    """Ask the provider about every key that the credential had: refused where the value can still be had, else listed.

    The value of a proven key is gone from the stores by design, so most deaths are shown again by absence.
    """
    world = patient(assembly.world_of(spec))
    look = Recorded.looking(spec, world)
    first = {key.id for key in world.provider.keys(spec.principal) if key.live}
    old = [key for key in look.known.values() if key.key_id != look.credential.current]
    if old and look.capabilities.lists:
        sleep(look.capabilities.list_lag.total_seconds())
    second = {key.id for key in world.provider.keys(spec.principal) if key.live}
    for key in sorted(old, key=lambda each: each.since):
        value = _kept(look, key)
        if value is not None:
            death = _asked(look, key, value, sleep)
            _wake(assembly, spec, death)
            yield death
        elif not look.capabilities.lists:
            yield _unlisted(look, key)
        elif key.key_id in first | second:
            yield Death(key_id=key.key_id, proof=Proof.UNPROVEN, text="listed as living")
        else:
            earlier = " and was proven dead before" if not key.alive else ""
            yield Death(key_id=key.key_id, proof=Proof.ABSENT, text=f"two lists lack it{earlier}")


def _kept(look: Recorded, key: KnownKey) -> Secret | None:
    """Its value. A store that is away hides it, and not the key: where keys are listed, the lists tell of its death."""
    try:
        return places.find_value(look, key)
    except Failure:
        if not look.capabilities.lists:
            raise
        return None


def _unlisted(look: Recorded, key: KnownKey) -> Death:
    """A key without a value, of a provider that lists none: what was proven before is all that can be said."""
    for row in look.world.journal.rotations(look.spec.name):
        old = row.old_key(key.key_id)
        if old is not None and old.proof is Proof.REFUSED:
            text = f"refused when it was proven, at {old.dead_at:%Y-%m-%d %H:%M} UTC; its value is not kept"
            return Death(key_id=key.key_id, proof=Proof.REFUSED, text=text)
    return Death(key_id=key.key_id, proof=Proof.UNPROVEN, text="its value is not kept and no list shows it: who knows")


def _wake(assembly: Assembly, spec: Credential, death: Death) -> None:
    """A rotation that waits for a person to delete this very key looks again at once."""
    row = assembly.journal.open_rotation(spec.name)
    if row is None or death.proof is not Proof.REFUSED:
        return
    if any(old.key_id == death.key_id for old in by_hand.waiting_keys(row)):
        with suppress(LookupError):  # it ended meanwhile
            assembly.journal.ask(spec.name, Verb.PROVIDE, f"{row.id} {death.key_id}", assembly.clock.now())


def _asked(look: Recorded, key: KnownKey, value: Secret, sleep: Callable[[float], None]) -> Death:
    current = look.known.get(look.credential.current or "")
    control = places.find_value(look, current) if current else None
    if control is None or not look.probe(control).authentic:
        return Death(
            key_id=key.key_id, proof=Proof.UNPROVEN, text="the current key is refused too, so nothing is proven"
        )
    verdicts = [look.probe(value)]
    sleep(look.capabilities.death_window.total_seconds())
    verdicts.append(look.probe(value))
    if verdicts == [Verdict.INVALID, Verdict.INVALID] and look.probe(control).authentic:
        return Death(key_id=key.key_id, proof=Proof.REFUSED, text="refused twice, the current key is not")
    return Death(key_id=key.key_id, proof=Proof.UNPROVEN, text=f"the provider says: {verdicts[-1].value}")


def revoke(
    assembly: Assembly,
    spec: Credential,
    *,
    told: Callable[[str], None] = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Kill every living key of the credential without a successor; consumers stop working. Returns what was deleted.

    Where keys open sessions it stays for the login window, says so to `told`, and ends those that came late; until then
    they are not known as dead, so whoever is interrupted types the same command again.

    Refused while a rotation is open. Twice: nothing more. The credential is held afterwards, so that no schedule brings
    it back.
    """
    if assembly.journal.open_rotation(spec.name) is not None:
        raise ConfigError(f"{spec.name} has an open rotation", f"`rotator status {spec.name}`, then the same command")
    world = patient(assembly.world_of(spec))
    look = Recorded.looking(spec, world)
    if not look.capabilities.deletes:
        alive = [key.key_id for key in look.known.values() if key.alive]
        hint = f"{by_hand.instruction(look, *alive)}; `rotator hold {spec.name}` keeps the schedule off"
        raise ConfigError(f"{spec.name}: its provider deletes nothing by its API", hint)
    marker = assembly.installation.marker()
    listed = world.provider.keys(spec.principal)
    doomed = {key.id for key in listed if key.live and (spec.principal.exclusive or marker.read(spec.name, key.mark))}
    doomed |= {key.key_id for key in look.known.values() if key.alive}
    late = look.capabilities.login_window and look.capabilities.last_look
    for key_id in sorted(doomed):
        _revoke_one(assembly, spec, world, look, key_id, "revoke", dead=not late)
        told(f"{key_id}: deleted")
    if doomed and late:
        told(f"waiting {late.total_seconds():.0f} s for logins that are under way, to end them")
        sleep(late.total_seconds())
        for key_id in sorted(doomed):
            _revoke_one(assembly, spec, world, look, key_id, "end sessions", dead=True)
    return tuple(sorted(doomed))


def _revoke_one(
    assembly: Assembly, spec: Credential, world: World, look: Recorded, key_id: str, action: str, *, dead: bool
) -> None:
    now, journal = assembly.clock.now(), assembly.journal
    intent = Event(kind=EventKind.INTENT, action=action, subject=key_id)
    row = journal.credential(spec.name)
    if action == "revoke":
        row = replace(row, held=True, held_why="revoked")
    try:
        row = journal.save(row, now, Change(events=(intent,)))
    except Fenced:
        raise ConfigError(f"{spec.name} began to rotate at this very moment", "the same command again") from None
    world.provider.set_state(spec.principal, key_id, KeyState.DELETED)
    known = look.known.get(key_id)
    keys = (replace(known, dead_at=assembly.clock.now()),) if known and dead else ()
    outcome = Event(kind=EventKind.OUTCOME, action=action, subject=key_id, detail={"result": "ok"})
    current = None if row.current == key_id else row.current
    journal.save(replace(row, current=current), now, Change(events=(outcome,), keys=keys))
