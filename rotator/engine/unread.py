"""Places that cannot be read: what is there follows from our own last write and from the version that the store tells.

The credential's row keeps that write: before it, that it was meant, and after it, the version that it returned. With
that version the place holds that key; with another one somebody else wrote since, and with no version noted nobody can
say. Then it is written again before anything rests on it, which harms nobody while the value is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rotator.domain.credential import Publication
from rotator.domain.failures import Conflict, Denied, Permanent
from rotator.domain.records import LastWrite
from rotator.domain.rotation import StoreState
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course, Write


def told(rotation: Recorded, publication: Publication, version: str) -> LastWrite | None:
    """The write that explains a version; None when it is none of ours."""
    last = rotation.credential.last_write(publication.store, publication.ref)
    return last if last is not None and last.version in (None, version) else None


def unsettled(rotation: Recorded, publication: Publication) -> bool:
    """Whether our last write there got lost, or the place was taken over as it was. No request."""
    last = rotation.credential.last_write(publication.store, publication.ref)
    return last is not None and last.version is None


def publish(
    rotation: Recorded,
    action: str,
    publication: Publication,
    fields: Mapping[str, str],
    expected: str,
    key_id: str | None,
    state: StoreState | None = None,
) -> Course[str]:
    """Write what consumers read, by compare-and-set; where that cannot be read, note which key it is.

    `state`: what the row says of the place from the intent on. Fails as `Recorded.write` does. Twice: a `Conflict`, as
    there.
    """
    write = Write(
        action=action, publication=publication, place=publication.place, fields=fields, expected=expected, state=state
    )
    if rotation.reads(publication):
        version: str = yield write
        return version
    before = rotation.credential.last_write(publication.store, publication.ref)
    meant = LastWrite(store=publication.store, ref=publication.ref, key_id=key_id)
    try:
        version = yield replace(write, last=meant)
    except (Conflict, Denied, Permanent):
        _as_before(rotation, publication, before)
        raise
    rotation.credential = rotation.credential.having_written(replace(meant, version=version))
    return version


def _as_before(rotation: Recorded, publication: Publication, before: LastWrite | None) -> None:
    """Ours is not there."""
    forgotten = rotation.credential.without_write(publication.store, publication.ref)
    rotation.credential = forgotten if before is None else forgotten.having_written(before)


def may_hold(rotation: Recorded, publication: Publication, key_id: str) -> bool:
    """Whether a place of ours holds a key as far as nobody can tell: not one that was never meant for it."""
    known = rotation.known.get(key_id)
    if known is None or not unsettled(rotation, publication):
        return False  # nobody ever had its value; or it is known what is there
    meant = rotation.row.store(publication.store, publication.ref).expected is not None
    return meant or known.rotation != rotation.row.id
