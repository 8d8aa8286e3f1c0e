"""`rolling_back`: the old value is written again wherever a promotion was ever intended."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.credential import Publication
from rotator.domain.failures import Permanent
from rotator.domain.secret import Secret
from rotator.engine import places, side_by_side, telling
from rotator.engine.outcomes import OLD_KEY_DEAD
from rotator.engine.promoting import make_current
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course
from rotator.engine.unread import publish


def roll_back(rotation: Recorded) -> None:
    """Verify the old key, then write it as a new version in every store where a promotion may have landed or may yet.

    A label moved back would let a stalled promotion win (rule 4). A foreign value stays.
    """
    if not rotation.row.promotion_intended:
        return
    old = old_value(rotation)
    intended = [each for each in rotation.spec.publish if rotation.row.store(each.store, each.ref).expected is not None]
    ours = side_by_side.together(rotation, [put_back(rotation, each, old) for each in intended])
    held = {f"{each.store}:{each.ref}": is_ours for each, is_ours in zip(intended, ours, strict=True)}
    drift = (set(rotation.credential.drift) | held.keys()) - {where for where, is_ours in held.items() if is_ours}
    make_current(rotation, rotation.row.old_current, drift=drift)
    known = rotation.known.get(rotation.row.old_current or "")
    if known is not None:
        rotation.credential = replace(rotation.credential, current_since=known.since)
    telling.begin(rotation)


def old_value(rotation: Recorded) -> Secret | None:
    """The value to go back to, seen to work; None where there was no key before."""
    if rotation.row.old_current is None:
        return None
    value = places.find_value(rotation, rotation.known[rotation.row.old_current])
    if value is None:
        raise Permanent(
            "the old key's value is in no store any more", f"`rotator resume {rotation.spec.name}` tries again"
        )
    if not rotation.verify(value).authentic:
        hint = f"forward is the only way: `rotator resume {rotation.spec.name}`"
        raise Permanent(f"{OLD_KEY_DEAD}, so there is nothing to go back to", hint)
    return value


def put_back(rotation: Recorded, publication: Publication, old: Secret | None) -> Course[bool]:
    """One store: the old value as a new version, once; False where a foreign value is current, which stays."""
    found = yield from places.look(rotation, publication)
    state = rotation.row.store(publication.store, publication.ref)
    if found.foreign:
        rotation.note("foreign value stays", f"{publication.store}:{publication.ref}")
        return False
    old_key = rotation.row.old_current
    if state.put_back_at is not None and found.holds(old_key, old):  # None: an empty field
        return True
    if old is not None:
        yield from publish(rotation, "put back", publication, publication.render(old), found.version, old_key)
    elif not rotation.reads(publication):
        rotation.remove("put back", publication, publication.place, found.version)
    else:
        # Nothing was here before. An empty field is a new version too, so that a late promotion is refused.
        empty = dict.fromkeys(publication.fields, "")
        yield from publish(rotation, "put back", publication, empty, found.version, None)
    rotation.row = rotation.row.with_store(replace(state, put_back_at=rotation.now(), promoted_at=None))
    return True
