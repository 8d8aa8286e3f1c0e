"""A key that a person deletes, where the provider has no deletion: asked for, waited for, believed when it is refused.

To ask is the deletion's intent: rule 6 is asked before it, and from then on the key may be gone at any moment. Nobody
says that it is done: every look tries the key, and the refusals that follow are the proof, as for any other key.
"""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.failures import Undecidable
from rotator.domain.records import KnownKey, Origin
from rotator.domain.rotation import OldKey, Rotation, WaitFor, Waiting
from rotator.engine.recorded import Recorded

LONGEST_URL = 200
"""Characters of a driver's console URL that are shown."""
EXPOSED = "exposed until a person acts"
"""What people are alerted to, at every look, as long as an emergency waits for one."""


def waiting_keys(row: Rotation) -> tuple[OldKey, ...]:
    """The keys that a rotation waits for a person to delete."""
    return tuple(old for old in row.old_keys if row.open and old.waits_for_a_person)


def instruction(rotation: Recorded, *key_ids: str) -> str:
    """What a person has to do, on one line: which keys, by everything that is known of them but their values."""
    console = rotation.capabilities.console_url[:LONGEST_URL]
    which = ", ".join(_described(rotation, each) for each in key_ids)
    return f"delete {which} of {rotation.spec.principal.name}" + (f" at {console}" if console else "")


def _described(rotation: Recorded, key_id: str) -> str:
    known = rotation.known.get(key_id)
    return key_id if known is None else f"{key_id} (here since {known.since:%Y-%m-%d})"


def ask_to_delete(rotation: Recorded, key_id: str) -> None:
    """Ask once; a key of this rotation that is no old key becomes one, so that its death is proven like the others'."""
    known = rotation.known.get(key_id) or KnownKey(
        key_id=key_id,
        credential=rotation.spec.name,
        origin=Origin.FOUND,
        since=rotation.now(),
        rotation=rotation.row.id,
    )
    old = rotation.row.old_key(key_id) or OldKey(key_id=key_id, fingerprint=known.fingerprint)
    if old.to_delete_since is not None:
        return
    rotation.learn(known)
    rotation.row = rotation.row.with_old_key(old)
    rotation.ask(EXPOSED if rotation.row.rules.emergency else "needs a deletion", key_id, instruction(rotation, key_id))
    rotation.row = rotation.row.with_old_key(replace(old, to_delete_since=rotation.now()))


def until_deleted(rotation: Recorded) -> Waiting | None:
    """Waits for whatever a person was asked to delete and the provider still accepts; None where there is nothing."""
    waiting = waiting_keys(rotation.row)
    if not waiting:
        return None
    note = instruction(rotation, *(old.key_id for old in waiting))
    before = rotation.row.waiting
    if rotation.row.rules.emergency and before is not None and before.note == note:
        rotation.world.observer.alert(EXPOSED, rotation.spec.name, note)
    return rotation.wait(rotation.world.timing.hold_poll, WaitFor.PERSON, note)


def refuse_until_resumed(rotation: Recorded, old: OldKey) -> None:
    """A key whose death nobody can show parks the rotation once, with what a person has to do.

    `rotator resume` is the person's word that it is done, which ends the waiting and proves nothing.
    """
    message = f"the value of {old.key_id} cannot be had, and the provider lists no keys: nobody can prove its death"
    if rotation.row.problem is not None and rotation.row.problem.message == message:
        return
    raise Undecidable(
        message,
        f"{instruction(rotation, old.key_id)}, then `rotator resume {rotation.spec.name}`: it ends as unproven",
    )
