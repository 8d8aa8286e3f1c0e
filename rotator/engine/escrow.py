"""The escrow: the first store of a credential that accepts a write, seen to do so before there is a key to save."""

from __future__ import annotations

from rotator.domain.credential import Publication
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.engine import places
from rotator.engine.recorded import Recorded


def open_escrow(rotation: Recorded) -> tuple[Publication, str]:
    """The first store that accepts a write, and the version to expect when the key is saved there."""
    failure: Failure | None = None
    for publication in places.keepers(rotation):
        place = publication.pending(rotation.row.id)
        try:
            found = places.private(rotation, publication, place)
            if found.key is not None and found.value is not None and found.key.alive:
                keep_for_proof(rotation, found)
            fields = {"key_id": "", **places.signature(rotation)}
            return publication, rotation.write("open escrow", publication, place, fields, found.version)
        except (Transient, Denied, Permanent, Conflict) as problem:
            failure = failure or problem
    raise failure or Permanent("no store can take a new key", "publish the credential to a store")


def keep_for_proof(rotation: Recorded, found: places.Found) -> None:
    """No place is overwritten while it is the only copy of the value of a key that is not proven dead."""
    assert found.key is not None
    assert found.value is not None
    old = rotation.row.old_key(found.key.key_id)
    if old is not None and old.kept_in is None:
        rotation.row = rotation.row.with_old_key(places.keep(rotation, old, found.value))
