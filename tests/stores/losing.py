"""Stores whose answers get lost, on machines that may be too busy even to ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rotator.domain.credential import Place
from rotator.domain.failures import Transient
from rotator.ports import Store, StoreCapabilities, Stored

T = TypeVar("T")
LATE = 2.0
"""Seconds that an answer may take to where it is lost, when nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class UntilLost:
    """A store whose next change loses its answer. What timed out before it came to that is undone and asked again."""

    inner: Store
    lost: Callable[[], bool]
    undo: Callable[[], None] = lambda: None

    def capabilities(self) -> StoreCapabilities:
        return self.inner.capabilities()

    def read(self, place: Place) -> Stored:
        return self.inner.read(place)

    def places(self, ref: str) -> tuple[Place, ...]:
        return self.inner.places(ref)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        return self._changed(lambda: self.inner.write(place, fields, expected))

    def remove(self, place: Place, expected: str) -> None:
        self._changed(lambda: self.inner.remove(place, expected))

    def _changed(self, change: Callable[[], T]) -> T:
        while True:
            try:
                return change()
            except Transient:
                until = time.monotonic() + LATE
                while not self.lost():
                    if time.monotonic() > until:
                        break
                    time.sleep(0.01)
                else:
                    raise
                self.undo()
