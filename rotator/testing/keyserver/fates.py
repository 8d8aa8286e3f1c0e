"""What happens to the next call: throttled, late, lost. Pure and seeded; it counts what `Behaviour` cannot."""

import random
from dataclasses import dataclass

from rotator.testing.keyserver.behaviour import Behaviour, Fault, FaultKind, Operation


@dataclass(slots=True)
class _Row:
    fault: Fault
    skipped: int = 0
    happened: int = 0

    def happens(self, operation: Operation, draw: random.Random) -> bool:
        fault = self.fault
        if fault.operation not in (None, operation) or (fault.calls is not None and self.happened >= fault.calls):
            return False
        if self.skipped < fault.skip:
            self.skipped += 1
            return False
        if fault.probability < 1 and draw.random() >= fault.probability:
            return False
        self.happened += 1
        return True


class Fates:
    """Decides the fate of each call in turn. Telling a new behaviour keeps the counts of rows that stay."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._told = behaviour
        self._random = behaviour.draws()
        self._rows = [_Row(fault) for fault in behaviour.faults]
        self._tokens = float(behaviour.burst)
        self._filled_at: float | None = None

    def tell(self, behaviour: Behaviour) -> None:
        if behaviour.seed != self._told.seed:
            self._random = behaviour.draws()
        if (behaviour.rate, behaviour.burst) != (self._told.rate, self._told.burst):
            self._tokens, self._filled_at = float(behaviour.burst), None
        # by identity: two equal rows, told one after the other, are counted apart
        kept = {id(row.fault): row for row in self._rows}
        self._rows = [kept.get(id(fault)) or _Row(fault) for fault in behaviour.faults]
        self._told = behaviour

    def of(self, operation: Operation, now: float) -> Fault | None:
        """Draw the fault that happens to this call, None if it goes well; the throttle comes before the table."""
        return self._throttled(operation, now) or next(
            (row.fault for row in self._rows if row.happens(operation, self._random)), None
        )

    def latency(self) -> float:
        jitter = self._told.jitter * self._random.random() if self._told.jitter else 0.0
        return self._told.latency + jitter

    def _throttled(self, operation: Operation, now: float) -> Fault | None:
        told = self._told
        if told.rate is None or operation not in told.throttled:
            return None
        passed = 0.0 if self._filled_at is None else max(0.0, now - self._filled_at)
        self._tokens = min(float(told.burst), self._tokens + passed * told.rate)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        return Fault(kind=FaultKind.THROTTLED, seconds=(1 - self._tokens) / told.rate)
