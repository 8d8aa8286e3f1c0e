"""What a driver over HTTP must make of each thing that goes wrong with a mint, at the server or on the way."""

from __future__ import annotations

from rotator.domain.failures import Ambiguous, Denied, Transient
from rotator.testing.keyserver import FaultKind
from tests.servers.proxy import Kind

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

WAYS_TO_LOSE_A_MINT = (Kind.RESET, Kind.BLACKHOLE, Kind.DROP_RESPONSE, Kind.HANG_RESPONSE)
"""In the proxy, where a driver cannot know whether its request arrived."""
