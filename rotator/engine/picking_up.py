"""Who has moved to the new key: by acknowledgement, by the provider's word on both keys, or by time alone.

Acknowledgements shorten the overlap to `min_overlap`; the old key's last use overrules them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rotator.domain.consumers import ConsumerState, PickedUp
from rotator.domain.keys import Key
from rotator.domain.rotation import Waiting
from rotator.engine.recorded import Recorded


def everybody(rotation: Recorded) -> bool:
    """Whether every consumer that the config declares has acknowledged; where it declares none nobody can say."""
    states = [rotation.row.consumer(name) for name in rotation.spec.consumers]
    return bool(states) and all(state is not None and state.acknowledged for state in states)


def overlap_ends(rotation: Recorded) -> datetime:
    """When the old keys may begin to be retired, as far as time goes.

    Shortened by acknowledgements, but to no less than the provider may take to accept the new key everywhere: a
    consumer's other process may meet a server that does not know it yet.
    """
    since = live_since(rotation)
    overlap, least = rotation.row.rules.overlap(rotation.spec.policy), rotation.spec.policy.min_overlap
    if least is None or not everybody(rotation):
        return since + overlap
    return since + min(overlap, max(least, rotation.capabilities.propagation))


def live_since(rotation: Recorded) -> datetime:
    """When the new key became current; never later than now, whatever a clock that ran ahead has written."""
    live_at = rotation.row.live_at or rotation.row.since
    if live_at > rotation.now():
        live_at = rotation.now()
        rotation.update(live_at=live_at)
    return live_at


def until_overlap(rotation: Recorded) -> Waiting | None:
    """Both keys work until its end."""
    ends = overlap_ends(rotation)
    if rotation.now() >= ends:
        return None
    moved = "; every consumer has acknowledged" if everybody(rotation) else ""
    return Waiting(until=ends, note=f"until the overlap is over{moved}")


def usage(rotation: Recorded) -> Sequence[Key]:
    """The provider's list with the last use of both keys; empty where it does not tell, or nobody waits for quiet."""
    if not rotation.row.rules.waits_for_quiet or not rotation.capabilities.usage:
        return ()
    if not rotation.row.old_keys and not rotation.row.consumers:
        return ()
    listed = rotation.keys()
    note_use(rotation, listed)
    return listed


def note_use(rotation: Recorded, listed: Sequence[Key]) -> None:
    """Who used the new key last is known to have moved, where the provider tells names."""
    new = _new(rotation, listed)
    state = rotation.row.consumer(new.last_used_by) if new is not None and new.last_used_by else None
    if state is not None and state.how is None and _used_since(new, state):
        rotation.row = rotation.row.with_consumer(replace(state, how=PickedUp.USED))


def settle(rotation: Recorded, listed: Sequence[Key]) -> None:
    """Right before the pivot: how it is known of each consumer that it has moved; by time alone if nobody said so."""
    new = _new(rotation, listed)
    for state in rotation.row.consumers:
        if state.how is None:
            how = PickedUp.USED if _used_since(new, state) else PickedUp.TIME
            rotation.row = rotation.row.with_consumer(replace(state, how=how))


def last_used(rotation: Recorded, listed: Sequence[Key]) -> Key | None:
    """The old key that was used last; None where none was, as far as the provider tells."""
    old = {each.key_id for each in rotation.row.old_keys}
    used = [(key.last_used_at, key) for key in listed if key.id in old and key.live and key.last_used_at is not None]
    return max(used, key=lambda each: each[0])[1] if used else None


def strangers_use(rotation: Recorded, listed: Sequence[Key]) -> str | None:
    """An old key used after every declared consumer had proved that it has the new one: said, and an alert."""
    key = last_used(rotation, listed)
    if key is None or key.last_used_at is None or not everybody(rotation):
        return None
    moved = max(each.picked_up_at for each in rotation.row.consumers if each.picked_up_at is not None)
    if key.last_used_at <= moved + rotation.world.timing.straggling:
        return None
    by = f" by {key.last_used_by}" if key.last_used_by else ""
    message = f"a stranger's use: {key.id} was used{by} after every consumer had acknowledged the new key"
    rotation.note("stranger's use", key.id, by=key.last_used_by)
    rotation.world.observer.alert("stranger's use", rotation.spec.name, message)
    return message


def _new(rotation: Recorded, listed: Sequence[Key]) -> Key | None:
    return next((key for key in listed if key.id == rotation.row.new_key), None)


def _used_since(new: Key | None, state: ConsumerState) -> bool:
    return new is not None and new.last_used_at is not None and new.last_used_at >= state.since
