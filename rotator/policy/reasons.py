"""The reasons to rotate: a chain of small predicates, asked in this order, the first that holds decides.

The names of `Reason` are the words in `why`, in the log and in metrics, and nothing else is used for these things.
"""

from datetime import timedelta
from enum import StrEnum

from rotator.domain.times import format_time, quoted, roughly
from rotator.policy.facts import Facts, No, Predicate, Yes


class Reason(StrEnum):
    """Why a credential is to be rotated."""

    COMPROMISE = "compromise"
    """An incident exposed its key."""
    ASKED = "asked"
    """Somebody named it."""
    KEY_MISSING = "key_missing"
    """The provider no longer has its key: consumers fail already."""
    EXPIRES_SOON = "expires_soon"
    """The provider ends its key before another could take over at leisure."""
    SPEC_CHANGED = "spec_changed"
    """The config asks for another key than the one that was minted."""
    NEVER_ROTATED = "never_rotated"
    """Nobody knows how old its key is."""
    AGE = "age"
    """Its key has reached the policy's age."""
    CRON = "cron"
    """A time of the policy's cron has come."""


def compromise(facts: Facts) -> Yes | No:
    if facts.incident is None:
        return No("no incident names it")
    return Yes(f"incident {quoted(facts.incident)} exposed its key")


def asked(facts: Facts) -> Yes | No:
    if facts.asked is None:
        return No("nobody asked for it")
    why = f", saying {quoted(facts.asked.why)}" if facts.asked.why else ""
    return Yes(f"{quoted(facts.asked.by)} asked for it{why}")


def key_missing(facts: Facts) -> Yes | No:
    if facts.key_listed is None:
        return No("the provider was not asked for its key")
    return No("the provider has its key") if facts.key_listed else Yes("the provider no longer has its key")


def expires_soon(facts: Facts) -> Yes | No:
    """Hold for the last third of a key's life, but at most for `max_overlap` before its end."""
    expires = facts.key_expires_at
    if expires is None:
        return No("its key has no known end")
    lead = facts.policy.max_overlap
    if facts.key_created_at is not None:
        lead = min(lead, (expires - facts.key_created_at) / 3)
    if expires <= facts.now:
        return Yes(f"its key expired at {format_time(expires)}")
    sentence = f"its key expires in {roughly(expires - facts.now)}, at {format_time(expires)}"
    return Yes(sentence) if expires - facts.now <= lead else No(sentence)


def spec_changed(facts: Facts) -> Yes | No:
    if facts.spec_minted is None or facts.spec_wanted is None:
        return No("nobody knows for which config its key was minted")
    if facts.spec_minted == facts.spec_wanted:
        return No("the config asks for the key that was minted")
    return Yes("the config asks for another key than the one that was minted")


def never_rotated(facts: Facts) -> Yes | No:
    if facts.rotated_at is not None:
        return No("it was rotated before")
    if facts.key_created_at is not None:
        return No("it was never rotated here, but its key's age is known")
    return _when_due(facts, "it was never rotated here and its key's age is unknown")


def age(facts: Facts) -> Yes | No:
    since = facts.rotated_at or facts.key_created_at
    if facts.policy.every is None:
        return No("its policy has a cron instead of an age")
    if since is None:
        return No("its key's age is unknown")
    old = roughly(max(facts.now - since, timedelta(0)))
    return _when_due(facts, f"its key is {old} old, its policy says every {roughly(facts.policy.every)}")


def cron(facts: Facts) -> Yes | No:
    if facts.policy.cron is None:
        return No("its policy has an age instead of a cron")
    return _when_due(facts, f'its policy says cron "{facts.policy.cron}"')


def worded(reason: Reason, because: str = "") -> str:
    """What a rotation keeps as its reason: the word, and what somebody said with it."""
    return f"{reason.value}: {because}" if because else reason.value


def because(text: str) -> str:
    """What was said with the word of a kept reason, possibly nothing."""
    return text.partition(": ")[2]


REASONS: dict[Reason, Predicate] = {
    Reason.COMPROMISE: compromise,
    Reason.ASKED: asked,
    Reason.KEY_MISSING: key_missing,
    Reason.EXPIRES_SOON: expires_soon,
    Reason.SPEC_CHANGED: spec_changed,
    Reason.NEVER_ROTATED: never_rotated,
    Reason.AGE: age,
    Reason.CRON: cron,
}


def _when_due(facts: Facts, known: str) -> Yes | No:
    if facts.due_at <= facts.now:
        return Yes(f"{known}, due since {format_time(facts.due_at)}")
    return No(f"{known}, due in {roughly(facts.due_at - facts.now)}, at {format_time(facts.due_at)}")
