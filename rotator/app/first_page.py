"""What a person sees first: what needs her, then a few figures; and whether that is all, or nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.app.assembly import Assembly
from rotator.app.need import Need
from rotator.app.needing import needs
from rotator.app.seeing import Scope
from rotator.app.surveying import Counts, State, Survey
from rotator.domain.notices import Severity
from rotator.domain.records import CredentialRow


class Calm(StrEnum):
    """Whether somebody has to do anything."""

    CALM = "calm"  # nothing needs anybody
    NEEDED = "needed"
    UNKNOWN = "unknown"  # not everything was looked at
    AMISS = "amiss"  # nothing is known that somebody has to do, and yet not all is in order


AMISS = (State.STUCK, State.OLD, State.BEHIND, State.UNKNOWN, State.BROKEN)
"""Where one of these is counted nobody says that it is a calm day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPage:
    """`counts`: as of `counted_at`; None: they are being counted, and nothing is said of them."""

    now: datetime
    needs: tuple[Need, ...]
    counts: Counts | None
    counted_at: datetime | None

    @property
    def calm(self) -> Calm:
        """What is worth knowing and needs nothing keeps nobody awake."""
        if any(each.severity is not Severity.INFO for each in self.needs):
            return Calm.NEEDED
        if self.counts is None:
            return Calm.UNKNOWN
        return Calm.AMISS if self.amiss else Calm.CALM

    @property
    def amiss(self) -> tuple[tuple[State, int], ...]:
        """How many are not in order, by how they stand; those that rotate, are due or on hold are not among them."""
        of = self.counts.of if self.counts is not None else {}
        return tuple((state, of[state]) for state in AMISS if of.get(state))

    @property
    def number(self) -> int:
        """How many things need somebody."""
        return sum(1 + each.more for each in self.needs if each.severity is not Severity.INFO)

    @property
    def figures(self) -> tuple[tuple[str, int | None, str], ...]:
        """What is counted, how many there are, and the state by which the list of credentials shows them."""
        counts = self.counts
        if counts is None:
            return tuple((what, None, "") for what in ("credentials", "in order", "rotating now", "due within 24 h"))
        of = counts.of
        return (
            ("credentials", counts.total, ""),
            ("in order", counts.fresh, State.FRESH.value),
            ("rotating now", of.get(State.ROTATING, 0), State.ROTATING.value),
            ("due within 24 h", counts.soon, "soon"),
        )


def first_page(assembly: Assembly, scope: Scope, survey: Survey | None, amiss: Sequence[CredentialRow]) -> FirstPage:
    """All of it, as somebody sees it. Raises what the journal does. Twice: a new look."""
    return FirstPage(
        now=assembly.clock.now(),
        needs=needs(assembly, scope, survey, amiss),
        counts=survey.counts(scope) if survey is not None else None,
        counted_at=survey.at if survey is not None else None,
    )
