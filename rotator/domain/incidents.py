"""An incident as it is remembered: what was to be replaced, from the first command on, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing could be begun for a credential, in two lines."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident. `names`: every credential that it is about, those that could not be begun with their `refusals`.

    `contained_at`: when a person first said that the thief cannot read new keys any more; None once somebody denies it.
    Of one about bad packages these are `packages`, bad from `bad_from` to `bad_to`; `why` has for each exposed
    credential each way that leads to it, as steps. `unknown`: of whom or of what nobody can say, with the reason.
    """

    id: str
    opened_at: datetime
    names: tuple[str, ...]
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    contained_at: datetime | None = None
    reason: str = ""
    packages: tuple[str, ...] = ()
    bad_from: datetime | None = None
    bad_to: datetime | None = None
    why: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """From when to when the packages were bad; None where it is not about packages."""
        return None if self.bad_from is None or self.bad_to is None else (self.bad_from, self.bad_to)
