"""`containing`: in `contain_first` every exposed key is disabled before its successor exists, and consumers feel it."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.keys import Disabling, KeyState
from rotator.engine.recorded import Recorded


def contain(rotation: Recorded) -> None:
    """Disable each old key; rule 6 does not ask here, because the outage was accepted. Without disable: nothing."""
    if rotation.capabilities.disabling is Disabling.NONE:
        rotation.note("cannot contain", rotation.spec.provider)
        return
    rotation.update(outage=True)
    rotation.credential = replace(rotation.credential, outage=True)
    for old in rotation.row.old_keys:
        if old.disabled_at is None and old.deleted_at is None:
            rotation.set_state("contain", old.key_id, KeyState.DISABLED)
            rotation.row = rotation.row.with_old_key(replace(old, disabled_at=rotation.now()))
