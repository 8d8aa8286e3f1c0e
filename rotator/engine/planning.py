"""`planned`: look at everything, fix the old keys and secure their values, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from rotator.domain.credential import Publication
from rotator.domain.failures import CapFull, Conflict, Denied, Failure, Permanent, Transient, Undecidable
from rotator.domain.keys import Key, slot_of
from rotator.domain.rotation import OldKey, Phase, Waiting
from rotator.engine import places, side_by_side
from rotator.engine.belonging import alive, belongs, beneath_cap, candidates, check_journal_age, learn_belonging
from rotator.engine.escrow import open_escrow
from rotator.engine.killing import another_with, is_that
from rotator.engine.recorded import Recorded
from rotator.engine.unread import publish, unsettled


def plan(rotation: Recorded) -> Phase | Waiting | None:
    """Look at each place, the principal's keys and the journal's age; fix and secure the old keys; find a free slot."""
    listed = rotation.keys()
    check_journal_age(rotation, listed)
    leave_trace(rotation)
    rewrite_superseded(rotation)
    refuse_lost_mints(rotation, listed)
    refuse_foreign_values(rotation)
    settle_unclear(rotation)
    rotation.update(old_current=rotation.credential.current, baseline=tuple(sorted(alive(rotation, listed))))
    fix_old_keys(rotation, listed)
    rotation.update(slot=choose_slot(rotation, listed))
    if rotation.row.slot is None:
        refuse_without_room(rotation, listed)
    return Phase.CONTAINING if rotation.row.rules.contains else None


def leave_trace(rotation: Recorded) -> None:
    """Before an emergency changes anything else, its pending place: a journal restored from before the emergency finds

    it, and knows its own age. What a store refuses must not keep a stolen key alive.
    """
    if rotation.row.supersedes or rotation.row.rules.contains:
        with suppress(Transient, Denied, Permanent, Conflict):
            open_escrow(rotation)


def rewrite_superseded(rotation: Recorded) -> None:
    """Rule 4: where a superseded rotation intended a promotion, write what is current again as a new version.

    So a promotion of it that is still under way finds another version and is refused. Fields and value stay as they
    are: a foreign value stays foreign.
    """
    for rotation_id in rotation.row.supersedes:
        superseded = rotation.world.journal.rotation(rotation_id)
        for state in superseded.stores if superseded else ():
            ours = rotation.row.store(state.store, state.ref)
            if state.expected is None or ours.rewritten_at is not None or ours.left_behind is not None:
                continue
            publication = _still_published(rotation, state.store, state.ref)
            failure = publication and places.on_one_place(rotation, publication, lambda each: _rewrite(rotation, each))
            if failure:
                places.raise_first(rotation, (failure,))


def _still_published(rotation: Recorded, store: str, ref: str) -> Publication | None:
    return next((each for each in rotation.spec.publish if (each.store, each.ref) == (store, ref)), None)


def _rewrite(rotation: Recorded, publication: Publication) -> None:
    stored = rotation.read(publication, publication.place)
    if stored.fields:
        rotation.write("rewrite", publication, publication.place, stored.fields, stored.version)
    state = rotation.row.store(publication.store, publication.ref)
    rotation.row = rotation.row.with_store(replace(state, rewritten_at=rotation.now()))


def refuse_lost_mints(rotation: Recorded, listed: Sequence[Key]) -> None:
    """A superseded rotation whose mint got lost, without marks at a shared principal: a person must say which."""
    for rotation_id in rotation.row.supersedes:
        superseded = rotation.world.journal.rotation(rotation_id)
        if superseded is not None and superseded.mint_fences:
            unclear = candidates(rotation, listed, superseded)
            if unclear:
                raise Undecidable(lost_mint(unclear), lost_mint_hint(rotation))


def lost_mint(unclear: Sequence[str]) -> str:
    """What happened, naming the candidates."""
    return "a mint got lost and may have made one of: " + ", ".join(unclear)


def lost_mint_hint(rotation: Recorded) -> str:
    """What a person can do about it."""
    return f"delete the one that nobody made, then `rotator resume {rotation.spec.name}`"


def refuse_foreign_values(rotation: Recorded) -> None:
    """A value that nobody here wrote: a scheduled rotation ends, an emergency leaves that place behind."""

    def look(publication: Publication) -> None:
        found = places.current(rotation, publication)
        if not found.foreign:
            return
        if not rotation.row.rules.emergency:
            raise foreign(rotation, publication, found)
        places.leave_behind(rotation, publication, places.FOREIGN)

    places.on_every_place(rotation, look)


def foreign(rotation: Recorded, publication: Publication, found: places.Found) -> Permanent:
    """The refusal to touch a foreign value, which is drift until somebody says whose it is."""
    places.mark_drift(rotation, publication)
    return Permanent(f"{publication.store}:{publication.ref} {places.FOREIGN}", foreign_hint(rotation, found))


def foreign_hint(rotation: Recorded, found: places.Found) -> str:
    """What to do about a foreign value. One that cannot be read cannot be taken over either: it is given up."""
    if found.unread:
        return f"delete it there, or `rotator adopt {rotation.spec.name}`: then it is written again"
    return f"`rotator adopt {rotation.spec.name}` takes it over"


def settle_unclear(rotation: Recorded) -> None:
    """Where nobody can tell which key a place holds it gets the current one, before slots and old keys rest on that.

    An emergency writes no key that is to die: it has the place written with the new one, or finishes a promotion.
    """
    if rotation.row.rules.emergency:
        return
    unclear = [each for each in places.written_last(rotation) if unsettled(rotation, each)]
    key = rotation.known.get(rotation.credential.current or "")
    value = places.find_value(rotation, key) if unclear and key is not None else None
    if key is None or value is None or not rotation.verify(value).authentic:
        return
    for publication in unclear:
        version = rotation.read(publication, publication.place).version
        rendered = publication.render(value)
        side_by_side.alone(rotation, publish(rotation, "rewrite", publication, rendered, version, key.key_id))


def fix_old_keys(rotation: Recorded, listed: Sequence[Key]) -> None:
    """Fix which keys this rotation replaces, say of each whether its value can be had, and secure the value."""
    learn_belonging(rotation, listed)
    wanted = old_key_ids(rotation, listed)
    for key_id in sorted(wanted):
        old = rotation.row.old_key(key_id)
        if old is None:
            old = OldKey(key_id=key_id, fingerprint=rotation.known[key_id].fingerprint)
        rotation.row = rotation.row.with_old_key(secured_for_now(rotation, old))
    rotation.update(fixed=True)


def old_key_ids(rotation: Recorded, listed: Sequence[Key]) -> set[str]:
    """The current key; in an emergency all that belong. Where the mint goes into a slot, also what lives in it."""
    if not rotation.row.rules.every_key:
        return {rotation.credential.current} - {None, rotation.row.new_key}  # type: ignore[return-value]
    # Also one that is believed dead and still listed: the list may lag, or whoever deleted it was wrong.
    listed_ids = {key.id for key in listed if key.live and belongs(rotation, key)}
    return (alive(rotation, ()) | listed_ids) - {rotation.row.new_key}


def secured_for_now(rotation: Recorded, old: OldKey) -> OldKey:
    """As `secured`, but where every key is disabled first, no store is waited for: it is secured right after that."""
    try:
        return secured(rotation, old)
    except (Transient, Denied, Permanent, Conflict) as failure:
        if not rotation.row.rules.contains:
            raise
        rotation.purge(failure)
        rotation.note("not kept yet", old.key_id, why=failure.message)
        return old


def secured(rotation: Recorded, old: OldKey) -> OldKey:
    """The old key, its value in a `previous` place if it can be had at all."""
    if old.kept_in is not None or old.proof is not None:
        return old
    value = places.find_value(rotation, rotation.known[old.key_id])
    return old if value is None else places.keep(rotation, old, value)


def choose_slot(rotation: Recorded, listed: Sequence[Key]) -> str | None:
    """A slot that no store's current value and no credential lives in; None where there are no slots.

    By the same eyes as rule 6 right before the mint, or the two would send each other back for ever. Those of other
    credentials come last: such a mint is refused for good.
    """
    slots = rotation.capabilities.slots
    if not slots:
        return None
    if not rotation.capabilities.strategy.overlap:
        return slots[0]
    living = {key.id for key in listed if key.live}
    anothers = {slot_of(key_id) for key_id in living if another_with(rotation, key_id) is not None}
    taken = {slot_of(rotation.credential.current)} if rotation.credential.current else set()
    for publication in places.not_left_behind(rotation):
        found = places.current(rotation, publication)
        if found.foreign:
            raise Conflict(f"{publication.store}:{publication.ref} was written by somebody else at the same time")
        if found.unclear:
            return converge(rotation)
        taken |= {slot_of(key_id) for key_id in living if is_that(rotation, publication, found, key_id)}
    free = sorted((slot for slot in slots if slot not in taken), key=anothers.__contains__)
    if not free:
        return converge(rotation)
    key = next((key for key in listed if key.live and slot_of(key.id) == free[0]), None)
    if key is not None:
        _accept_overwriting(rotation, key)
    return free[0]


def _accept_overwriting(rotation: Recorded, key: Key) -> None:
    """A mint into a slot kills what lives there: that key must be ours, and its death is proven like any other."""
    known = rotation.known.get(key.id)
    if known is None:
        raise Permanent(
            f"slot {slot_of(key.id)} holds a key that nobody adopted",
            f"empty it by hand, or `rotator adopt {rotation.spec.name} --key-id {key.id}`",
        )
    if rotation.row.old_key(key.id) is None:
        old = OldKey(key_id=key.id, fingerprint=known.fingerprint)
        rotation.row = rotation.row.with_old_key(secured(rotation, old))


def converge(rotation: Recorded) -> str:
    """Every room is taken by keys that stores hold, in the middle of somebody's promotion: finish that one first.

    In an emergency this is the one time a key that is to die is written; it is named in the trail. Raises, always:
    afterwards everything is looked at again.
    """
    if not rotation.row.rules.emergency:
        raise CapFull("every slot is current in some store", f"see `rotator status {rotation.spec.name}`")
    newest = _newest_current(rotation)
    if newest is None:
        raise CapFull("no room for another key", "delete a key by hand, then `rotator resume`")
    assert newest.key is not None
    key_id = newest.key.key_id

    def write(publication: Publication) -> None:
        found = places.current(rotation, publication)
        if not found.unclear and (found.key is None or found.key.key_id == key_id):
            return
        assert newest.value is not None
        rendered = publication.render(newest.value)
        finished = publish(rotation, "finish promotion", publication, rendered, found.version, key_id)
        side_by_side.alone(rotation, finished)

    places.on_every_place(rotation, write)
    rotation.credential = replace(rotation.credential, current=key_id)
    raise Transient("the promotion that was under way is finished first")


def _newest_current(rotation: Recorded) -> places.Found | None:
    """The newest key that a store gives back and the provider accepts, if there is more than one to choose from."""
    found = [places.current(rotation, each) for each in places.not_left_behind(rotation)]
    known = [each for each in found if each.key is not None and each.key.alive]
    ids = {each.key.key_id for each in known if each.key} | {rotation.credential.current}
    if len(ids) < 2 and not any(each.unclear for each in found):
        return None
    known = [each for each in known if each.value is not None]
    if not rotation.row.rules.contains:  # there the outage was accepted
        known = [each for each in known if each.value is not None and rotation.verify(each.value).authentic]
    return max(known, key=lambda each: each.key.since if each.key else rotation.row.started_at, default=None)


def refuse_without_room(rotation: Recorded, listed: Sequence[Key]) -> None:
    """A full cap ends a scheduled rotation before it made anything; an emergency makes room when it mints."""
    cap = rotation.capabilities.cap
    if cap is None or rotation.row.rules.emergency or len(beneath_cap(rotation, listed)) < cap:
        return
    hint = "delete a key that is not needed, or take it over with `rotator adopt`"
    raise full_for_good(rotation, CapFull(f"the provider allows {cap} keys and {cap} live", hint))


def full_for_good(rotation: Recorded, refusal: CapFull) -> Failure:
    """Rule 7: a cap's refusal may count a key that is gone, until a list lag has passed in this phase."""
    lag = rotation.capabilities.list_lag
    if rotation.now() < rotation.row.since + lag:
        return Transient(refusal.message, refusal.hint, retry_after=lag)
    return refusal
