"""What a keyserver is told to do: one frozen `Behaviour`, with a table of `Fault` rows in it.

The default behaviour is that of a quick, consistent provider that can do everything. All durations are seconds.
"""

import math
import random
from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a call asks for. The log, the faults and the throttle use these words."""

    MINT = "mint"
    LIST = "list"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    RENAME = "rename"
    TRAIL = "trail"
    CHECK_ADMIN = "check_admin"
    IDENTIFY = "identify"
    RESOURCE = "resource"
    CONTROL = "control"  # telling the keyserver what to do: never slow, never faulty, never logged
    UNKNOWN = "unknown"  # no such path, or no such method on it


ADMIN_OPERATIONS = frozenset(
    {
        Operation.MINT,
        Operation.LIST,
        Operation.ENABLE,
        Operation.DISABLE,
        Operation.DELETE,
        Operation.RENAME,
        Operation.TRAIL,
        Operation.CHECK_ADMIN,
    }
)


class FaultKind(StrEnum):
    """What goes wrong with a call. *Done* says whether the call has its effect."""

    LOSE_REQUEST = "lose_request"  # not done; the connection is closed without an answer
    LOSE_RESPONSE = "lose_response"  # done; the connection is closed without an answer
    ERROR_BEFORE = "error_before"  # not done; 500
    ERROR_AFTER = "error_after"  # done; 500
    HTML = "html"  # not done; a proxy's page with `status`
    UNAUTHORIZED = "unauthorized"  # not done; 401, exactly as to a dead key
    FORBIDDEN = "forbidden"  # not done; 403
    THROTTLED = "throttled"  # not done; 429, with `seconds` as Retry-After
    SLOW = "slow"  # done on arrival; the answer comes `seconds` late
    HELD = "held"  # done on arrival; the answer comes when this row is told no more
    LATE = "late"  # done `seconds` after arrival, whether or not the caller still waits; then answered


class RetryAfter(StrEnum):
    """How a 429 says when to come back (RFC 9110, section 10.2.3, allows both forms)."""

    SECONDS = "seconds"
    DATE = "date"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of what goes wrong; of several rows that match a call, the first one happens.

    operation: None matches every operation but `control`. `Fault(kind=UNAUTHORIZED)` answers 401 to everybody.
    calls: how many calls it happens to; None: it never ends.
    skip: how many matching calls are let through first.
    probability: of happening to a matching call, drawn from the behaviour's seed; skipped calls draw nothing.
    seconds: of SLOW and LATE, and the Retry-After of THROTTLED (None there: no header).
    status: of HTML.
    """

    kind: FaultKind
    operation: Operation | None = None
    calls: int | None = None
    skip: int = 0
    probability: float = 1.0
    seconds: float | None = None
    status: int = 200

    def __post_init__(self) -> None:
        if self.kind in (FaultKind.SLOW, FaultKind.LATE) and self.seconds is None:
            raise ValueError(f"a fault of kind {self.kind} needs seconds")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability is not between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a keyserver treats its callers, from the moment it is told; windows already open change too.

    latency: from arrival to answer; the effect is on arrival. Real time, whatever clock the keyserver has.
    jitter: adds between nothing and this much to each latency, seeded.
    propagation: how long a new or newly enabled key is still refused.
    death: how long a deleted or disabled key is still accepted; `math.inf`: for ever. An expired key dies at once.
    flapping: share of the calls inside those two windows that are already answered as after it, seeded.
    list_lag: how far the list is behind: it shows what was true so long ago.
    rate: calls a second over the `throttled` operations together; None: no limit. `burst` may come at once.
    cap: keys that a principal may have; disabled and expired ones count, slots do not.
    page_size: most keys in one page of a list.
    marks, disable, expiry, last_used, identify: whether the service has that. Without marks or expiry the wish for
        one is silently dropped, without disable it is a 405, without identify a 404.
    slots: fixed slots that every principal has; a mint must then name one. Empty: keys without slots.
    admins: the principal whose keys may do what the admin secret may; None: no key may.
    in_place: a mint kills the principal's other keys in the same step (without slots only).
    seed: of jitter, flapping and probabilities; telling another one starts the draws again.
    """

    latency: float = 0.0
    jitter: float = 0.0
    propagation: float = 0.0
    death: float = 0.0
    flapping: float = 0.0
    list_lag: float = 0.0
    rate: float | None = None
    burst: int = 1
    throttled: frozenset[Operation] = ADMIN_OPERATIONS
    retry_after: RetryAfter = RetryAfter.SECONDS
    cap: int | None = None
    page_size: int = 100
    marks: bool = True
    disable: bool = True
    expiry: bool = True
    last_used: bool = True
    identify: bool = True
    slots: tuple[str, ...] = ()
    admins: str | None = None
    in_place: bool = False
    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("latency", "jitter", "propagation", "death", "list_lag"):
            seconds = getattr(self, name)
            if math.isnan(seconds) or seconds < 0:
                raise ValueError(f"{name} is negative or not a number")
        if math.isinf(self.latency) or math.isinf(self.jitter):
            raise ValueError("latency or jitter is infinite")
        if not 0 <= self.flapping <= 1:
            raise ValueError("flapping is not between 0 and 1")
        if self.rate is not None and not self.rate > 0:
            raise ValueError("rate is not above 0")
        if self.burst < 1 or self.page_size < 1:
            raise ValueError("burst or page_size is below 1")
        if any(not name or "@" in name or "/" in name for name in self.slots):
            raise ValueError("a slot's name is empty or contains @ or /")

    def draws(self) -> random.Random:
        """Start the draws of this behaviour's seed."""
        return random.Random(self.seed)
