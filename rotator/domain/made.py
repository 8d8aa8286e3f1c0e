"""What a provider's own trail tells: who made what, and when. Strings from a driver are data, shown bounded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MadeKind(StrEnum):
    """What was made; each is a way back in."""

    KEY = "key"
    USER = "user"
    SERVICE_ACCOUNT = "service account"
    ROLE = "role"
    FEDERATION = "federation rule"
    INVITATION = "invitation"
    CHANGE = "change of"  # to what was there: its role, what it may do
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One thing that somebody made. `name` and `where` (its project, its user) as far as the provider tells.

    `at` None: the provider does not tell when. `by`: who, as the provider calls him; empty: it does not tell. `there`:
    whether it is still there; None: it does not tell.
    """

    kind: MadeKind
    id: str
    name: str = ""
    where: str = ""
    at: datetime | None = None
    by: str = ""
    there: bool | None = None
