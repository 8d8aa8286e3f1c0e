"""`containing`: in `contain_first` every exposed key is disabled before its successor exists, and consumers feel it."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import Disabling, KeyState
from rotator.domain.rotation import OldKey, Waiting
from rotator.engine.killing import others_first
from rotator.engine.planning import secured
from rotator.engine.recorded import Recorded


def contain(rotation: Recorded) -> Waiting | None:
    """Disable each old key, then secure the values that no store would keep before."""
    before = rotation.row.old_keys
    if rotation.capabilities.disabling is Disabling.NONE:
        rotation.note("cannot contain", rotation.spec.provider)
    else:
        disable_all(rotation)
    disabled = rotation.row.old_keys != before
    for old in rotation.row.old_keys:
        rotation.row = rotation.row.with_old_key(secured_in_time(rotation, old))
    return others_first(rotation, "disabled; its successor is made in its turn") if disabled else None


def secured_in_time(rotation: Recorded, old: OldKey) -> OldKey:
    """As `secured`, within `store_wait`: afterwards a successor matters more than a proof.

    What a promotion would overwrite is secured there once more.
    """
    try:
        return secured(rotation, old)
    except (Transient, Denied, Permanent, Conflict) as failure:
        if rotation.now() - rotation.row.since < rotation.world.timing.store_wait:
            raise Transient(failure.message, failure.hint) from failure
        rotation.purge(failure)
        rotation.note("not kept yet", old.key_id, why=failure.message)
    return old


def disable_all(rotation: Recorded) -> None:
    """Disable each old key; rule 6 does not ask here, because the outage was accepted."""
    rotation.update(outage=True)
    rotation.credential = replace(rotation.credential, outage=True)
    first: Failure | None = None
    for old in rotation.row.old_keys:
        if old.disabled_at is None and old.deleted_at is None:
            failure = disable(rotation, old)
            first = first or failure
    if first is not None:
        raise first


def disable(rotation: Recorded, old: OldKey) -> Failure | None:
    """Disable one exposed key; its failure does not keep the next one alive."""
    try:
        rotation.set_state("contain", old.key_id, KeyState.DISABLED)
    except (Transient, Conflict, Permanent) as failure:
        return failure
    rotation.row = rotation.row.with_old_key(replace(old, disabled_at=rotation.now()))
    return None
