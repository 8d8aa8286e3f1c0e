"""What a driver over HTTP must make of each thing that goes wrong with a mint, at the server or on the way."""

from __future__ import annotations

from datetime import timedelta

from rotator.domain.failures import Ambiguous, Denied, Transient
from rotator.testing.keyserver import FaultKind
from tests.servers.proxy import ENOUGH, Kind

FAULTS_OF_A_MINT = {
    FaultKind.LOSE_REQUEST: Ambiguous,
    FaultKind.LOSE_RESPONSE: Ambiguous,
    FaultKind.ERROR_BEFORE: Ambiguous,
    FaultKind.ERROR_AFTER: Ambiguous,
    FaultKind.HTML: Ambiguous,
    FaultKind.UNAUTHORIZED: Denied,
    FaultKind.FORBIDDEN: Denied,
    FaultKind.THROTTLED: Transient,
    FaultKind.SLOW: Ambiguous,
    FaultKind.LATE: Ambiguous,
}


def timeout_for(kind: FaultKind) -> timedelta:
    """How long a driver waits that meets this: where only its timeout ends the call, not for long."""
    return timedelta(seconds=0.3 if kind in (FaultKind.SLOW, FaultKind.LATE) else ENOUGH)


WAYS_TO_LOSE_A_MINT = (Kind.RESET, Kind.BLACKHOLE, Kind.DROP_RESPONSE, Kind.HANG_RESPONSE)
"""In the proxy, where a driver cannot know whether its request arrived."""
