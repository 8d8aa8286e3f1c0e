"""Which keys there are, whose they are, and whether the journal can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rotator.domain.credential import Place, PlaceKind, Publication
from rotator.domain.failures import JournalOlder, Permanent
from rotator.domain.keys import Key, Minter
from rotator.domain.records import KnownKey, Origin, Request
from rotator.domain.rotation import Rotation
from rotator.engine import places
from rotator.engine.recorded import Recorded


def belongs(rotation: Recorded, key: Key) -> bool:
    """Whether a listed key is this credential's: known, of an exclusive principal, or with a valid mark of ours."""
    if key.id in rotation.known or rotation.spec.principal.exclusive:
        return True
    return rotation.mark_of(key) is not None


def alive(rotation: Recorded, listed: Iterable[Key]) -> set[str]:
    """What lives: the list united with what the journal knows alive, less what it knows dead (rule 7)."""
    dead = {key_id for key_id, key in rotation.known.items() if not key.alive}
    dead |= {old.key_id for old in rotation.row.old_keys if old.deleted_at is not None}
    known = {key_id for key_id, key in rotation.known.items() if key.alive}
    return ({key.id for key in listed if key.live} | known) - dead


def beneath_cap(rotation: Recorded, listed: Iterable[Key]) -> set[str]:
    """What fills a provider's cap: what lives, but for what the list should show by now and does not.

    Whoever deleted such a key, by hand or with an answer that got lost, told nobody; it must not block for ever.
    """
    listed = tuple(listed)
    settled = rotation.now() - rotation.capabilities.list_lag - rotation.world.timing.request
    missing = {key.key_id for key in rotation.known.values() if key.since < settled}
    return alive(rotation, listed) - (missing - {key.id for key in listed if key.live})


def learn_belonging(rotation: Recorded, listed: Iterable[Key]) -> None:
    """Let the journal know every living key of the list that belongs and that it did not know."""
    learn_handed_over(rotation, *rotation.row.supersedes)
    for key in listed:
        if key.live and key.id not in rotation.known and belongs(rotation, key):
            mark = rotation.mark_of(key)
            rotation.learn(
                KnownKey(
                    key_id=key.id,
                    credential=rotation.spec.name,
                    origin=Origin.FOUND,
                    since=key.created_at or rotation.now(),
                    rotation=mark.rotation if mark else None,
                )
            )


def learn_handed_over(rotation: Recorded, *rotation_ids: str) -> None:
    """Let the journal know every key that a person handed over to a rotation, with its fingerprint: it belongs."""
    if rotation.capabilities.strategy.minter is not Minter.PERSON:
        return
    for rotation_id in rotation_ids:
        for _, found in places.pending_values(rotation, rotation_id):
            known = found.key or KnownKey(
                key_id=found.key_id or "",
                credential=rotation.spec.name,
                origin=Origin.FOUND,
                since=rotation.now(),
                rotation=rotation_id,
            )
            if found.key_id and known.fingerprint is None:
                rotation.learn(replace(known, fingerprint=found.fingerprint))


def learn_told_of(rotation: Recorded, request: Request) -> None:
    """Let the journal know the id of a key that `rotator provide` told of, where no list will ever show it.

    Its value may be out of reach by the time that somebody looks; that the key lives must not be forgotten with it.
    """
    rotation_id, _, key_id = request.why.partition(" ")
    if rotation.capabilities.lists or not key_id or key_id in rotation.known:
        return
    rotation.learn(
        KnownKey(
            key_id=key_id,
            credential=rotation.spec.name,
            origin=Origin.FOUND,
            since=request.at,
            rotation=rotation_id,
        )
    )


def strays(rotation: Recorded, listed: Iterable[Key], *, below: int | None = None) -> tuple[str, ...]:
    """Living keys that this rotation minted and nobody committed: by mark, with a fence smaller than `below`.

    Without marks: keys of an exclusive principal that the journal knows as this rotation's, or that it does not know
    and that are outside the baseline.
    """
    found = []
    for key in listed:
        if not key.live:
            continue
        mark = rotation.mark_of(key)
        if mark is not None:
            if mark.rotation == rotation.row.id and (below is None or mark.fence < below):
                found.append(key.id)
        elif _is_unmarked_stray(rotation, key):
            found.append(key.id)
    return tuple(found)


def _is_unmarked_stray(rotation: Recorded, key: Key) -> bool:
    strategy = rotation.capabilities.strategy
    if strategy.marked or strategy.slots or not rotation.spec.principal.exclusive or not rotation.row.mint_fences:
        return False
    known = rotation.known.get(key.id)
    if known is not None:
        return known.rotation == rotation.row.id
    if strategy.minter is Minter.PERSON:
        return False  # what a person made and never handed over is not this rotation's: the reconciler tells of it
    return key.id not in rotation.row.baseline


def candidates(rotation: Recorded, listed: Iterable[Key], minted: Rotation | None = None) -> tuple[str, ...]:
    """Keys of a shared, unmarked principal that a lost mint of a rotation, this one or `minted`, may have made.

    Nobody can tell.
    """
    row, strategy = minted or rotation.row, rotation.capabilities.strategy
    if strategy.marked or strategy.slots or rotation.spec.principal.exclusive or not row.mint_fences:
        return ()
    if strategy.minter is Minter.PERSON:
        return ()  # no request of ours can have made it
    unknown = (key for key in listed if key.live and key.id not in rotation.known)
    return tuple(key.id for key in unknown if key.id not in row.baseline)


def check_journal_age(rotation: Recorded, listed: Iterable[Key]) -> None:
    """Rule 9: a mark of ours that no mint intent in the journal accounts for, or a pending place of a rotation never

    heard of, means that the journal is older than the world. Raises `JournalOlder`. The list was made before the
    journal is asked, so that nothing minted meanwhile is mistaken.
    """
    marks = [(key.id, mark) for key in listed if key.live and (mark := rotation.mark_of(key)) is not None]
    for key_id, mark in marks:
        known = rotation.world.journal.rotation(mark.rotation)  # also our own: the row in memory may be outdated
        if known is None or mark.fence not in known.mint_fences:
            raise _older(f"key {key_id} was minted by a rotation that the journal does not know")

    def look(publication: Publication) -> None:
        for place in rotation.world.stores[publication.store].places(publication.ref):
            ours = place.kind is not PlaceKind.PENDING or place.of == rotation.row.id
            if not ours and rotation.world.journal.rotation(place.of) is None:
                _refuse_unknown(rotation, publication, place)

    places.on_every_place(rotation, look)


def _refuse_unknown(rotation: Recorded, publication: Publication, place: Place) -> None:
    """A pending place of a rotation that the journal never heard of: another installation's, or ours from later on.

    An emergency goes on beside another installation, whose key consumers may get next.
    """
    where, stored = f"{publication.store}:{publication.ref}", rotation.read(publication, place)
    if not stored.fields:  # emptied, or gone by now; what we leave always says whose it is
        return
    if not places.of_others(rotation, stored):
        raise _older(f"{where} holds a value of a rotation unknown here")
    rotation.note("another installation", where)
    if not rotation.row.rules.emergency:
        hint = f"take {rotation.spec.name} out of one config; what the other one left in {where} goes by hand"
        raise Permanent(f"another installation of the rotator publishes to {where}, too", hint)


def _older(why: str) -> JournalOlder:
    return JournalOlder(f"the journal is older than the world: {why}", "run `rotator reconcile --rebuild`")
