"""`sweeping`: what a crash or a stall may have left behind is looked for, and only a list that adds nothing ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from rotator.domain.credential import Place, PlaceKind, Publication
from rotator.domain.keys import Key, KeyState
from rotator.domain.rotation import Phase, Waiting
from rotator.engine import by_hand, places
from rotator.engine.belonging import belongs, learn_handed_over, strays
from rotator.engine.killing import InUse, bury, kill
from rotator.engine.planning import fix_old_keys
from rotator.engine.recorded import Recorded
from rotator.engine.retiring import prove
from rotator.engine.withdrawing import drop_pending, empty_slot
from rotator.policy.due import next_due

AFTER_A_ROLLBACK = timedelta(hours=1)


def sweep(rotation: Recorded) -> Phase | Waiting | None:
    """Unless the rotation is clean wait out every stalled effect and look again; drop values; plan the next one."""
    ends_as = rotation.row.ends_as or Phase.DONE
    emergency = rotation.row.rules.emergency and ends_as is Phase.DONE
    if by_hand.word_is_given(rotation.row):
        prove(rotation)
    if emergency or not rotation.row.clean or not rotation.capabilities.lists:  # then no reconciler finds it later
        quiet = rotation.row.since + 2 * rotation.world.timing.lease + rotation.capabilities.list_lag
        if rotation.now() < quiet:
            return Waiting(until=quiet, note="until nothing can be under way any more")
        listed = rotation.keys()
        if emergency and found_more(rotation, listed):
            return Phase.RETIRING
        if not emergency:
            sweep_strays(rotation, listed, ends_as)
            waiting = prove(rotation)
            if waiting is not None:
                return waiting
    if ends_as is Phase.ROLLED_BACK:
        empty_slot(rotation)
    drop_values(rotation)
    plan_next(rotation, ends_as)
    return ends_as


def found_more(rotation: Recorded, listed: Sequence[Key]) -> bool:
    """Whatever belongs, lives, is not the new key and not proven dead becomes an old key."""
    learn_handed_over(rotation, *rotation.row.supersedes)
    if not rotation.capabilities.lists:
        listed = rotation.keys()  # with what was learned right now
    known = {old.key_id for old in rotation.row.old_keys}
    more = [k for k in listed if k.live and belongs(rotation, k) and k.id not in known and k.id != rotation.row.new_key]
    if more:
        fix_old_keys(rotation, listed)
    return bool(more)


def sweep_strays(rotation: Recorded, listed: Sequence[Key], ends_as: Phase) -> None:
    """Keys of this rotation that are not its new key; one that somebody uses stays, for the reconciler to tell of."""
    spared = {rotation.credential.current} | ({rotation.row.new_key} if ends_as is Phase.DONE else set())
    for key_id in strays(rotation, listed):
        if key_id in spared or rotation.row.old_key(key_id) is not None:
            continue
        try:
            kill(rotation, key_id, KeyState.DELETED, "sweep")
        except InUse as refusal:
            rotation.note("stray in use", key_id, why=refusal.message)
        else:
            bury(rotation, key_id)


def drop_values(rotation: Recorded) -> None:
    """Remove the values that nothing needs any more: pending, and `previous` of every key that is proven dead."""
    drop_pending(rotation)

    def tidy(publication: Publication) -> None:
        for place in rotation.world.stores[publication.store].places(publication.ref):
            if _needless(rotation, publication, place):
                _drop(rotation, publication, place)

    places.on_every_place(rotation, tidy, among=places.keepers)


def _needless(rotation: Recorded, publication: Publication, place: Place) -> bool:
    """Of a superseded rotation, of a key that is dead, or of one that consumers of this very place read anyway."""
    if place.of in rotation.row.supersedes:
        return True
    if place.kind is PlaceKind.PENDING and place.of != rotation.row.id:
        return _landed_late(rotation, publication, place)
    known = rotation.known.get(place.of)
    if known is None or place.kind is not PlaceKind.PREVIOUS:
        return False
    if place.of == rotation.credential.current:
        return places.current(rotation, publication).fingerprint == known.fingerprint
    return not known.alive


def _landed_late(rotation: Recorded, publication: Publication, place: Place) -> bool:
    """What a stalled owner wrote when its rotation was over: no value, or that of a key that is dead or current.

    Or what lay in a store that was left behind when the successor swept.
    """
    ended = rotation.world.journal.rotation(place.of)
    if ended is None or ended.open:
        return False
    found = places.private(rotation, publication, place)
    key = found.key
    return found.value is None or (key is not None and (not key.alive or key.key_id == rotation.credential.current))


def _drop(rotation: Recorded, publication: Publication, place: Place) -> None:
    stored = rotation.read(publication, place)
    if stored.fields is not None:
        rotation.remove("drop value", publication, place, stored.version)


def plan_next(rotation: Recorded, ends_as: Phase) -> None:
    """When the credential is due again; after a rollback not before an hour is over, so that failures do not chase."""
    row, now = rotation.credential, rotation.now()
    rotated_at = row.current_since or rotation.row.started_at
    world = rotation.world
    due = next_due(rotation.spec.policy, row.name, rotated_at=rotated_at, now=now, calendar=world.calendar)
    if ends_as is Phase.ROLLED_BACK:
        due = max(row.next_due or due, now + AFTER_A_ROLLBACK)
    rotation.credential = replace(row, next_due=due)
