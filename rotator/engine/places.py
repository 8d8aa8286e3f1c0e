"""The logic of places, written once for every store: current, pending, previous, and putting back.

A pending or previous place is a document of ours that consumers cannot read: the parts of the value beneath `value.`,
and whose they are. The current place holds the rendered fields, and from them the value is read backwards.

A store that cannot be read has a current place alone; what is there follows from `rotator.engine.unread`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from rotator.domain.credential import Place, Publication
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient, Undecidable
from rotator.domain.records import KnownKey
from rotator.domain.rotation import OldKey
from rotator.domain.secret import Secret
from rotator.engine import unread
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course, Read
from rotator.ports import ABSENT, Stored

_VALUE = "value."
FOREIGN = "holds a value that the rotator did not write"
"""Why a place is not touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look at a place found. `foreign`: fields that are no rendering of a value this credential has or had.

    `unread`: something is there that cannot be read; then `key` is by our own last write, and `foreign` means that
    somebody else wrote since. Neither: it may be any of the keys that were ever meant to go there.
    """

    version: str
    value: Secret | None = field(default=None, repr=False)
    fingerprint: str | None = None
    key: KnownKey | None = None
    foreign: bool = False
    key_id: str | None = None  # as a document of ours says
    unread: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all."""
        return self.value is None and not self.foreign and not self.unread

    @property
    def unclear(self) -> bool:
        """Whether it is one of ours and nobody can say which."""
        return self.unread and not self.foreign and self.key is None

    def holds(self, key_id: str | None, value: Secret | None) -> bool:
        """Whether it is this key's value: as read, or else by our last write."""
        if self.unread:
            return self.key is not None and self.key.key_id == key_id
        return self.value == value


def key_of(rotation: Recorded, fingerprint: str | None) -> KnownKey | None:
    """The key of this credential with that fingerprint; the living one where a value came back."""
    found = [key for key in rotation.known.values() if key.fingerprint == fingerprint and fingerprint is not None]
    return next((key for key in found if key.alive), found[0] if found else None)


def current(rotation: Recorded, publication: Publication) -> Found:
    """What consumers read."""
    return current_as(rotation, publication, rotation.read(publication, publication.place))


def current_as(rotation: Recorded, publication: Publication, stored: Stored) -> Found:
    """What consumers read, of what the store gave back."""
    if stored.version != ABSENT and not rotation.reads(publication):
        wrote = unread.told(rotation, publication, stored.version)
        key = rotation.known.get(wrote.key_id or "") if wrote is not None and wrote.version is not None else None
        known = key.fingerprint if key is not None else None
        return Found(version=stored.version, key=key, fingerprint=known, foreign=wrote is None, unread=True)
    if not stored.fields or not any(stored.fields.values()):
        return Found(version=stored.version)
    value = publication.extract(stored.fields)
    if value is None:
        return Found(version=stored.version, foreign=True)
    fingerprint = rotation.fingerprint(value)
    key = key_of(rotation, fingerprint)
    return Found(version=stored.version, value=value, fingerprint=fingerprint, key=key, foreign=key is None)


def private(rotation: Recorded, publication: Publication, place: Place) -> Found:
    """What a pending or previous place holds."""
    return private_as(rotation, rotation.read(publication, place))


def private_as(rotation: Recorded, stored: Stored) -> Found:
    """What a pending or previous place holds, of what the store gave back."""
    value = document_value(stored)
    if value is None:
        return Found(version=stored.version)
    fingerprint = rotation.fingerprint(value)
    key_id = (stored.fields or {}).get("key_id")
    key = rotation.known.get(key_id or "") or key_of(rotation, fingerprint)
    return Found(version=stored.version, value=value, fingerprint=fingerprint, key=key, key_id=key_id)


def pending_values(rotation: Recorded, rotation_id: str) -> Iterator[tuple[Publication, Found]]:
    """What a rotation's pending places hold; a store that cannot be read now is left out."""
    for publication in keepers(rotation):
        try:
            found = private(rotation, publication, publication.pending(rotation_id))
        except (Transient, Denied):
            continue
        if found.value is not None:
            yield publication, found


def document_value(stored: Stored) -> Secret | None:
    """The value in a document of ours."""
    parts = {name[len(_VALUE) :]: text for name, text in (stored.fields or {}).items() if name.startswith(_VALUE)}
    return Secret(parts) if parts else None


def document(rotation: Recorded, value: Secret, key_id: str) -> dict[str, str]:
    """A document of ours for a value."""
    parts = {_VALUE + name: text for name, text in value.parts().items()}
    return {**parts, "key_id": key_id, **signature(rotation)}


def signature(rotation: Recorded) -> dict[str, str]:
    """What every document of ours says of who wrote it."""
    return {"rotation": rotation.row.id, "installation": rotation.world.marker.installation}


def of_others(rotation: Recorded, stored: Stored) -> bool:
    """Whether another installation says that it wrote a document."""
    said = (stored.fields or {}).get("installation")
    return said is not None and said != rotation.world.marker.installation


# -- courses (`rotator.engine.side_by_side`) --------------------------------------------------------------------------


def look(rotation: Recorded, publication: Publication) -> Course[Found]:
    """`current`, as a part of a course."""
    return current_as(rotation, publication, (yield Read(publication=publication, place=publication.place)))


def look_at(rotation: Recorded, publication: Publication, place: Place) -> Course[Found]:
    """`private`, as a part of a course."""
    return private_as(rotation, (yield Read(publication=publication, place=place)))


# -- over all places ----------------------------------------------------------------------------------------------


def not_left_behind(rotation: Recorded) -> Iterator[Publication]:
    """The credential's places, but those that this rotation left behind."""
    for publication in rotation.spec.publish:
        if rotation.row.store(publication.store, publication.ref).left_behind is None:
            yield publication


def keepers(rotation: Recorded) -> Iterator[Publication]:
    """Of these the ones that can be read, and so keep pending and previous values, too."""
    return (each for each in not_left_behind(rotation) if rotation.reads(each))


def written_last(rotation: Recorded) -> Iterator[Publication]:
    """Of these the ones that cannot be read."""
    return (each for each in not_left_behind(rotation) if not rotation.reads(each))


def on_every_place(
    rotation: Recorded,
    act: Callable[[Publication], None],
    *,
    settles: bool = False,
    among: Callable[[Recorded], Iterator[Publication]] = not_left_behind,
) -> None:
    """`act` on each place `among` those that are not left behind.

    One that fails stops a scheduled rotation at once. In an emergency the others are served first; what fails for
    longer than `store_wait` is left behind, as long as one is left that takes the new key and keeps it. `settles`: to
    succeed in this shows that the trouble with a place is over; a mere look does not.
    """
    raise_first(
        rotation, [on_one_place(rotation, publication, act, settles=settles) for publication in tuple(among(rotation))]
    )


def raise_first(rotation: Recorded, failures: Iterable[Failure | None]) -> None:
    """After all places were served: of those that are in trouble and not left behind, what is wrong with the first.

    Any of them is worth another attempt. Undecidable when no place is left at all.
    """
    first = next((failure for failure in failures if failure is not None), None)
    if first is not None:
        raise first if isinstance(first, Transient) else Transient(first.message, first.hint)
    if rotation.spec.publish and not any(True for _ in keepers(rotation)):
        raise _nowhere("")


def on_one_place(
    rotation: Recorded, publication: Publication, act: Callable[[Publication], None], *, settles: bool = False
) -> Failure | None:
    """`act` on one place; in an emergency its failure is returned, or the place is left behind in time."""
    try:
        act(publication)
    except Undecidable:
        raise
    except (Transient, Denied, Permanent, Conflict) as failure:
        if not rotation.row.rules.emergency:
            raise
        rotation.purge(failure)  # its words become the reason why the place is left behind
        left = _leave_behind_in_time(rotation, publication, failure)
        rotation.renew()  # for the next place, however long this one took
        return None if left else failure
    if settles:
        _no_trouble(rotation, publication)
    return None


def _nowhere(because: str) -> Undecidable:
    return Undecidable(f"{because}no store takes the new key", "mend one of the stores, then `rotator resume`")


def _leave_behind_in_time(rotation: Recorded, publication: Publication, failure: Failure) -> bool:
    state = rotation.row.store(publication.store, publication.ref)
    since = state.trouble_since or rotation.now()
    rotation.row = rotation.row.with_store(replace(state, trouble_since=since))
    if rotation.now() - since < rotation.world.timing.store_wait:
        return False
    leave_behind(rotation, publication, failure.message)
    return True


def leave_behind(rotation: Recorded, publication: Publication, why: str) -> None:
    """Let this rotation go on without the place; it is drift, named, and mended by the reconciler.

    Permanent when it is the last one that keeps values, because at least one must have the new key.
    """
    where = f"{publication.store}:{publication.ref}"
    why = why.removeprefix(f"{where}: ")
    if all(each is publication for each in keepers(rotation)):
        raise _nowhere(f"{where}: {why}, and ")
    state = rotation.row.store(publication.store, publication.ref)
    rotation.row = rotation.row.with_store(replace(state, left_behind=why))
    rotation.note("left behind", where, why=why)
    mark_drift(rotation, publication)


def mark_drift(rotation: Recorded, publication: Publication) -> None:
    """Let the credential's row say that the place does not hold its current key."""
    drift = {*rotation.credential.drift, f"{publication.store}:{publication.ref}"}
    rotation.credential = replace(rotation.credential, drift=tuple(sorted(drift)))


def _no_trouble(rotation: Recorded, publication: Publication) -> None:
    state = rotation.row.store(publication.store, publication.ref)
    if state.trouble_since is not None:
        rotation.row = rotation.row.with_store(replace(state, trouble_since=None))


# -- values ---------------------------------------------------------------------------------------------------------


def find_value(rotation: Recorded, key: KnownKey) -> Secret | None:
    """The value of a key of this credential, from wherever it is kept.

    None only when every place that is not left behind could be read and none has it; else what kept it from being read.
    """
    if key.key_id in rotation.values:
        return rotation.values[key.key_id]
    failure: Failure | None = None
    reachable = tuple(keepers(rotation))
    beyond = (each for each in rotation.spec.publish if each not in reachable and rotation.reads(each))
    for publication in (*reachable, *beyond):
        try:
            for found in _everywhere(rotation, publication, key):
                if found.value is not None and key.fingerprint in (None, found.fingerprint):
                    rotation.values[key.key_id] = found.value
                    return found.value
        except (Transient, Denied, Permanent) as problem:
            failure = failure or (problem if publication in reachable else None)
    if failure is not None:
        raise failure
    return None


def _everywhere(rotation: Recorded, publication: Publication, key: KnownKey) -> Iterator[Found]:
    previous = private(rotation, publication, publication.previous(key.key_id))
    if previous.value is not None:
        yield previous
    now = current(rotation, publication)
    if now.key is not None and now.key.key_id == key.key_id:
        yield now
    for rotation_id in dict.fromkeys((key.rotation, rotation.row.id, *rotation.row.supersedes)):
        if not rotation_id:  # a mere look has no rotation of its own
            continue
        pending = private(rotation, publication, publication.pending(rotation_id))
        if pending.key_id == key.key_id:
            yield pending


def new_value(rotation: Recorded) -> Secret:
    """The value of this rotation's new key; Permanent when no place has it any more."""
    key = rotation.known.get(rotation.row.new_key or "")
    value = find_value(rotation, key) if key is not None else None
    if value is None:
        raise Permanent("the new key's value is in no store any more", "rotate again; the key itself is withdrawn")
    return value


def keep(rotation: Recorded, old: OldKey, value: Secret) -> OldKey:
    """Copy the value of a key that is to die to its `previous` place in the first store that takes it.

    Only a value that the provider accepts: the refusal of one that never worked would prove nothing. What is kept
    already was accepted then.
    """
    failure: Failure | None = None
    accepted = False
    for publication in keepers(rotation):
        place = publication.previous(old.key_id)
        try:
            found = private(rotation, publication, place)
            if found.value != value:
                accepted = accepted or worked_once(rotation, old, value)
                if not accepted:
                    return old
                fields = document(rotation, value, old.key_id)
                rotation.write("keep previous", publication, place, fields, found.version)
        except (Transient, Denied, Conflict) as problem:
            failure = failure or problem
            continue
        return replace(old, had=True, kept_in=publication.store)
    raise failure or Permanent("there is no store to keep the old value in", "publish the credential to a store")


def worked_once(rotation: Recorded, old: OldKey, value: Secret) -> bool:
    """Whether the provider accepts the value, or cannot be expected to yet, or no more because we disabled the key."""
    known = rotation.known[old.key_id]
    if old.disabled_at is not None:
        return known.fingerprint is not None  # it is the value that was known, and not just any that a store had
    if rotation.verify(value).authentic:
        return True
    return known.rotation is not None and rotation.now() - known.since < rotation.capabilities.propagation
