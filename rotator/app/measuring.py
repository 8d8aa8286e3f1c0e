"""What a look at the journal told, as samples: by provider, owner, policy, mode and phase, and of the worst by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.adapters.metrics.families import MOST_CREDENTIALS, Sample
from rotator.app.grouping import Grouping, Labels, added, labels_of
from rotator.config.reading import Config
from rotator.domain.figures import SHARES, Census, Counted, Figures, Head, OpenRotation, Tally
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import RULES, Phase

DYING = timedelta(minutes=15)
"""For the deletion and its proof, after an old key's time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look. `foreign`: keys by provider, as the reconciler last saw them, at `reconciled_at`.

    `due`: the longest due credentials. `incidents`: how many are open. `at_large`: keys of theirs by provider that may
    be a thief's.
    """

    now: datetime
    figures: Figures
    grouping: Grouping
    census: Census
    due: Sequence[CredentialRow] = ()
    paused: bool = False
    reconciled_at: datetime | None = None
    foreign: Mapping[str, int] = field(default_factory=dict)
    incidents: int = 0
    at_large: Mapping[str, int] = field(default_factory=dict)


def measured(config: Config, seen: Seen) -> Iterator[Sample]:
    """Everything that the journal tells."""
    yield _one("rotator_journal_older_than_world", float(seen.figures.older))
    yield _one("rotator_paused", float(seen.paused))
    if seen.reconciled_at is not None:
        yield _one("rotator_reconciled_timestamp_seconds", seen.reconciled_at.timestamp())
    yield from _head(seen.figures.head)
    yield from _credentials(config, seen)
    yield from _overdue(config, seen)
    yield from _rotations(config, seen)
    yield from _keys(config, seen)


def _head(head: Head) -> Iterator[Sample]:
    yield _one("rotator_events_unclosed", head.unclosed)
    yield _one("rotator_checkpoint_number", head.number)
    if head.at is not None:
        yield _one("rotator_checkpoint_timestamp_seconds", head.at.timestamp())
        yield Sample("rotator_checkpoint_head_info", (head.digest,), 1)


def _credentials(config: Config, seen: Seen) -> Iterator[Sample]:
    yield _one("rotator_credentials_unusable", len(config.broken))
    yield _one("rotator_credentials_unconfigured", seen.census.strangers)
    tallies: defaultdict[Labels, list[Tally]] = defaultdict(list)
    sizes: Counter[Labels] = Counter()
    allowed: dict[str, float] = {}
    for group, labels, tally in zip(seen.grouping.groups, seen.grouping.labels, seen.census.groups, strict=True):
        tallies[labels].append(tally)
        sizes[labels] += len(group.names)
        if group.allowed is not None:
            policy = labels[2]
            allowed[policy] = max(allowed.get(policy, 0.0), group.allowed.total_seconds())
    for policy, seconds in allowed.items():
        yield Sample("rotator_allowed_age_seconds", (policy,), seconds)
    for labels, found in tallies.items():
        yield from _group(labels, sizes[labels], added(found), seen.now)


def _group(labels: Labels, size: int, tally: Tally, now: datetime) -> Iterator[Sample]:
    yield Sample("rotator_credentials", labels, size)
    yield Sample("rotator_credentials_not_adopted", labels, size - tally.known)
    yield Sample("rotator_credentials_keyless", labels, tally.keyless)
    yield Sample("rotator_credentials_due", labels, tally.due)
    yield Sample("rotator_credentials_overdue", labels, tally.overdue)
    yield Sample("rotator_credentials_held", labels, tally.held)
    yield Sample("rotator_credentials_drifting", labels, tally.drifting)
    yield Sample("rotator_credentials_in_outage", labels, tally.outage)
    for share, number in zip(SHARES, tally.within, strict=True):
        yield Sample("rotator_credentials_aged", (*labels, f"{share / 100:g}"), number)
    yield Sample("rotator_credentials_aged", (*labels, "+Inf"), tally.aged)
    if tally.oldest is not None:
        yield Sample("rotator_oldest_key_age_seconds", labels, (now - tally.oldest).total_seconds())
    if tally.next_due is not None:
        yield Sample("rotator_next_due_timestamp_seconds", labels, tally.next_due.timestamp())


def _overdue(config: Config, seen: Seen) -> Iterator[Sample]:
    for row in seen.due[:MOST_CREDENTIALS]:
        spec = config.credentials.get(row.name)
        if spec is None or row.current_since is None or row.next_due is None:
            continue
        until = row.current_since + spec.policy.every if spec.policy.every is not None else row.next_due
        if seen.now > until:
            labels = (row.name, *labels_of(config, row.name))
            yield Sample("rotator_credential_overdue_seconds", labels, (seen.now - until).total_seconds())


# -- rotations -------------------------------------------------------------------------------------------------------


def _rotations(config: Config, seen: Seen) -> Iterator[Sample]:
    numbers: Counter[tuple[str, tuple[str, ...]]] = Counter()
    longest: dict[tuple[str, ...], float] = {}
    for each in seen.figures.open:
        whose = _whose(config, each)
        in_phase = (*whose, each.phase.value)
        numbers["rotator_rotations_open", in_phase] += 1
        longest[in_phase] = max(longest.get(in_phase, 0.0), (seen.now - each.since).total_seconds())
        if each.waiting_for is not None:
            numbers["rotator_rotations_waiting", (*whose, each.waiting_for.value)] += 1
        numbers["rotator_rotations_failing", whose] += each.failing_since is not None
        numbers["rotator_old_keys_living", whose] += each.living
        numbers["rotator_old_keys_overtime", whose] += each.living if _overtime(config, each, seen.now) else 0
    for (name, labels), number in numbers.items():
        yield Sample(name, labels, number)
    for labels, seconds in longest.items():
        yield Sample("rotator_rotation_phase_age_seconds", labels, seconds)
    for each in sorted(seen.figures.open, key=lambda each: (each.phase is not Phase.STUCK, each.started_at))[
        :MOST_CREDENTIALS
    ]:
        labels = (each.credential, *_whose(config, each), each.phase.value)
        yield Sample("rotator_rotation_open_seconds", labels, (seen.now - each.started_at).total_seconds())


def _whose(config: Config, each: OpenRotation) -> tuple[str, str, str]:
    provider, owner, _ = labels_of(config, each.credential)
    return provider, owner, each.mode.value


def _overtime(config: Config, each: OpenRotation, now: datetime) -> bool:
    """Whether its old keys should be dead: an emergency's after the grace, others at the end of the longest overlap."""
    spec = config.credentials.get(each.credential)
    if spec is None or each.live_at is None:
        return False
    rules = RULES[each.mode]
    overlap = rules.overlap(spec.policy) if rules.emergency else spec.policy.max_overlap
    return now > each.live_at + overlap + DYING


# -- keys that no rotation of now is about -----------------------------------------------------------------------------


def _keys(config: Config, seen: Seen) -> Iterator[Sample]:
    for labels, orphans in _by_owner(config, seen.figures.orphans, first=True).items():
        yield from _counted("rotator_orphans", "rotator_orphan_first_seen_timestamp_seconds", labels, orphans)
    for labels, dead in _by_owner(config, seen.figures.unproven, first=False).items():
        yield from _counted("rotator_unproven_deaths", "rotator_unproven_death_timestamp_seconds", labels, dead)
    for provider, number in seen.foreign.items():
        yield Sample("rotator_foreign_keys", (provider,), number)
    yield _one("rotator_incidents_open", seen.incidents)
    for provider, number in seen.at_large.items():
        yield Sample("rotator_incident_foreign_keys", (provider,), number)


def _counted(number: str, when: str, labels: tuple[str, str], found: Counted) -> Iterator[Sample]:
    yield Sample(number, labels, found.number)
    if found.at is not None:
        yield Sample(when, labels, found.at.timestamp())


def _by_owner(config: Config, found: Mapping[str, Counted], *, first: bool) -> dict[tuple[str, str], Counted]:
    together: dict[tuple[str, str], Counted] = {}
    for name, each in found.items():
        provider, owner, _ = labels_of(config, name)
        other = together.get((provider, owner), Counted(number=0))
        instants = [at for at in (each.at, other.at) if at is not None]
        at = (min if first else max)(instants, default=None)
        together[provider, owner] = Counted(number=each.number + other.number, at=at)
    return together


def _one(name: str, value: float) -> Sample:
    return Sample(name, (), value)
