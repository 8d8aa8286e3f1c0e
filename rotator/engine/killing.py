"""Rule 6: no key is deleted while some store's current value is that key, or some credential has it as current."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.credential import Publication
from rotator.domain.failures import Permanent
from rotator.domain.keys import KeyState
from rotator.domain.rotation import Waiting
from rotator.engine import by_hand, places, unread
from rotator.engine.recorded import Recorded


class InUse(Permanent):
    """Rule 6 forbids it: the key is still somebody's current one."""


def holder(rotation: Recorded, key_id: str) -> str | None:
    """Who has the key as current, as text; None when nobody has.

    Stores left behind by this rotation are not asked: they hold it, and are named. Any other store that cannot be read
    raises, and so forbids the deletion, until in an emergency it is left behind. What somebody else wrote unread
    forbids every deletion; in an emergency it is left behind.
    """
    other = another_with(rotation, key_id)
    if other is not None:
        return f"credential {other}"
    if rotation.credential.current == key_id:
        return f"credential {rotation.spec.name}"
    for publication in tuple(places.not_left_behind(rotation)):
        found: list[places.Found] = []

        def look(each: Publication, found: list[places.Found] = found) -> None:
            found.append(places.current(rotation, each))

        failure = places.on_one_place(rotation, publication, look)
        if failure is not None:
            places.raise_first(rotation, (failure,))
        for each in found:
            if each.unread and each.foreign and rotation.row.rules.emergency:
                places.leave_behind(rotation, publication, places.FOREIGN)
            elif is_that(rotation, publication, each, key_id):
                return f"{publication.store}:{publication.ref}"
    return None


def another_with(rotation: Recorded, key_id: str, fingerprint: str | None = None) -> str | None:
    """Which other credential has this key as current. `fingerprint`: as known here, where it is not given.

    Two providers may call two keys alike, and then their values tell them apart; where one of them is not known, it may
    be the same key.
    """
    journal, known = rotation.world.journal, rotation.known.get(key_id)
    if fingerprint is None and known is not None:
        fingerprint = known.fingerprint
    for name in journal.holders(key_id):
        theirs = next((key.fingerprint for key in journal.keys(name) if key.key_id == key_id), None)
        if name != rotation.spec.name and (None in (fingerprint, theirs) or fingerprint == theirs):
            return name
    return None


def is_that(rotation: Recorded, publication: Publication, found: places.Found, key_id: str) -> bool:
    """Whether a place holds the key, or may: where nobody can say, that forbids the deletion."""
    if found.unread:
        return found.foreign or found.holds(key_id, None) or unread.may_hold(rotation, publication, key_id)
    if found.value is None:
        return False
    known = rotation.known.get(key_id)
    if known is not None and known.fingerprint is not None:
        return found.fingerprint == known.fingerprint
    if found.key is not None:
        return found.key.key_id == key_id
    return rotation.identify(found.value) in (key_id, None)


def kill(rotation: Recorded, key_id: str, state: KeyState, action: str) -> None:
    """Disable or delete a key that nobody has as current. Raises `InUse`. Twice: nothing more.

    Where the provider has no deletion a person is asked for it, and the key is an old key from then on.
    """
    who = holder(rotation, key_id)
    if who is not None:
        raise InUse(f"{key_id} is current in {who}", "nothing was deleted; see `rotator status`")
    if state is KeyState.DELETED and not rotation.capabilities.deletes:
        by_hand.ask_to_delete(rotation, key_id)
    else:
        rotation.set_state(action, key_id, state)


def bury(rotation: Recorded, key_id: str) -> None:
    """Note a deletion: of an old key, whose proof follows, or of a stray, which nothing knows from now on."""
    old = rotation.row.old_key(key_id)
    if old is not None and old.to_delete_since is not None:
        return  # nothing was deleted yet
    if old is not None:
        rotation.row = rotation.row.with_old_key(replace(old, deleted_at=rotation.now()))
    elif key_id in rotation.known:
        rotation.learn(replace(rotation.known[key_id], dead_at=rotation.now()))


def others_first(rotation: Recorded, note: str) -> Waiting:
    """Nothing can be done with the key any more; what others still do with theirs is more urgent than to clean up."""
    return rotation.wait(rotation.world.timing.poll / 50, note=note)
