"""`staging`: the new value in the pending place of every store, read back from each, and accepted by the provider."""

from __future__ import annotations

from datetime import timedelta

from rotator.domain.credential import Publication
from rotator.domain.failures import Permanent
from rotator.domain.keys import Verdict
from rotator.domain.rotation import Waiting
from rotator.domain.secret import Secret
from rotator.engine import places, side_by_side
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course, Read, Write


def stage(rotation: Recorded) -> Waiting | None:
    """Copy to every store, read back, verify what was read back, and compare the grant with what was declared.

    Of a store that keeps no pending value it is seen that it answers and that the value is not too large.
    """
    value = places.new_value(rotation)
    read_back = side_by_side.on_every_place(
        rotation, lambda each: stage_in(rotation, each, value), settles=True, among=places.keepers
    )
    side_by_side.on_every_place(rotation, lambda each: see_room(rotation, each, value), among=places.written_last)
    refusal = not_yet_accepted(rotation, read_back[-1] if read_back else value)
    if refusal is not None:
        return refusal
    refuse_wide_grant(rotation)
    rotation.update(verified_at=rotation.now())
    return None


def stage_in(rotation: Recorded, publication: Publication, value: Secret) -> Course[Secret]:
    """The value as this store's pending place gives it back; Permanent when it is another one."""
    place, new_key = publication.pending(rotation.row.id), rotation.row.new_key
    assert new_key is not None
    found = yield from places.look_at(rotation, publication, place)
    if found.value != value:
        fields = places.document(rotation, value, new_key)
        yield Write(action="stage", publication=publication, place=place, fields=fields, expected=found.version)
        found = yield from places.look_at(rotation, publication, place)
    if found.value is None or found.value != value:
        raise Permanent(f"{publication.store} gives back another value than was written", "look at the store's limits")
    if publication.extract(publication.render(value)) != value:
        raise Permanent(f"the value does not fit into the fields of {publication.store}:{publication.ref}")
    return found.value


def see_room(rotation: Recorded, publication: Publication, value: Secret) -> Course[None]:
    """A store that is written last answers, and would take the value; Permanent when it is too large."""
    yield Read(publication=publication, place=publication.place)
    most = rotation.offers(publication).max_bytes
    size = max(len(text.encode()) for text in publication.render(value).values())
    if most is not None and size > most:
        where = f"{publication.store}:{publication.ref}"
        raise Permanent(f"{where} takes {most} bytes, and a field has {size}", "publish less to it")


def not_yet_accepted(rotation: Recorded, value: Secret) -> Waiting | None:
    """None when the provider accepts the value; a waiting within its propagation window; Permanent beyond that."""
    verdict = rotation.verify(value)
    if verdict.authentic:
        return None
    known = rotation.known.get(rotation.row.new_key or "")
    since = known.since if known is not None else rotation.now()  # `minted_at` of a person's key is a bound, not a time
    if verdict is Verdict.INVALID and rotation.now() - since > rotation.capabilities.propagation:
        raise Permanent("the provider refuses the new key", "look at the provider's console and status page")
    return rotation.wait(retry_after(rotation), note="until the provider accepts the new key")


def retry_after(rotation: Recorded) -> timedelta:
    """A tenth of the propagation window, between 0.2 s and the poll interval."""
    window = rotation.capabilities.propagation / 10
    return max(min(window, rotation.world.timing.poll), rotation.world.timing.poll / 50)


def refuse_wide_grant(rotation: Recorded) -> None:
    """Least privilege at birth: what the key may do, where the provider tells, is within what was declared."""
    if not rotation.capabilities.scopes or not rotation.spec.scopes:
        return
    key = next((each for each in rotation.keys() if each.id == rotation.row.new_key), None)
    if key is None or key.grant is None:
        return
    beyond = sorted(set(key.grant) - set(rotation.spec.scopes))
    if beyond:
        raise Permanent(
            "the new key may do more than was declared: " + ", ".join(beyond), "narrow the admin's defaults"
        )
