"""When a run of many rotations will have come to its end, reckoned from what was measured and from nothing else.

A provider's limit bounds what is possible; this is what happened. What has no end is not among it: whoever shows an
estimate says beside it how many those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST = 3
"""So many must have arrived before a pace is one; all but one where there are fewer."""
SHARE = 50
"""And one in so many: the first few of a thousand say little."""
SLACK = timedelta(seconds=5)
"""How much later than its known time the last step may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One provider's credentials that come to their end by themselves, and those that have.

    `began`: the run. `arrived`: when each got there, in order. `left`: how many have not. `ending`: of those that only
    wait for a last step, when it comes. `waits`: until when others of those left do nothing.
    """

    began: datetime
    arrived: Sequence[datetime] = ()
    left: int = 0
    ending: Sequence[datetime] = ()
    waits: Sequence[datetime] = ()

    @property
    def not_before(self) -> datetime | None:
        """What is certain; None: nothing."""
        return max((*self.ending, *self.waits), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The end lies between these, if all goes on as it went."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """Nobody can say. `not_before`: what is certain all the same."""

    not_before: datetime | None = None


def end_of_all(courses: Iterable[Course], now: datetime) -> Estimate | NotYet | None:
    """When the last of all providers is done; None where nothing is left. `NotYet` as long as one cannot be told."""
    under_way = [course for course in courses if course.left]
    if not under_way:
        return None
    ends = [end_of(course, now) for course in under_way]
    known = [end for end in ends if isinstance(end, Estimate)]
    if len(known) < len(ends):
        certain = [end.earliest if isinstance(end, Estimate) else end.not_before for end in ends]
        return NotYet(not_before=max((each for each in certain if each is not None and each > now), default=None))
    return Estimate(earliest=max(end.earliest for end in known), latest=max(end.latest for end in known))


def end_of(course: Course, now: datetime) -> Estimate | NotYet:
    """When the last that is left arrives. What only waits for a last step is not reckoned: when that comes is known.

    At the earliest as fast as they came since the first, at the latest as slowly as since the run began, its slow start
    included: so the range is wide at first and closes in. While nothing arrives both ends move away.
    """
    if len(course.ending) == course.left:
        last = max(now, *course.ending)
        return Estimate(earliest=last, latest=last + (last - now) / 10 + SLACK)
    if not _measured(course):
        return NotYet(not_before=course.not_before)
    number, first, rest = len(course.arrived), course.arrived[0], course.left - len(course.ending)
    seen = max(course.arrived[-1] - first, (now - first) / 2)
    earliest = now + (seen * rest / (number - 1) if number > 1 else timedelta(0))
    latest = now + (now - course.began) * rest / number
    floor = course.not_before or now
    return Estimate(earliest=max(min(earliest, latest), floor), latest=max(latest, floor + SLACK))


def _measured(course: Course) -> bool:
    """Whether enough have arrived."""
    number = len(course.arrived)
    everybody = number + course.left
    return number >= max(1, min(LEAST, everybody - 1)) and number * SHARE >= everybody
