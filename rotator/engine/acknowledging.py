"""A consumer proves that it has the new key. Judged where it comes in and never kept: what is noted is that it did.

Nothing here owns the rotation's row. What comes from outside leaves a request, which the owner of the row reads before
its next intent; so it survives a crash and another owner, and a second time is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.acknowledgement import acknowledgements, proves
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Permanent
from rotator.domain.records import Verb
from rotator.domain.rotation import Rotation
from rotator.domain.times import quoted
from rotator.engine import picked_up, places
from rotator.engine.recorded import Recorded
from rotator.engine.world import World


class Refused(Permanent):
    """It proves nothing, or nothing that is asked for; nobody counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What was acknowledged. `again`: it was known already."""

    rotation: Rotation
    consumer: str
    again: bool = False


def acknowledge(spec: Credential, world: World, consumer: str, text: str) -> Acknowledged:
    """Judge what a consumer says of the open rotation, and leave a request to note it.

    Raises `Refused`, and `Failure` where the new value cannot be read now; then nothing was changed. Twice: the same.
    """
    if consumer not in spec.consumers:
        known = ", ".join(spec.consumers) or "none is declared"
        raise Refused(f"{quoted(consumer)} is no consumer of {spec.name}", f"its consumers: {known}")
    row = world.journal.open_rotation(spec.name)
    if row is None or not picked_up.takes_acknowledgements(row):
        raise Refused(f"{spec.name} has no new key to be acknowledged", f"see `rotator status {spec.name}`")
    look = Recorded(row, spec, world, claimed_at=world.clock.boottime())
    try:
        proven = judge(look, consumer, text)
    except Failure as failure:
        look.purge(failure)
        raise
    if not proven:
        hint = f"read the key again; it must be made for rotation {row.id} and {consumer} with the new key"
        raise Refused("the acknowledgement does not prove that the new key was picked up", hint)
    state = row.consumer(consumer)
    if state is not None and state.acknowledged:
        return Acknowledged(rotation=row, consumer=consumer, again=True)
    try:
        world.journal.ask(spec.name, Verb.ACKNOWLEDGE, f"{row.id} {consumer}", world.clock.now())
    except LookupError:
        raise Refused(f"the rotation of {spec.name} ended at this very moment", "there is nothing more to do") from None
    return Acknowledged(rotation=row, consumer=consumer)


def judge(rotation: Recorded, consumer: str, text: str) -> bool | None:
    """Whether something in the text proves it; None where nothing there has the form of an acknowledgement.

    Raises `Failure` where the new value cannot be read now.
    """
    given = acknowledgements(text)
    if not given:
        return None
    secret = places.new_value(rotation).reveal(rotation.capabilities.secret_part)
    return any(proves(each, secret, rotation.row.id, consumer) for each in given)
