"""Whether to rotate: what both chains say, all of it for `why`, the first of it to decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from rotator.policy.facts import Facts, Predicate, Yes
from rotator.policy.obstacles import OBSTACLES, OVERRIDES, Obstacle
from rotator.policy.reasons import REASONS, Reason
from rotator.policy.windows import next_open

Word = TypeVar("Word", Reason, Obstacle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Generic[Word]):
    """What one predicate said."""

    word: Word
    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """Begin a rotation. `ignored` are obstacles that this reason overrides, to be said aloud."""

    reason: Reason
    sentence: str
    ignored: tuple[Finding[Obstacle], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """There is a reason, but something stands in the way; `until` is None where only a person or event removes it."""

    reason: Reason
    obstacle: Obstacle
    sentence: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDue:
    """There is no reason to rotate; `until` is when the policy will give one."""

    until: datetime


def why(facts: Facts) -> tuple[Finding[Reason] | Finding[Obstacle], ...]:
    """Ask every predicate, reasons first, in the order in which they decide."""
    return (*_ask(REASONS, facts), *_ask(OBSTACLES, facts))


def first_reason(facts: Facts) -> Reason | None:
    """The reason that decides, whatever stands in the way."""
    return next((word for word, ask in REASONS.items() if isinstance(ask(facts), Yes)), None)


def decide(facts: Facts) -> Rotate | Blocked | NotDue:
    """Decide by the first reason that holds and the first obstacle that stops it."""
    reason = first_reason(facts)
    if reason is None:
        return NotDue(until=facts.due_at)
    present = [finding for finding in _ask(OBSTACLES, facts) if finding.holds]
    overridden = OVERRIDES.get(reason, frozenset())
    for finding in present:
        if finding.word not in overridden:
            until = _ends(finding.word, facts)
            return Blocked(reason=reason, obstacle=finding.word, sentence=finding.sentence, until=until)
    return Rotate(reason=reason, sentence=REASONS[reason](facts).sentence, ignored=tuple(present))


def _ask(chain: Mapping[Word, Predicate], facts: Facts) -> Iterator[Finding[Word]]:
    for word, ask in chain.items():
        answer = ask(facts)
        yield Finding(word=word, holds=isinstance(answer, Yes), sentence=answer.sentence)


def _ends(obstacle: Obstacle, facts: Facts) -> datetime | None:
    match obstacle:
        case Obstacle.BACKING_OFF:
            return facts.not_before
        case Obstacle.PAUSED:
            return facts.paused_until
        case Obstacle.BLACKOUT | Obstacle.OUTSIDE_WINDOW:
            return next_open(facts.policy, facts.now)
    return None
