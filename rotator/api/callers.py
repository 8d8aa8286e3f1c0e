"""Who calls: a name for the trail, a role, and whose credentials are seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.app.seeing import Scope
from rotator.app.spoken import spoken
from rotator.domain.tokens import Role, includes


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who was believed. `name`: what the trail calls what he does. `consumer`: whose inventories he posts.

    `subject`: what no other one is, where that is more than the name. `until`: when he is believed no more, where that
    is not asked again.
    """

    name: str
    role: Role
    owners: frozenset[str] | None = None  # None: all
    consumer: str = ""
    subject: str = ""
    until: datetime | None = None

    @property
    def whose(self) -> tuple[str, tuple[str, ...] | None]:
        """Whose answers are remembered as his: another scope is somebody else."""
        return self.subject or self.name, None if self.owners is None else tuple(sorted(self.owners))

    @property
    def scope(self) -> Scope:
        """What is seen and touched."""
        return Scope(self.owners)

    def may(self, needed: Role) -> bool:
        """Whether his role suffices."""
        return includes(self.role, needed)

    def reason(self, text: str) -> str:
        """What a person said, on one line and without what is secret, for it is kept for ever; and who that was."""
        text = spoken(text)
        return f"{text} (by {self.name})" if text else f"by {self.name}"
