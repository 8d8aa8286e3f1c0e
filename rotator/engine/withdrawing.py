"""`withdrawing`: after a rollback the new key goes away again, once nobody can still be using it."""

from __future__ import annotations

from datetime import datetime

from rotator.domain.credential import Publication
from rotator.domain.failures import Undecidable
from rotator.domain.keys import KeyState, slot_of
from rotator.domain.rotation import Phase, WaitFor, Waiting
from rotator.engine import places
from rotator.engine.belonging import check_journal_age, learn_handed_over, strays
from rotator.engine.handed import note_not_taken
from rotator.engine.killing import InUse, bury, kill
from rotator.engine.minting import wait_for_the_list
from rotator.engine.recorded import Recorded
from rotator.engine.retiring import prove

TURNS = 5
"""How often it goes back to `rolling_back` because the new key was current again, before a person must look."""


def withdraw(rotation: Recorded) -> Phase | Waiting | None:
    """Wait until the new key is quiet or the overlap over; delete this rotation's keys; drop pending.

    What a person deletes is waited for, because afterwards nobody would know of it.
    """
    if rotation.row.promotion_intended:
        waiting = until_unused(rotation)
        if waiting is not None:
            return waiting
    wait_for_the_list(rotation)
    if not rotation.capabilities.lists:
        learn_handed_over(rotation, rotation.row.id)  # no list will ever tell of what was not taken
    listed = rotation.keys()
    check_journal_age(rotation, listed)
    doomed = set(strays(rotation, listed)) | ({rotation.row.new_key} if rotation.row.new_key else set())
    for key_id in sorted(doomed - {rotation.credential.current}):
        try:
            kill(rotation, key_id, KeyState.DELETED, "withdraw")
        except InUse as refusal:
            return turn_back(rotation, refusal)
        bury(rotation, key_id)
    waiting = prove(rotation)
    if waiting is not None:
        return waiting
    empty_slot(rotation)
    note_not_taken(rotation)
    drop_pending(rotation)
    return None


def until_unused(rotation: Recorded) -> Waiting | None:
    """Whoever picked the new key up has until the end of an overlap to pick the old one up again."""
    ends = rotation.row.since + rotation.row.rules.overlap(rotation.spec.policy)
    if rotation.now() >= ends or _quiet(rotation, rotation.row.since):
        return None
    poll = rotation.now() + max(rotation.spec.policy.quiet_for, rotation.world.timing.poll)
    until = min(ends, poll) if rotation.capabilities.usage else ends
    return Waiting(until=until, for_=WaitFor.QUIET, note="the withdrawn key may still be in use")


def _quiet(rotation: Recorded, since: datetime) -> bool:
    if not rotation.capabilities.usage or rotation.now() - since < rotation.spec.policy.quiet_for:
        return False
    key = next((each for each in rotation.keys() if each.id == rotation.row.new_key), None)
    used = key.last_used_at if key is not None else None
    return used is None or rotation.now() - used >= rotation.spec.policy.quiet_for


def turn_back(rotation: Recorded, refusal: InUse) -> Phase:
    """Rule 6 refused: something wrote the new key again. Put back once more, a bounded number of times."""
    if not rotation.row.promotion_intended or rotation.row.turns >= TURNS:
        raise Undecidable(refusal.message, f"look who writes there, then `rotator resume {rotation.spec.name}`")
    rotation.update(turns=rotation.row.turns + 1)
    return Phase.ROLLING_BACK


def empty_slot(rotation: Recorded) -> None:
    """Rule 10: wherever a mint was ever intended the slot gets a fresh tag, so that a late mint no longer matches."""
    slot = rotation.row.slot
    if slot is None or not rotation.row.mint_fences or not rotation.capabilities.strategy.overlap:
        return
    for key in rotation.keys():
        if slot_of(key.id) == slot and key.id != rotation.credential.current:
            kill(rotation, key.id, KeyState.DELETED, "empty slot")


def drop_pending(rotation: Recorded) -> None:
    """Remove this rotation's pending places; a place that was left behind is not touched."""

    def drop(publication: Publication) -> None:
        place = publication.pending(rotation.row.id)
        stored = rotation.read(publication, place)
        if stored.fields is not None:
            rotation.remove("drop pending", publication, place, stored.version)

    places.on_every_place(rotation, drop, among=places.keepers)
