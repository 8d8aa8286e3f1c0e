"""A key that a person makes: asked for, looked for in the pending places, judged, and taken up.

To ask is the mint's intent: from then on a key of this rotation may exist. `rotator provide` leaves the value in a
pending place and a request that wakes the row; as every look begins with the places, a request that got lost costs
one poll. Only a key that was not there when the person was asked is taken, so one made before an exposure end never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.credential import Credential, Publication
from rotator.domain.failures import Permanent
from rotator.domain.keys import Capabilities, Key, KeyState, Minter
from rotator.domain.records import KnownKey, Origin
from rotator.domain.rotation import Phase, Rotation, WaitFor, Waiting
from rotator.domain.secret import Secret
from rotator.engine import killing, places
from rotator.engine.belonging import alive, learn_handed_over
from rotator.engine.escrow import open_escrow
from rotator.engine.planning import fix_old_keys
from rotator.engine.recorded import Recorded
from rotator.engine.room import room_was_made

LONGEST_URL = 200
"""Characters of a driver's console URL that are shown."""


class NotTaken(Permanent):
    """What was handed over is not this rotation's new key; message and hint are for who handed it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A key that may be taken. `minted_at`: it is no older, by the provider's word or else by when it was not there."""

    key_id: str
    minted_at: datetime


def awaits(row: Rotation) -> bool:
    """Whether a rotation, of a strategy whose minter is a person, waits for a key to be handed over."""
    return row.phase is Phase.MINTING and bool(row.mint_fences) and row.new_key is None


def instruction(spec: Credential, capabilities: Capabilities) -> str:
    """What a person has to do, on one line."""
    return f"{wish(spec, capabilities)}, then `rotator provide {spec.name}`"


def wish(spec: Credential, capabilities: Capabilities) -> str:
    """What a person has to make, where, and with which scopes."""
    where = f" at {capabilities.console_url[:LONGEST_URL]}" if capabilities.console_url else ""
    scopes = f" that may do {', '.join(spec.scopes)} and nothing else" if spec.scopes else ""
    return f"make a key for {spec.principal.name}{where}{scopes}"


# -- the step ---------------------------------------------------------------------------------------------------------


def take_up(rotation: Recorded) -> Waiting | None:
    """Ask once; then take the first key that was handed over and passes. Waiting for a person is no failure."""
    if not rotation.row.mint_fences:
        return ask(rotation)
    refusal: NotTaken | None = None
    for publication, found in places.pending_values(rotation, rotation.row.id):
        assert found.value is not None
        rotation.values[f"handed over to {publication.store}"] = found.value  # no failure's words may show it
        try:
            judged = judge(rotation, found.value, found.key_id)
        except NotTaken as why:
            refusal = refusal or why
            continue
        take(rotation, publication, found.value, judged)
        return None
    return until_handed_over(rotation, refusal)


def ask(rotation: Recorded) -> Waiting:
    """Ask the person, once the list shows every key from before the exposure end: none of those will be taken.

    Before that the escrow is seen to accept a write and room is made, so that nobody makes a key in vain.
    """
    lag = rotation.capabilities.list_lag
    exposed = rotation.row.exposure_end
    if exposed is not None and rotation.now() < exposed + lag:
        return Waiting(until=exposed + lag, note="until the list of keys can be believed")
    asked_at, listed = rotation.now(), rotation.keys()
    if not room_was_made(rotation, listed):
        return rotation.wait(lag, note="room was made; until the provider's cap knows")
    if rotation.row.rules.emergency:
        fix_old_keys(rotation, listed)
    publication, _ = open_escrow(rotation)
    row = rotation.row
    rotation.update(
        escrow=publication.store,
        baseline=tuple(sorted({*row.baseline, *alive(rotation, listed)})),
        mint_fences=(*row.mint_fences, row.fence),
        first_mint_at=asked_at - lag,  # what is younger than a list lag need not have been listed
        last_mint_at=asked_at,
    )
    rotation.note("asked for a key", rotation.spec.provider)
    if not row.rules.emergency:
        wanted = instruction(rotation.spec, rotation.capabilities)
        rotation.world.observer.alert("needs a key", rotation.spec.name, wanted)
    return until_handed_over(rotation, None)


def until_handed_over(rotation: Recorded, refusal: NotTaken | None) -> Waiting:
    """The request of `rotator provide` ends it earlier; one that was refused may be taken at the next look."""
    note = instruction(rotation.spec, rotation.capabilities)
    if refusal is not None:
        note = f"what was handed over is not taken: {refusal.message}; {refusal.hint or note}"
    if rotation.row.rules.emergency:
        rotation.world.observer.alert("exposed until a person acts", rotation.spec.name, note)
    timing = rotation.world.timing
    return rotation.wait(timing.hold_poll if refusal is None else timing.poll * 3, WaitFor.PERSON, note)


def take(rotation: Recorded, publication: Publication, value: Secret, judged: Judged) -> None:
    """Let the row and the journal know the key, in one commit; whatever else was handed over is this rotation's too."""
    rotation.update(new_key=judged.key_id, minted_at=judged.minted_at, escrow=publication.store)
    rotation.learn(
        KnownKey(
            key_id=judged.key_id,
            credential=rotation.spec.name,
            origin=Origin.ADOPTED,
            since=rotation.now(),
            fingerprint=rotation.fingerprint(value),
            rotation=rotation.row.id,
        )
    )
    rotation.note("handed over", judged.key_id)
    learn_handed_over(rotation, rotation.row.id)


def note_not_taken(rotation: Recorded) -> None:
    """Before the pending places are dropped: which keys were handed over in vain, for a person to find and end."""
    if rotation.capabilities.strategy.minter is not Minter.PERSON:
        return
    values = places.pending_values(rotation, rotation.row.id)
    for key_id in sorted({found.key_id for _, found in values if found.key_id}):
        if key_id not in rotation.known:
            rotation.note("handed over and not taken", key_id)


# -- judging ----------------------------------------------------------------------------------------------------------


def judge(rotation: Recorded, value: Secret, named: str | None = None) -> Judged:
    """Which key this is, if it may be taken. Raises `NotTaken`, and `Transient` where the provider cannot be asked.

    `named`: the id that was found when it was handed over. Where neither that nor the provider tells, the list must be
    a list lag and a death window younger than a first `refuse_at_once`: then it shows every key that may be this one.
    """
    refuse_at_once(rotation, value)
    key = which(rotation, rotation.identify(value) or named, rotation.keys())
    exposed = rotation.row.exposure_end
    if exposed is not None and key.created_at is not None and key.created_at < exposed:
        raise NotTaken(f"{key.id} was made before the exposure ended", _another(rotation))
    theirs = killing.another_with(rotation, key.id, rotation.fingerprint(value))
    if theirs is not None or key.id == rotation.credential.current:
        raise NotTaken(f"{key.id} is another credential's key", _another(rotation))
    since = rotation.row.first_mint_at or rotation.now()
    return Judged(key_id=key.id, minted_at=min(key.created_at or since, rotation.now()))


def refuse_at_once(rotation: Recorded, value: Secret) -> None:
    """What needs no list: the credential's own earlier keys, and what the provider does not accept."""
    if places.key_of(rotation, rotation.fingerprint(value)) is not None or _told_of_before(rotation, value):
        raise NotTaken(f"this is a key that {rotation.spec.name} has or had", _another(rotation))
    if not rotation.verify(value).authentic:
        window = rotation.capabilities.propagation.total_seconds()
        hint = f"a new key may need {window:.0f} s: then the same again; else make another"
        raise NotTaken("the provider refuses the key", hint)


def _told_of_before(rotation: Recorded, value: Secret) -> bool:
    """Whether it was handed over to another rotation, and nobody has seen its value since."""
    known = rotation.known.get(rotation.identify(value) or "") if not rotation.capabilities.lists else None
    return known is not None and known.rotation != rotation.row.id


def which(rotation: Recorded, named: str | None, listed: Sequence[Key]) -> Key:
    """The listed living key of that id; without one the only key there whose value nobody knows, if that is a new one.

    Without the provider's word an old key of unknown value could pass for the new one that was made beside it.
    """
    if not rotation.capabilities.lists and named is not None:
        return Key(id=named, state=KeyState.ENABLED)  # it is accepted, and no key of the journal's: nobody knows more
    living = [key for key in listed if key.state is KeyState.ENABLED]
    if named is not None:
        found = [key for key in living if key.id == named]
    else:
        found = [key for key in living if not _has_fingerprint(rotation, key.id)]
    if len(found) > 1:
        names = ", ".join(key.id for key in found)
        raise NotTaken(f"nobody can tell which of {names} this is", "delete the others, then the same again")
    for key_id in (named, *(key.id for key in found)):
        if key_id is not None and not is_new(rotation, key_id):
            raise NotTaken(f"{key_id} was there before it was asked for", _another(rotation))
    if not found:
        raise NotTaken(f"{named or 'a new key'} is not listed for {rotation.spec.principal.name}", _another(rotation))
    return found[0]


def _has_fingerprint(rotation: Recorded, key_id: str) -> bool:
    known = rotation.known.get(key_id)
    return known is not None and known.fingerprint is not None


def is_new(rotation: Recorded, key_id: str) -> bool:
    """Whether a key was neither there when the person was asked nor known since."""
    return key_id not in rotation.row.baseline and key_id not in rotation.known


def _another(rotation: Recorded) -> str:
    return instruction(rotation.spec, rotation.capabilities)
