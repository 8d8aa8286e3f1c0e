"""How fast a run can be at best: the longest path of one credential, and what each provider lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from rotator.app.planning import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Work alone, without overlap and quiet. `path`: the longest of one credential, at 300 ms a request.

    `waves`: what so many at a time take. `limits`: of each provider with a rate, how long its requests take at it.
    """

    path: timedelta
    waves: timedelta = timedelta(0)
    limits: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def slowest(self) -> str | None:
        """The provider whose rate takes longest; None where none has a rate."""
        return max(self.limits, key=lambda name: self.limits[name], default=None)


def bounds_of(plans: Sequence[Planned], parallel: int) -> Bounds | None:
    """Of those that can be done; None where nothing can."""
    good = [each for each in plans if each.problem is None]
    if not good:
        return None
    mean = sum((each.critical_path for each in good), timedelta(0)) / len(good)
    return Bounds(
        path=max(each.critical_path for each in good), waves=mean * ceil(len(good) / parallel), limits=_limits(good)
    )


def _limits(good: Sequence[Planned]) -> dict[str, timedelta]:
    requests: dict[str, float] = {}
    for each in good:
        if each.rate is not None:
            requests[each.provider] = requests.get(each.provider, 0.0) + each.requests / each.rate
    return {provider: timedelta(seconds=seconds) for provider, seconds in requests.items()}
