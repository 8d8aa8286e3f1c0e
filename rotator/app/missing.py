"""A store whose driver cannot be made: in an emergency it is left behind like one that is down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from rotator.config.errors import ConfigError
from rotator.domain.credential import Place
from rotator.domain.failures import Transient
from rotator.ports import StoreCapabilities, Stored


class MissingStore:
    """Answers everything with the reason why it is not there."""

    def __init__(self, why: ConfigError) -> None:
        self._why = why

    def capabilities(self) -> StoreCapabilities:
        """As little as can be; readable, because values may lie there that must not be taken for lost."""
        return StoreCapabilities(exact=False)

    def read(self, place: Place) -> Stored:
        """Raises `Transient`."""
        self._fail()

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """Raises `Transient`."""
        self._fail()

    def remove(self, place: Place, expected: str) -> None:
        """Raises `Transient`."""
        self._fail()

    def places(self, ref: str) -> tuple[Place, ...]:
        """Raises `Transient`."""
        self._fail()

    def _fail(self) -> NoReturn:
        raise Transient(self._why.message, self._why.hint)
