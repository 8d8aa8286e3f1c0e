"""Who reads the stores, as one rotation sees them: told when and how, and how it is known that they have moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class PickedUp(StrEnum):
    """How it is known that a consumer has the new key."""

    ACKNOWLEDGED = "acknowledged"  # it proved that it has the key
    USED = "last used"  # the provider says that the new key is used and the old one is not
    TIME = "time alone"  # nobody said anything: the overlap was over


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """How far one consumer is with the value that this rotation wrote last.

    `since`: when there was something to pick up. `way`: how it is told, empty for one that reads by itself. `tell_at`:
    when it is told next; None: it was told, or nothing more is tried. `attempts` and `trouble`, what went wrong last,
    are of an unbroken run of failures. `picked_up_at`: when it proved it; a use is no measure.
    """

    name: str
    since: datetime
    way: str = ""
    tell_at: datetime | None = None
    told_at: datetime | None = None
    attempts: int = 0
    trouble: str | None = None
    picked_up_at: datetime | None = None
    how: PickedUp | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether it proved that it has the key."""
        return self.how is PickedUp.ACKNOWLEDGED

    @property
    def took(self) -> timedelta | None:
        """The measured time from live to picked up; None where it was not measured."""
        if not self.acknowledged or self.picked_up_at is None:
            return None
        return max(self.picked_up_at - self.since, timedelta(0))

    @property
    def never_tried(self) -> bool:
        """Whether it is to be told and no attempt was made yet."""
        return self.tell_at is not None and not self.attempts


class Happened(StrEnum):
    """What consumers are told of; the words are part of the interface."""

    ROTATED = "credential.rotated"  # the stores have a new key
    PUT_BACK = "credential.put_back"  # the stores have the old key again


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A place and the version that was written there, as far as the store tells."""

    store: str
    ref: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What consumers are told, the same however often they are told it. Never a value.

    `at`: when it happened, not when it is said.
    """

    what: Happened
    credential: str
    rotation: str
    at: datetime
    places: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A consumer was told. `answer`: what it said, bounded; an acknowledgement may be in it, so it is never kept."""

    answer: str = field(default="", repr=False)
