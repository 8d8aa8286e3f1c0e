"""Which ids are names of the same thing: union-find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


class Aliases:
    """Sets of ids that grow together. Not for several threads."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, ids: Iterable[str]) -> None:
        """Say that all of these are the same. Twice: no more."""
        roots = [self.root(each) for each in ids]
        for root in roots[1:]:
            self._above[self.root(root)] = self.root(roots[0])

    def root(self, one: str) -> str:
        """The id that stands for its whole set, as long as nothing is joined to that."""
        self._above.setdefault(one, one)
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def sets(self) -> dict[str, tuple[str, ...]]:
        """All ids of each set, sorted, by its root."""
        found = defaultdict(list)
        for each in self._above:
            found[self.root(each)].append(each)
        return {root: tuple(sorted(ids)) for root, ids in found.items()}
