"""When a credential is due next: computed once, when a rotation ends, a credential is adopted or its policy changes.

The same arguments give the same answer in every replica: credentials are spread by a hash of their name, not at random.
Times that were missed, by an outage or a clock, are caught up once, because what counts is the last rotation and not
the last time that one was due.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from rotator.domain.policy import Policy
from rotator.domain.wallclock import LATEST, believable
from rotator.policy.windows import next_open

_SECOND = timedelta(seconds=1)


class Calendar(Protocol):
    """Whatever understands crontab lines."""

    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        """Find the first time of a crontab line, read in `tz`, strictly after an instant; in UTC.

        None: there is none. Raises `PolicyError` for a line that is not understood. May be called from any thread.
        """


CATCH_UP = timedelta(hours=1)
LEAST_LEEWAY, MOST_LEEWAY = timedelta(hours=1), timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a key is due, when a person should hear that it still is the current one, and when it is too old."""

    due: datetime
    warn: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """When a credential came under management, and when its key was made; None: nobody knows."""

    at: datetime
    key_created_at: datetime | None = None


def next_due(policy: Policy, credential: str, *, rotated_at: datetime, now: datetime, calendar: Calendar) -> datetime:
    """Say when a credential is due after its last rotation, which counts from when the new key went live.

    With `every` that is at most this period after the rotation, with cron the first of its times after it; then the
    first open instant from there on, and never one before now, in UTC. A rotation that seems to lie in the future,
    because a clock was wrong, counts as one of this moment.
    """
    scheduled = _scheduled(policy, credential, min(rotated_at, now), calendar)
    return next_open(policy, max(scheduled, now))


def first_due(policy: Policy, credential: str, adoption: Adoption, *, now: datetime, calendar: Calendar) -> datetime:
    """Say when a credential is due that was never rotated here, in the way of `next_due`.

    With `every` it is due when its key reaches that age. Keys that were as old already when they were adopted, or whose
    age nobody knows, are spread over the jitter's share of the period from then on, so that many adopted at once do not
    come due at once; none that was young enough gets too old by that. With cron the first of its times after the
    adoption counts.
    """
    adopted = believable(min(adoption.at, now))
    scheduled = adopted
    if policy.every is None:
        scheduled = _scheduled(policy, credential, adopted, calendar)
    elif adoption.key_created_at is not None:
        scheduled = _scheduled(policy, credential, min(adoption.key_created_at, adopted), calendar)
    if policy.every is not None and scheduled <= adopted:
        scheduled = adopted + _share(policy, credential, policy.every)
        if adoption.key_created_at is not None and (oldest := adoption.key_created_at + policy.every) > adopted:
            scheduled = min(scheduled, oldest)
    return next_open(policy, max(scheduled, now))


def mended(policy: Policy, credential: str, *, due_at: datetime, now: datetime, calendar: Calendar) -> datetime:
    """Correct a due time kept from a clock that ran ahead: it cannot lie later than after a rotation right now.

    One that can be right stays as it is, so this may be asked at every start and as often as one likes. With cron the
    time after the next one can be: a clock that was set back makes a time come again that was met already.
    """
    again = next_due(policy, credential, rotated_at=now, now=now, calendar=calendar)
    if policy.cron is not None and due_at > again:
        following = next_due(policy, credential, rotated_at=again, now=again, calendar=calendar)
        return due_at if due_at <= following else again
    return min(due_at, again)


def caught_up(policy: Policy, credential: str, *, due_at: datetime, now: datetime) -> datetime:
    """When one is due that became due long ago, while nobody was there: spread over an hour, so that not all are now.

    One that became due within that hour stays as it is, so that being away again and again puts nothing off for ever.
    """
    if now - due_at < CATCH_UP:
        return due_at
    return next_open(policy, now + CATCH_UP * place_in_spread(credential) // _SECOND * _SECOND)


def deadline(policy: Policy, credential: str, *, rotated_at: datetime, calendar: Calendar) -> Deadline:
    """Until when a key has to be replaced: a twentieth of its period after it is due, an hour at least, three days at

    most. When it is due counts as `next_due` says, windows and blackouts included.
    """
    due = next_due(policy, credential, rotated_at=rotated_at, now=rotated_at, calendar=calendar)
    scheduled = _scheduled(policy, credential, rotated_at, calendar)  # what a blackout puts off has no shorter period
    period = policy.every or _scheduled(policy, credential, scheduled, calendar) - scheduled
    leeway = min(max(period / 20, LEAST_LEEWAY), MOST_LEEWAY)
    return Deadline(due=due, warn=due + leeway / 2, latest=due + leeway)


def place_in_spread(credential: str) -> float:
    """Give a credential's lasting place among all others, from 0 up to but not 1, evenly spread over names."""
    digest = hashlib.blake2b(credential.encode(), digest_size=6).digest()
    return float(int.from_bytes(digest) / 2**48)


def _scheduled(policy: Policy, credential: str, since: datetime, calendar: Calendar) -> datetime:
    start = believable(since)
    if policy.every is not None:
        return start + policy.every - _share(policy, credential, policy.every)
    if policy.cron is not None:
        return _by_cron(policy, policy.cron, credential, start, calendar)
    raise AssertionError("a policy has either every or cron")


def _by_cron(policy: Policy, cron: str, credential: str, since: datetime, calendar: Calendar) -> datetime:
    first = calendar.next_cron(cron, since, policy.tz)
    if first is None:
        return LATEST
    following = calendar.next_cron(cron, first, policy.tz) if policy.spread else None
    return first + _share(policy, credential, following - first) if following else first


def _share(policy: Policy, credential: str, period: timedelta) -> timedelta:
    return period * (policy.spread * place_in_spread(credential)) // _SECOND * _SECOND
