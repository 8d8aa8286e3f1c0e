"""Handing over a key that a person made: checked, left in a pending place of the rotation that waits, and told of.

Nothing here owns the rotation's row. The value is written by compare-and-set and the request comes after it, so a crash
between them costs the owner one poll, and the same command again is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rotator.domain.credential import Credential, Publication
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import Minter, Verdict
from rotator.domain.records import Verb
from rotator.domain.rotation import Phase, Rotation
from rotator.domain.secret import Secret
from rotator.engine import handed, places
from rotator.engine.handed import NotTaken
from rotator.engine.recorded import Recorded
from rotator.engine.world import World

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What was handed over. `rotation`: the one that waited for it, as it stands now."""

    key_id: str
    store: str
    rotation: Rotation


def awaiting(spec: Credential, world: World) -> Rotation:
    """The open rotation that waits for a person's key. Raises `NotTaken`, with the command that begins one."""
    if world.provider.capabilities(spec.principal).strategy.minter is not Minter.PERSON:
        raise NotTaken(f"{spec.name}: its provider mints keys itself", f"`rotate {spec.name}` rotates it")
    row = world.journal.open_rotation(spec.name)
    if row is None:
        raise NotTaken(f"{spec.name} has no open rotation", f"`rotate {spec.name}` begins one, and asks for a key")
    if not handed.awaits(row):
        raise NotTaken(
            f"{spec.name} does not wait for a key: it is {row.phase.value}", f"see `rotator status {spec.name}`"
        )
    return row


def provide(spec: Credential, world: World, value: Secret, sleep: Sleep, *, asked_by: str) -> Provided:
    """Check a value, leave it for the rotation that waits for it, and wake that. Raises `NotTaken` and `Failure`.

    `asked_by`: the rotation that the person was told to make it for; to what another one has asked since this is no
    answer. `sleep`: called with seconds, at most a list lag or a death window, where only a later list can tell which
    key it is. Twice: the same value is told of again; another one is refused as long as the first works.
    """
    look = _looking(spec, world, asked_by)
    look.values["handed over"] = value
    try:
        handed.refuse_at_once(look, value)
        there = refuse_beside_another(look, value)
        if there is None:
            until_the_list_tells(look, value, sleep)
            look = _looking(spec, world, asked_by)  # what was learned meanwhile counts
            look.values["handed over"] = value
            judged = handed.judge(look, value)
            there = leave(look, value, judged.key_id)
        return tell(look, there)
    except Failure as failure:
        look.purge(failure)  # a driver's words may hold what it was given
        raise


def _looking(spec: Credential, world: World, asked_by: str) -> Recorded:
    """The rotation that waits, as its owner sees it; nothing is committed by it."""
    row = awaiting(spec, world)
    if row.id != asked_by:
        wanted = handed.instruction(spec, world.provider.capabilities(spec.principal))
        raise NotTaken(f"{spec.name} is rotated anew since the key was asked for", f"it may be too old: {wanted}")
    return Recorded(row, spec, world, claimed_at=world.clock.boottime())


def until_the_list_tells(look: Recorded, value: Secret, sleep: Sleep) -> None:
    """A key that works may be listed a list lag later; one that was deleted may work for a death window."""
    named, offers = look.identify(value), look.capabilities
    if not offers.lists:
        return
    if named is None:
        sleep(max(offers.list_lag, offers.death_window).total_seconds())
    elif all(key.id != named for key in look.keys()):
        sleep(offers.list_lag.total_seconds())


@dataclass(frozen=True, slots=True)
class Left:
    """A value that lies in a pending place now."""

    look: Recorded
    publication: Publication
    version: str
    key_id: str

    def take_back(self) -> None:
        """Remove it where nobody will look any more; what was written since stays."""
        place = self.publication.pending(self.look.row.id)
        try:
            if self.look.read(self.publication, place).version == self.version:
                self.look.world.stores[self.publication.store].remove(place, self.version)
        except Failure:
            return  # a later sweep finds it


def leave(look: Recorded, value: Secret, key_id: str) -> Left:
    """Write the value to the first store that takes it, by compare-and-set on what was read there."""
    failure: Failure | None = None
    for publication in places.keepers(look):
        place = publication.pending(look.row.id)
        try:
            found = places.private(look, publication, place)
            _refuse_overwriting(look, found, value)
            fields = places.document(look, value, key_id)
            version = look.world.stores[publication.store].write(place, fields, found.version)
        except NotTaken:
            raise
        except (Transient, Denied, Permanent, Conflict) as problem:
            failure = failure or problem
            continue
        return Left(look, publication, version, key_id)
    raise failure or Permanent("no store can take the key", "publish the credential to a store")


def refuse_beside_another(look: Recorded, value: Secret) -> Left | None:
    """Where the same value lies already; None where nothing does that works."""
    for publication, found in places.pending_values(look, look.row.id):
        if found.value == value and found.key_id:
            return Left(look, publication, found.version, found.key_id)
        _refuse_overwriting(look, found, value)
    return None


def _refuse_overwriting(look: Recorded, found: places.Found, value: Secret) -> None:
    """Another value that works is never overwritten: this may be its only copy."""
    if found.value is None or found.value == value or look.verify(found.value) is Verdict.INVALID:
        return
    hint = f"it is taken at the next look; `rotator rollback {look.spec.name}` gives it up"
    raise NotTaken(f"another key was handed over already: {found.key_id}", hint)


def tell(look: Recorded, left: Left) -> Provided:
    """Wake the row; where it went on meanwhile, say what became of the key."""
    row = look.world.journal.rotation(look.row.id)
    assert row is not None
    if handed.awaits(row):
        try:
            look.world.journal.ask(look.spec.name, Verb.PROVIDE, f"{row.id} {left.key_id}", look.now())
        except LookupError:
            return tell(look, left)  # it ended at this very moment
    elif row.new_key != left.key_id:
        _too_late(look, left, row)
    return Provided(key_id=left.key_id, store=left.publication.store, rotation=row)


def _too_late(look: Recorded, left: Left, row: Rotation) -> None:
    """An emergency's successor needs the value for the proof; from any other rotation that went on it is taken back."""
    if row.phase is Phase.SUPERSEDED:
        hint = f"it counts as exposed: {handed.instruction(look.spec, look.capabilities)}"
        raise NotTaken(f"an emergency took over while {left.key_id} was handed over", hint)
    left.take_back()
    hint = f"delete {left.key_id} in the console, or begin again with `rotate {look.spec.name}`"
    raise NotTaken(f"{look.spec.name} no longer waits for a key: it is {row.phase.value}", hint)
