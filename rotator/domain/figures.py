"""What a journal tells in numbers: few values, however many credentials there are. For metrics, not for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.domain.rotation import Mode, Phase, WaitFor

SHARES = (25, 50, 75, 90, 100, 125, 200)
"""Percent of the allowed age up to which credentials are counted together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRotation:
    """What is counted of an open rotation. `living`: its old keys that are not known to be dead."""

    credential: str
    mode: Mode
    phase: Phase
    started_at: datetime
    since: datetime
    waiting_for: WaitFor | None = None
    failing_since: datetime | None = None
    live_at: datetime | None = None
    living: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Things of one credential: how many, and when the first or the last of them was."""

    number: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest checkpoint. `unclosed`: events that came after it, also where there is none (`number` 0)."""

    number: int = 0
    at: datetime | None = None
    digest: str = ""
    unclosed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One moment of a journal.

    `orphans`: keys that the reconciler saw, by credential, and when it saw the first. `unproven`: deaths that nobody
    can prove, by credential, and when the last was. `older`: the journal was found older than the world.
    """

    open: tuple[OpenRotation, ...] = ()
    orphans: Mapping[str, Counted] = field(default_factory=dict)
    unproven: Mapping[str, Counted] = field(default_factory=dict)
    head: Head = Head()
    older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Credentials that are counted together. `allowed`: their greatest age; None: as each one's due time says."""

    names: frozenset[str]
    allowed: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted of one group; of it only what the journal knows.

    `within`: how many are at most so old, in the order of `SHARES`; all that have a key and a due time or an allowed
    age count in `aged`. `due`: their time has come, and they are neither held nor rotating. `overdue`: older than
    allowed, whatever the reason. `next_due`: the nearest due time of those that are not held.
    """

    known: int = 0
    keyless: int = 0  # taken up, and without a current key
    held: int = 0
    rotating: int = 0
    due: int = 0
    overdue: int = 0
    drifting: int = 0  # a place was left behind
    outage: int = 0
    aged: int = 0
    within: tuple[int, ...] = (0,) * len(SHARES)
    oldest: datetime | None = None
    next_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Every credential once. `groups`: in the order in which they were asked for; `strangers`: in none of them."""

    groups: tuple[Tally, ...] = ()
    strangers: int = 0
