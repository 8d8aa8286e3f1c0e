"""`retiring`: the pivot. The old keys die, each death is proven by refusal, with the new key as positive control."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient, Undecidable
from rotator.domain.keys import Disabling, KeyState, Verdict
from rotator.domain.rotation import OldKey, Phase, Proof, WaitFor, Waiting
from rotator.domain.secret import Secret
from rotator.engine import by_hand, places
from rotator.engine.killing import bury, kill, others_first
from rotator.engine.live import check_new_key_works, check_stores_hold_new_key, failing_with
from rotator.engine.planning import fix_old_keys
from rotator.engine.recorded import Recorded

T = TypeVar("T")

PATIENCE = timedelta(minutes=5)
"""So long a failure that needs a person waits for what others of the keys still wait for."""
SHORTEST_REST = timedelta(seconds=1)
"""Before what was refused is asked for again meanwhile."""


def retire(rotation: Recorded) -> Waiting | None:
    """Kill each old key, then prove each deleted one dead; waits for the earliest of them."""
    if not rotation.row.fixed:
        fix_old_keys(rotation, rotation.keys())
    unproven = [old for old in rotation.row.old_keys if old.proof is None]
    alive = [old for old in unproven if not old.ending]
    check_stores_hold_new_key(rotation)
    if alive or not unproven:
        check_new_key_works(rotation)
        rotation.update(beyond_pivot=True)
    killed, failures = _of_each(rotation, alive, lambda old: kill_key(rotation, old))
    waits, stopped = _proofs(rotation, checked=bool(alive))
    return _next(rotation, [*filter(None, killed.values()), *waits], (*failures, *stopped))


def _of_each(
    rotation: Recorded, olds: Iterable[OldKey], step: Callable[[OldKey], T]
) -> tuple[dict[str, T], list[Failure]]:
    """What the step says of every key: one that cannot be killed or proven dead keeps no other one alive."""
    said: dict[str, T] = {}
    failures: list[Failure] = []
    for old in olds:
        try:
            said[old.key_id] = step(old)
        except (Transient, Conflict, Denied, Permanent) as failure:
            failures.append(failure)
            rotation.renew()  # for the next key, however long this one took
    return said, failures


def _raise_in_time(rotation: Recorded, waits: Sequence[Waiting], failures: Sequence[Failure]) -> Sequence[Waiting]:
    """What is waited for; raises a failure that may pass by itself, or else the first one.

    One that needs a person parks the rotation, which ends all deaths: it is held back as long as others get on, ever
    more seldom tried again, until `PATIENCE` after the last death.
    """
    passing = next((each for each in failures if isinstance(each, (Transient, Conflict))), None)
    lasting = next((each for each in failures if not isinstance(each, (Transient, Conflict))), None)
    olds = rotation.row.old_keys
    got_on = max(filter(None, (rotation.row.since, *(at for old in olds for at in (old.disabled_at, old.deleted_at)))))
    idle = rotation.now() - got_on
    if lasting is not None and (not (waits or passing) or idle >= PATIENCE + rotation.capabilities.last_look):
        raise lasting
    if passing is not None:
        raise passing
    if lasting is None:
        return waits
    rotation.purge(lasting)
    rest = rotation.now() + max(SHORTEST_REST, idle / 2)
    return [replace(each, until=max(each.until, rest), note=lasting.message) for each in waits]


def soonest(waits: Sequence[Waiting]) -> Waiting | None:
    """When there is something to do again; that a person is waited for is what people see before anything else."""
    if not waits:
        return None
    shown = next((wait for wait in waits if wait.for_ is WaitFor.PERSON), None)
    first = min(waits, key=lambda wait: wait.until)
    return first if shown is None else replace(shown, until=first.until)


def kill_key(rotation: Recorded, old: OldKey) -> Waiting | None:
    """Disable one old key where that exists, wait, delete it. None when that is done, or a person was asked to."""
    before, old = old, _disabled(rotation, old)
    if old is not before and rotation.row.rules.emergency:
        return others_first(rotation, "disabled; deleted in its turn")
    settled = _settled(rotation, old)
    if settled is not None:
        return settled
    kill(rotation, old.key_id, KeyState.DELETED, "delete")
    bury(rotation, old.key_id)
    return None


def _disabled(rotation: Recorded, old: OldKey) -> OldKey:
    if rotation.capabilities.disabling is Disabling.NONE or old.disabled_at is not None:
        return old
    kill(rotation, old.key_id, KeyState.DISABLED, "disable")
    old = replace(old, disabled_at=rotation.now())
    rotation.row = rotation.row.with_old_key(old)
    return old


def _settled(rotation: Recorded, old: OldKey) -> Waiting | None:
    """Between disabling and deleting lies a death window, so that who needed the key is heard; not in an emergency."""
    if old.disabled_at is None or rotation.row.rules.emergency:
        return None
    until = old.disabled_at + rotation.capabilities.death_window
    return Waiting(until=until, note="disabled; deleted then") if rotation.now() < until else None


def prove(rotation: Recorded) -> Waiting | None:
    """The next step of every proof that is not there yet; waits for the earliest."""
    return _next(rotation, *_proofs(rotation))


def _next(rotation: Recorded, waits: Sequence[Waiting], failures: Sequence[Failure]) -> Waiting | None:
    waits = _raise_in_time(rotation, waits, failures)
    by_a_person = by_hand.until_deleted(rotation)
    return soonest([*waits, by_a_person] if by_a_person is not None else waits)


def _proofs(rotation: Recorded, *, checked: bool = False) -> tuple[list[Waiting], list[Failure]]:
    """One step of each: what it waits for, and what kept some from it.

    `checked`: the new key was seen to work right before, so that the refusals stand between two successes.
    """
    deleted = [old for old in rotation.row.old_keys if old.ending and old.proof is None]
    values, unread = _of_each(rotation, deleted, lambda old: places.find_value(rotation, rotation.known[old.key_id]))
    if rotation.row.ends_as is Phase.ROLLED_BACK and rotation.credential.current is None:
        values = dict.fromkeys(values)  # no key stays that could show what a refusal means
    if any(values.values()) and not checked and any(old.first_refused_at is None for old in deleted):
        _positive_control(rotation)
    had = {key_id: value for key_id, value in values.items() if value is not None}
    asked = [old for old in deleted if old.key_id in had]
    verdicts, unanswered = _of_each(rotation, asked, lambda old: rotation.probe(had[old.key_id]))
    if any(old.first_refused_at is not None for old in deleted if old.key_id in verdicts):
        _positive_control(rotation)

    def step(old: OldKey) -> Waiting | None:
        verdict = verdicts.get(old.key_id)
        return prove_absent(rotation, old) if verdict is None else prove_refused(rotation, old, verdict)

    looked_at = [old for old in deleted if old.key_id in verdicts or old.key_id in values.keys() - had.keys()]
    proven, unproven = _of_each(rotation, looked_at, step)
    return [*filter(None, proven.values())], [*unread, *unanswered, *unproven]


def prove_refused(rotation: Recorded, old: OldKey, verdict: Verdict) -> Waiting | None:
    """`refused`: twice, a death window apart, "invalid" to the old key; the new one works before and after.

    Where keys open sessions, those that came late are ended in between.
    """
    now = rotation.now()
    if verdict is not Verdict.INVALID:
        rotation.row = rotation.row.with_old_key(replace(old, first_refused_at=None))
        return _lives_on(rotation, old, verdict)
    if old.first_refused_at is None:
        rotation.row = rotation.row.with_old_key(replace(old, first_refused_at=now))
        return Waiting(until=now + rotation.capabilities.last_look, note="refused once; asked again then")
    again = old.first_refused_at + rotation.capabilities.last_look
    if now < again:
        return Waiting(until=again, note="refused once; asked again then")
    if _may_come_back(rotation, old):
        return _lives_on(rotation, old, Verdict.NOT_YET)
    _proven(rotation, old, Proof.REFUSED)
    return None


def _shut_out(rotation: Recorded, old: OldKey) -> datetime | None:
    """End what a login that was under way when the key died has become since; when that was, None for a provider

    without sessions. It is deleted once more for that, which is nothing to a dead key, so rule 6 has nothing to say.
    """
    if not rotation.capabilities.login_window or old.deleted_at is None:
        return None
    rotation.set_state("end sessions", old.key_id, KeyState.DELETED)
    return rotation.now()


def _may_come_back(rotation: Recorded, old: OldKey) -> bool:
    """Whether it is only disabled, which many providers refuse in the same words, although a deletion was answered."""
    capabilities = rotation.capabilities
    if old.deleted_at is None or not capabilities.lists or capabilities.disabling is not Disabling.REVERSIBLE:
        return False
    return any(key.id == old.key_id and key.live for key in rotation.keys())


def _positive_control(rotation: Recorded) -> None:
    """A provider that says "invalid" to everybody proves nothing."""
    value = _control(rotation)
    if value is not None and rotation.probe(value).authentic:
        return
    message = "the provider refuses the new key too, so a refusal proves nothing"
    if failing_with(rotation, message) < rotation.world.timing.longest_death:
        raise Transient(message, "look at the provider's status page")
    by_mistake = "rotate again with --assume-compromise if it was deleted by mistake; else "
    hint = "look at the provider's status page"
    raise Undecidable(message, hint if rotation.capabilities.deletes else by_mistake + hint)


def _control(rotation: Recorded) -> Secret | None:
    """The value that must work: the new key's or, on the way back, that of the key which stays."""
    if rotation.row.ends_as is not Phase.ROLLED_BACK:
        return places.new_value(rotation)
    stays = rotation.known.get(rotation.credential.current or "")
    return places.find_value(rotation, stays) if stays is not None else None


def _lives_on(rotation: Recorded, old: OldKey, verdict: Verdict) -> Waiting | None:
    if old.deleted_at is None:
        return None  # a person was asked, and takes as long as a person does
    patience = max(rotation.capabilities.death_window * 5, rotation.world.timing.longest_death)
    if rotation.now() - old.deleted_at > patience:
        raise Undecidable(
            f"{old.key_id} was deleted and still {verdict.value}",
            f"delete it in the provider's console, then `rotator resume {rotation.spec.name}`",
        )
    poll = max(min(rotation.capabilities.death_window, rotation.world.timing.poll), timedelta(milliseconds=100))
    return rotation.wait(poll, note=f"{old.key_id} is deleted but not yet refused")


def prove_absent(rotation: Recorded, old: OldKey) -> Waiting | None:
    """`absent`: two full lists lack it, so far apart that it is neither listed late nor accepted late any more.

    Only for a key whose value could never be had.
    """
    if not rotation.capabilities.lists:
        by_hand.refuse_until_resumed(rotation, old)
        _proven(rotation, old, Proof.UNPROVEN, dead_at=rotation.now())
        return None
    listed = any(key.id == old.key_id and key.live for key in rotation.keys())
    now, lag = rotation.now(), max(rotation.capabilities.list_lag, rotation.capabilities.last_look)
    if listed:
        rotation.row = rotation.row.with_old_key(replace(old, first_refused_at=None))
        return _lives_on(rotation, old, Verdict.WORKS)
    if old.first_refused_at is None:
        rotation.row = rotation.row.with_old_key(replace(old, first_refused_at=now))
        return Waiting(until=now + lag, for_=WaitFor.TIME, note="not listed; looked again then")
    if now < old.first_refused_at + lag:
        return Waiting(until=old.first_refused_at + lag, note="not listed; looked again then")
    if not old.had:
        _proven(rotation, old, Proof.ABSENT)
    elif rotation.row.rules.emergency:
        raise Permanent(
            f"the value of {old.key_id} is lost, so its death cannot be proven", "see the provider's console"
        )
    else:
        _proven(rotation, old, Proof.UNPROVEN)
    return None


def _proven(rotation: Recorded, old: OldKey, proof: Proof, *, dead_at: datetime | None = None) -> None:
    """`dead_at`: a person's word; else the first refusal or, where keys open sessions, when the last one was ended."""
    dead_at = dead_at or _shut_out(rotation, old) or old.first_refused_at or rotation.now()
    rotation.row = rotation.row.with_old_key(replace(old, proof=proof, dead_at=dead_at))
    rotation.learn(replace(rotation.known[old.key_id], dead_at=dead_at))
    rotation.note("proven", old.key_id, proof=proof.value)
