"""A store whose failures say which it is: it knows its address, and not its name in the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rotator.domain.credential import Place
from rotator.domain.failures import Failure
from rotator.ports import Store, StoreCapabilities, Stored


def _nobody(reason: str) -> None:
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Named:
    """Implements `rotator.ports.Store`: another one, under its name in the config.

    `failed` is told of each failure, by its type as a word; it must not raise.
    """

    name: str
    store: Store
    failed: Callable[[str], None] = _nobody

    def capabilities(self) -> StoreCapabilities:
        return self.store.capabilities()

    def read(self, place: Place) -> Stored:
        with self._saying(place.ref):
            return self.store.read(place)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        with self._saying(place.ref):
            return self.store.write(place, fields, expected)

    def remove(self, place: Place, expected: str) -> None:
        with self._saying(place.ref):
            self.store.remove(place, expected)

    def places(self, ref: str) -> tuple[Place, ...]:
        with self._saying(ref):
            return self.store.places(ref)

    @contextmanager
    def _saying(self, ref: str) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            failure.message = f"{self.name}:{ref}: {failure.message}"
            self.failed(type(failure).__name__.lower())
            raise
