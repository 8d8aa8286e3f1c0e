"""What is gathered about a credential before anybody asks whether to rotate it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asked for a rotation by name; `why` is the text they gave, possibly empty."""

    by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One credential at one moment. None means unknown, unless a field says otherwise."""

    credential: str
    policy: Policy
    now: datetime
    due_at: datetime
    """As `first_due` or `next_due` said when last asked."""
    rotated_at: datetime | None = None
    """When its key went live by our hand; None: never."""
    key_created_at: datetime | None = None
    key_expires_at: datetime | None = None
    """None: never, or unknown."""
    key_listed: bool | None = None
    """Whether the provider still has the credential's key, after its list lag; None: it was not asked."""
    spec_minted: str | None = None
    """Digest of what makes a key what it is (provider, principal, needs; not the places) when its key was minted."""
    spec_wanted: str | None = None
    """The same digest of today's config."""
    incident: str | None = None
    """Id of an incident that exposed its key and that no rotation has answered yet; None: there is none."""
    asked: Asked | None = None
    """None: nobody did."""
    held_by: str | None = None
    """Who put the credential on hold; None: nobody."""
    paused: str | None = None
    """Why all that is new is paused, possibly an empty text; None: it is not."""
    paused_until: datetime | None = None
    """None: until somebody ends it."""
    open_rotation: str | None = None
    """Id of a rotation that has not ended; None: there is none."""
    foreign_in: tuple[str, ...] = ()
    """Stores whose current value nobody here made."""
    not_before: datetime | None = None
    """Until when a rotation that was rolled back keeps the next one waiting; None: it does not."""


@dataclass(frozen=True, slots=True)
class Yes:
    """A predicate holds; `sentence` says why, lower case, no full stop."""

    sentence: str


@dataclass(frozen=True, slots=True)
class No:
    """A predicate does not hold; `sentence` says why not, lower case, no full stop."""

    sentence: str


Predicate = Callable[[Facts], Yes | No]
"""One question about a credential, pure, and its answer in words."""
