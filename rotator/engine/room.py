"""Room for one more key beneath a provider's cap."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.failures import CapFull, Undecidable
from rotator.domain.keys import Key, KeyState
from rotator.engine.belonging import belongs, beneath_cap
from rotator.engine.killing import bury, holder, kill
from rotator.engine.planning import converge, fix_old_keys, full_for_good
from rotator.engine.recorded import Recorded


def room_was_made(rotation: Recorded, listed: Sequence[Key]) -> bool:
    """Whether there is room under the cap at once. In an emergency an exposed key that no store holds dies for it."""
    cap = rotation.capabilities.cap
    live = beneath_cap(rotation, listed)
    if cap is None or len(live) < cap:
        return True
    if not rotation.row.rules.emergency:
        raise full_for_good(
            rotation, CapFull(f"the provider allows {cap} keys and {cap} live", "delete a key that is not needed")
        )
    fix_old_keys(rotation, listed)  # the list of `planned` may have lacked one that fills the cap now
    ours = [old.key_id for old in rotation.row.old_keys if old.key_id in live]
    for key_id in ours:
        if holder(rotation, key_id) is None:
            kill(rotation, key_id, KeyState.DELETED, "make room")
            bury(rotation, key_id)
            return False
    foreign = [key.id for key in listed if key.live and not belongs(rotation, key)]
    if foreign and len(ours) < 2:
        hint = f"revoke it by hand, then `rotator resume {rotation.spec.name}`"
        raise Undecidable("the cap is filled by foreign keys: " + ", ".join(foreign), hint)
    converge(rotation)
    return False
