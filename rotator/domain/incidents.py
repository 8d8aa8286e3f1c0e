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

    `contained`: whether a person said that the thief cannot read new keys any more.
    """

    id: str
    opened_at: datetime
    names: tuple[str, ...]
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    contained: bool = False
    reason: str = ""
