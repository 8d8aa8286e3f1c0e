"""How the contracts' stores are made: in the tests' own process, or as `tests.isolation` makes them, in a child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from rotator.ports import Store


class Kind(Store, Protocol):
    """A store's class."""

    @classmethod
    def from_settings(
        cls: type[K], name: str, settings: Mapping[str, Any], resolve: Callable[[str], str], timeout: timedelta
    ) -> K: ...


K = TypeVar("K", bound=Kind)


class Making(Protocol):
    """As `from_settings`, of whatever store."""

    def __call__(
        self, kind: type[K], name: str, settings: Mapping[str, Any], resolve: Callable[[str], str], timeout: timedelta
    ) -> K: ...


def in_process(
    kind: type[K], name: str, settings: Mapping[str, Any], resolve: Callable[[str], str], timeout: timedelta
) -> K:
    """Where a test can look into it."""
    return kind.from_settings(name, settings, resolve, timeout)
