"""What is asked of a store, as values: so that what several places ask can be asked at the same time."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rotator.domain.credential import Place, Publication
from rotator.domain.records import Event, EventKind, LastWrite
from rotator.domain.rotation import StoreState

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A look at a place; answered by a `rotator.ports.Stored`."""

    publication: Publication
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A compare-and-set of a place; answered by its new version.

    `state` and `last`: what the row and the credential say of the place from the intent on, durable with it.
    """

    action: str
    publication: Publication
    place: Place
    fields: Mapping[str, str] = field(repr=False)
    expected: str
    state: StoreState | None = None
    last: LastWrite | None = None

    @property
    def subject(self) -> str:
        """What the trail calls the place."""
        return f"{self.publication.store}:{self.publication.ref}"

    @property
    def intent(self) -> Event:
        """What is committed before it is sent."""
        detail = {"place": self.place.kind.value}
        return Event(kind=EventKind.INTENT, action=self.action, subject=self.subject, detail=detail)


Course = Generator[Read | Write, Any, T]
"""What is done in one place, told from its beginning to its end.

It yields each request and is sent the answer; where there is none, the failure is raised in it, as if it had asked by
itself. `rotator.engine.side_by_side` runs it.
"""
