"""A mapping of a few names that never changes: half a dict, where there are 100,000 of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")


class Pairs(Mapping[str, V]):
    """Equal to whatever mapping says the same. Of one name it takes 112 bytes where a dict takes 192."""

    __slots__ = ("_names_and_values",)

    def __init__(self, given: Mapping[str, V]) -> None:
        self._names_and_values: tuple[Any, ...] = tuple(each for pair in given.items() for each in pair)

    def __getitem__(self, name: str) -> V:
        found: V
        for at, found in enumerate(self._names_and_values[1::2]):
            if self._names_and_values[2 * at] == name:
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names_and_values[::2])

    def __len__(self) -> int:
        return len(self._names_and_values) // 2

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[object, ...]:
        return Pairs, (dict(self),)
