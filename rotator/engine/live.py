"""`live`: consumers read the new key and the old one still works, until the old one is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rotator.domain.credential import Publication
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.domain.keys import Key
from rotator.domain.policy import AtMaxOverlap
from rotator.domain.rotation import WaitFor, Waiting
from rotator.engine import picking_up, places, promoting, side_by_side, telling
from rotator.engine.planning import foreign, foreign_hint
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course
from rotator.policy.windows import Closed, may_act

MOMENT = timedelta(seconds=5)
"""So long a look at the new key counts as one that was just made, for whoever made it himself."""


def watch(rotation: Recorded) -> Waiting | None:
    """Tell consumers; wait for overlap, quiet and window; in the last minute look at every store once more."""
    telling.tell_due(rotation)
    waiting = picking_up.until_overlap(rotation)
    if waiting is not None:
        return waiting
    listed = picking_up.usage(rotation)
    waiting = until_quiet(rotation, listed) or until_window(rotation)
    if waiting is not None:
        return waiting
    check_stores_hold_new_key(rotation)
    check_new_key_works(rotation)
    picking_up.settle(rotation, listed)
    return None


def until_quiet(rotation: Recorded, listed: Sequence[Key]) -> Waiting | None:
    """What the old keys' last use says; where the provider does not tell, the overlap's time alone has decided.

    It overrules what consumers acknowledged.
    """
    policy, stranger = rotation.spec.policy, picking_up.strangers_use(rotation, listed)
    latest = picking_up.last_used(rotation, listed)
    if latest is None or latest.last_used_at is None or rotation.now() - latest.last_used_at >= policy.quiet_for:
        return None
    note = stranger or still_used(latest)
    if rotation.now() >= picking_up.live_since(rotation) + policy.max_overlap:
        return at_max_overlap(rotation, note)
    return Waiting(until=latest.last_used_at + policy.quiet_for, for_=WaitFor.QUIET, note=note)


def still_used(key: Key) -> str:
    """Which key is used, and by whom as far as the provider tells."""
    return f"{key.id} is still used" + (f" by {key.last_used_by}" if key.last_used_by else "")


def at_max_overlap(rotation: Recorded, note: str) -> Waiting | None:
    """A key used still at `max_overlap` is never killed unless the policy says so; it is an alert."""
    if rotation.spec.policy.at_max_overlap is AtMaxOverlap.RETIRE:
        return None
    message = f"{note}, beyond max_overlap; a sign of compromise if every consumer has moved"
    rotation.world.observer.alert("overlap over", rotation.spec.name, message)
    return rotation.wait(max(rotation.spec.policy.quiet_for, rotation.world.timing.poll), WaitFor.PERSON, message)


def until_window(rotation: Recorded) -> Waiting | None:
    """A scheduled retirement keeps to the window."""
    if not rotation.row.rules.obeys_windows:
        return None
    allowed = may_act(rotation.spec.policy, rotation.now())
    if isinstance(allowed, Closed):
        return Waiting(until=allowed.until, for_=WaitFor.WINDOW, note=allowed.why)
    return None


def check_stores_hold_new_key(rotation: Recorded) -> None:
    """Every store's current value is the new key: asked before the pivot, and as long as an old key is not proven dead.

    A store that has another of this credential's own keys is promoted again where there is no way back; a foreign value
    is never overwritten.
    """
    value = places.new_value(rotation)

    def check(publication: Publication) -> Course[None]:
        found = yield from places.look(rotation, publication)
        if found.holds(rotation.row.new_key, value):
            return
        where = f"{publication.store}:{publication.ref}"
        if found.foreign:
            raise foreign(rotation, publication, found)
        if not (rotation.row.beyond_pivot or rotation.row.rules.emergency):
            raise Permanent(f"{where} no longer holds the new key", foreign_hint(rotation, found))
        yield from promoting.promote_in(rotation, publication, value)
        raise Conflict(f"{where} held another key and was promoted again")

    side_by_side.on_every_place(rotation, check)


def check_new_key_works(rotation: Recorded) -> None:
    """The provider accepts it, by the very request that proofs rest on: right before the pivot, and right behind it.

    Where nothing lies in between that is one moment, and asked once. A new admin credential has been used by then, from
    where it will be read next time.
    """
    now = rotation.world.clock.boottime()
    if rotation.worked_at is not None and now - rotation.worked_at < MOMENT.total_seconds():
        return
    if rotation.probe(places.new_value(rotation)).authentic:
        rotation.worked_at = now
        if rotation.world.admins is not None:
            rotation.world.admins.use_what_is_published()
        return
    message, hint = "the provider refuses the new key", "look at the provider's console before anything else"
    if failing_with(rotation, message) < max(rotation.capabilities.propagation, rotation.world.timing.poll):
        raise Transient(message, hint)  # one replica may not know it yet
    raise Permanent(message, hint)


def failing_with(rotation: Recorded, message: str) -> timedelta:
    """How long the phase has been failing without a break, if this is what it failed with last; zero if it is new."""
    known, since = rotation.row.problem, rotation.row.failing_since
    if known is None or known.message != message or since is None:
        return timedelta(0)
    return rotation.now() - since
