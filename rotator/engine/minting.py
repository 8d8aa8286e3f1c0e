"""`minting`: exactly one new key, its id committed and its value saved in the escrow before anything else happens."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.failures import CapFull, Denied, Transient, Undecidable
from rotator.domain.keys import Capabilities, Key, KeyState, Minter, MintRequest, slot_of
from rotator.domain.records import KnownKey, Origin
from rotator.domain.rotation import OldKey, Phase, Waiting
from rotator.domain.secret import Secret
from rotator.engine import handed, places
from rotator.engine.belonging import candidates, strays
from rotator.engine.escrow import open_escrow
from rotator.engine.killing import InUse, another_with, bury, holder, kill
from rotator.engine.planning import full_for_good, lost_mint, lost_mint_hint, secured
from rotator.engine.recorded import Pause, Recorded
from rotator.engine.room import room_was_made
from rotator.ports import Ids


def mint(rotation: Recorded) -> Phase | Waiting | None:
    """Adopt what the escrow already holds of this rotation; else clean up smaller fences, and mint.

    Where a person mints nothing is sent: the person is asked, and what was handed over is taken up.
    """
    if rotation.capabilities.strategy.minter is Minter.PERSON:
        return handed.take_up(rotation)
    if adopt_saved(rotation):
        return None
    if rotation.row.mint_fences:
        wait_for_the_list(rotation)
    listed = rotation.keys() if looks_first(rotation) else ()
    if rotation.row.mint_fences and clean_up(rotation, listed):
        return rotation.wait(rotation.capabilities.list_lag, note="until what was cleaned up is no longer counted")
    if rotation.row.slot is None and not room_was_made(rotation, listed):
        return rotation.wait(rotation.capabilities.list_lag, note="room was made; until the provider's cap knows")
    publication, version = open_escrow(rotation)
    expects = None
    if rotation.row.slot is not None:
        expects = expected_in_slot(rotation, rotation.keys())
        if expects is None:
            return Phase.PLANNED
    rotation.update(escrow=publication.store)
    try:
        minted = rotation.mint(request(rotation, expects))
    except CapFull as refusal:
        raise full_for_good(rotation, refusal) from None
    fields = places.document(rotation, minted.value, minted.key_id)
    rotation.write("save in escrow", publication, publication.pending(rotation.row.id), fields, version, heed=False)
    return None


def looks_first(rotation: Recorded) -> bool:
    """Whether the list of keys decides anything: after an earlier mint, into a slot, or beneath a cap."""
    return bool(rotation.row.mint_fences) or rotation.row.slot is not None or rotation.capabilities.cap is not None


def adopt_saved(rotation: Recorded) -> bool:
    """Whether a pending place holds the key whose mint was committed, and it lives.

    A save may land late: a key that a clean-up has begun to delete is no longer the row's, and never adopted.
    """
    new_key = rotation.row.new_key
    if new_key is None:
        return False
    for publication in places.keepers(rotation):
        try:
            found = places.private(rotation, publication, publication.pending(rotation.row.id))
        except (Transient, Denied):  # another store may hold it, and none: then it is not called alive
            continue
        if found.value is not None and found.key_id == new_key and _lives(rotation, new_key, found.value):
            return True
    return False


def _lives(rotation: Recorded, key_id: str, value: Secret) -> bool:
    if any(key.id == key_id and key.state is KeyState.ENABLED for key in rotation.keys()):
        return True
    if rotation.verify(value).authentic:
        return True
    wait_for_the_list(rotation)
    return False


def wait_for_the_list(rotation: Recorded) -> None:
    """Rule 7: a look counts only a list lag after the last mint intent; a new key may still be on its way."""
    if rotation.row.last_mint_at is None:
        return
    until = rotation.row.last_mint_at + rotation.world.timing.request + rotation.capabilities.list_lag
    if rotation.now() < until:
        raise Pause(Waiting(until=until, note="until the list of keys can be believed"), failing=True)


def clean_up(rotation: Recorded, listed: Sequence[Key]) -> bool:
    """Rule 2: keys of this rotation with a smaller fence, whose values nobody has, die. Never "all others".

    Whether there were any; the list and the provider's count then lag behind.
    """
    unclear = candidates(rotation, listed)
    if unclear:
        raise Undecidable(lost_mint(unclear), lost_mint_hint(rotation))
    rotation.update(new_key=None, minted_at=None)  # durable with the first intent below
    doomed = strays(rotation, listed, below=rotation.row.fence)
    for key_id in doomed:
        remember_exposed(rotation, key_id)
        kill(rotation, key_id, KeyState.DELETED, "clean up")
        bury(rotation, key_id)
    return bool(doomed)


def remember_exposed(rotation: Recorded, key_id: str) -> None:
    """In an emergency a stray is an old key: its death is proven like the others'."""
    if not rotation.row.rules.emergency or rotation.row.old_key(key_id) is not None:
        return
    known = rotation.known.get(key_id)
    old = OldKey(key_id=key_id, fingerprint=known.fingerprint if known else None)
    if known is None:
        rotation.learn(
            KnownKey(
                key_id=key_id,
                credential=rotation.spec.name,
                origin=Origin.FOUND,
                since=rotation.now(),
                rotation=rotation.row.id,
            )
        )
    rotation.row = rotation.row.with_old_key(secured(rotation, old))


def expected_in_slot(rotation: Recorded, listed: Sequence[Key]) -> str | None:
    """Rule 10: what the slot holds now, which the mint is conditional on. None: a store has it by now, look again.

    A mint into a slot that holds a living key is its deletion, so rule 6 is asked right before the intent. Raises
    `InUse`: in an emergency where it is another credential's, which looking again does not change.
    """
    slot = rotation.row.slot
    key = next((each for each in listed if slot_of(each.id) == slot), None)
    if key is None:
        return slot
    who = holder(rotation, key.id) if key.live and rotation.capabilities.strategy.overlap else None
    if who is None:
        return key.id
    other = another_with(rotation, key.id)
    if rotation.row.rules.emergency and other is None:
        return None
    raise InUse(f"slot {slot} holds {key.id}, which is current in {who}", _slot_hint(rotation, other))


def _slot_hint(rotation: Recorded, other: str | None) -> str:
    name = rotation.spec.name
    if other is None:
        return f"see `rotator status {name}`"
    again = f"rotator resume {name}" if rotation.row.rules.emergency else f"rotate {name}"
    return f"let {other} use another principal, or empty the slot by hand if it is not needed; then `{again}`"


def request(rotation: Recorded, expects: str | None) -> MintRequest:
    """What is asked of the provider."""
    row = rotation.row
    chosen: Secret | None = None
    if rotation.capabilities.strategy.minter is Minter.CHOSEN:
        chosen = choose(rotation.capabilities, rotation.world.ids)
    return MintRequest(
        mark=rotation.world.marker.write(rotation.spec.name, row.id, row.fence),
        fingerprint=rotation.fingerprint(chosen) if chosen is not None else None,
        chosen=chosen,
        slot=row.slot,
        expects=expects,
        scopes=rotation.spec.scopes,
        lifetime=rotation.spec.lifetime if rotation.capabilities.expiry else None,
    )


def choose(offers: Capabilities, ids: Ids) -> Secret:
    """A value of our own for a provider that takes one, each part in the form that the provider wants."""
    forms = offers.forms or {offers.secret_part: "{value}"}
    return Secret({part: form.replace("{value}", ids.value()) for part, form in forms.items()})
