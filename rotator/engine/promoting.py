"""`promoting`: the new value becomes what consumers read, in every store by compare-and-set on what was read before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rotator.domain.credential import Publication
from rotator.domain.failures import Conflict, Denied, Permanent
from rotator.domain.records import KnownKey
from rotator.domain.rotation import OldKey, Waiting
from rotator.domain.secret import Secret
from rotator.engine import places, side_by_side, staging, telling
from rotator.engine.planning import foreign
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course
from rotator.engine.unread import publish


def promote(rotation: Recorded) -> Waiting | None:
    """Promote everywhere, read back everywhere; then the new key is the credential's current one.

    Stores that cannot be read come last, when every other one is read back or left behind.
    """
    value = places.new_value(rotation)
    verified = rotation.row.verified_at
    if verified is None or rotation.now() - verified > rotation.world.timing.verified_for:
        refusal = staging.not_yet_accepted(rotation, value)
        if refusal is not None:
            return refusal
        rotation.update(verified_at=rotation.now())
    for among in (places.keepers, places.written_last):
        side_by_side.on_every_place(rotation, lambda each: promote_in(rotation, each, value), settles=True, among=among)
    make_current(rotation, rotation.row.new_key)
    rotation.update(live_at=rotation.now(), outage=False)
    telling.begin(rotation)
    return None


def make_current(rotation: Recorded, key_id: str | None, drift: Collection[str] = ()) -> None:
    """Let the credential's row say which key consumers should read. `drift`: where else they do not."""
    behind = {f"{s.store}:{s.ref}" for s in rotation.row.stores if s.left_behind is not None}
    drifted = behind.union(drift) & {f"{each.store}:{each.ref}" for each in rotation.spec.publish}
    rotation.credential = replace(
        rotation.credential, current=key_id, current_since=rotation.now(), drift=tuple(sorted(drifted)), outage=False
    )


def promote_in(rotation: Recorded, publication: Publication, value: Secret) -> Course[None]:
    """One store: look, secure what is there, compare-and-set on the version that was looked at, read back."""
    new_key, found = rotation.row.new_key, (yield from places.look(rotation, publication))
    if found.holds(new_key, value):
        _promoted(rotation, publication, found.version)
        return
    if found.foreign:
        _foreign(rotation, publication, found)
        return
    if found.key is not None and found.value is not None:
        secure_before_overwriting(rotation, found.key, found.value)
    if found.unclear:
        rotation.note("written again", f"{publication.store}:{publication.ref}", why="nobody can tell what is there")
    before = rotation.row.store(publication.store, publication.ref)
    unread = not rotation.reads(publication)
    intended = replace(before, expected=found.version, promoted_at=None, unread=unread)
    try:
        yield from publish(
            rotation, "promote", publication, publication.render(value), found.version, new_key, intended
        )
    except (Denied, Permanent):
        # Of several requests the last may have been the refused one: where it can be read it is looked at.
        if unread or (yield from places.look(rotation, publication)).version == found.version:
            rotation.row = rotation.row.with_store(before)  # nothing was written: nothing is to be put back for it
        raise
    after = yield from places.look(rotation, publication)
    if not after.holds(new_key, value):
        raise Conflict(f"{publication.store}:{publication.ref} was written by somebody else at the same time")
    _promoted(rotation, publication, after.version)


def _promoted(rotation: Recorded, publication: Publication, version: str) -> None:
    state = rotation.row.store(publication.store, publication.ref)
    if state.promoted_at is None or state.version != version:
        # Who made the key by hand may have published it, too: it is to be put back like a promotion of ours.
        expected = state.expected if state.expected is not None else version
        state = replace(state, expected=expected, version=version, promoted_at=rotation.now())
        rotation.row = rotation.row.with_store(state)


def _foreign(rotation: Recorded, publication: Publication, found: places.Found) -> None:
    refusal = foreign(rotation, publication, found)
    if not rotation.row.rules.emergency:
        raise refusal
    places.leave_behind(rotation, publication, places.FOREIGN)


def secure_before_overwriting(rotation: Recorded, key: KnownKey, value: Secret) -> None:
    """A current value of another key than was planned for is kept before it is overwritten."""
    if not key.alive:
        return
    old = rotation.row.old_key(key.key_id)
    if old is not None and old.kept_in is not None:
        return
    if old is None and key.key_id == rotation.row.old_current:
        old = OldKey(key_id=key.key_id, fingerprint=key.fingerprint)
    kept = places.keep(rotation, old or OldKey(key_id=key.key_id, fingerprint=key.fingerprint), value)
    if rotation.row.old_key(key.key_id) is not None or key.key_id == rotation.row.old_current:
        rotation.row = rotation.row.with_old_key(kept)
