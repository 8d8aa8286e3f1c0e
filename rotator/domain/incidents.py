"""An incident as it is remembered: what was to be replaced, from the first command on, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.domain.advisories import Affected

LEFT_OUT = "exposed, and left out by --tag or --owner"
"""Why one is not called safe that is exposed for sure."""

NOT_THERE = "the config has no such credential any more"
LEAKED = "leaked: "
"""How the name begins of a leaked key of which nobody can say here whether it still opens something."""
WAS_IN_IT = "it was in the plan at"
"""How the reason begins of one that a person was shown, and that today's config takes out of the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing could be begun for a credential, in two lines."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a person was shown last of what an incident is about, and when."""

    at: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """When a person ended it. `gave_up`: why it can never be complete; "" where all of it was proven."""

    at: datetime
    gave_up: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident. `names`: every credential that it is about, those that could not be begun with their `refusals`.

    `contained_at`: when a person first said that the thief cannot read new keys any more; None once somebody denies it,
    which `uncontained` keeps.
    Of one about bad packages these are `packages`, as they were typed, and `affected`, as the records with the ids
    `advisories` said when it was opened; bad from `bad_from` to `bad_to`, None: to this day. `why` has for each exposed
    credential each way that leads to it, as steps. `unknown`: of whom or of what nobody can say, with the reason.
    `chosen`: credentials that a person named besides. `notes`: what should be known of how it was opened. `mended`:
    places, as `rotation store:ref`, that were left behind by this rotation and have the new key since. `first`: what a
    person was shown first. Of one that a report of leaks opened, `leaked` are the exposed keys, as `credential key-id`,
    and `said` is what people are told of it; of any other there is nothing.
    """

    id: str
    opened_at: datetime
    names: tuple[str, ...]
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    contained_at: datetime | None = None
    uncontained: bool = False
    reason: str = ""
    packages: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()
    affected: tuple[Affected, ...] = ()
    bad_from: datetime | None = None
    bad_to: datetime | None = None
    why: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shown: Shown | None = None
    closed: Closed | None = None
    mended: tuple[str, ...] = ()
    first: Shown | None = None
    leaked: tuple[str, ...] = ()
    said: str = ""

    @property
    def of_packages(self) -> bool:
        """Whether it is about what packages could read."""
        return bool(self.packages or self.affected)

    @property
    def last_shown(self) -> tuple[str, ...]:
        """The credentials that a person knows it to be about."""
        return self.shown.names if self.shown is not None else self.names

    @property
    def first_shown(self) -> tuple[str, ...]:
        """The credentials that a person knew it to be about at first."""
        return self.first.names if self.first is not None else self.last_shown

    def window(self, now: datetime) -> tuple[datetime, datetime] | None:
        """From when to when the thief could read, as far as that is past; None where nobody said."""
        return None if self.bad_from is None else (self.bad_from, min(self.bad_to or now, now))
