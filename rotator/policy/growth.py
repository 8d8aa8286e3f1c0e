"""How a plan differs from what a person was shown last: what selects must not grow unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOUD = 5
"""So many times as many as before, or as at first, is said first, whatever the number."""
FEW = 3
"""From nothing to more than these, too."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Names that were shown `first`, `before` and that would be `now`, each once. `first` empty: nobody knows."""

    before: tuple[str, ...]
    now: tuple[str, ...]
    first: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Sequence[str], now: Sequence[str], *, first: Sequence[str] = ()) -> Growth:
        """In whatever order, and each name as often as one likes."""
        return cls(tuple(dict.fromkeys(before)), tuple(dict.fromkeys(now)), tuple(dict.fromkeys(first)))

    @property
    def new(self) -> tuple[str, ...]:
        """Nobody was shown these. One that took another's place is new too, though there are no more than before."""
        known = frozenset(self.before)
        return tuple(each for each in self.now if each not in known)

    @property
    def gone(self) -> tuple[str, ...]:
        """These are not in it any more."""
        kept = frozenset(self.now)
        return tuple(each for each in self.before if each not in kept)

    @property
    def fivefold(self) -> bool:
        """Whether something is new, and there are five times as many as before or as at first, or more."""
        return bool(self.new) and (self._loud(self.before) or (bool(self.first) and self._loud(self.first)))

    @property
    def measured(self) -> tuple[str, ...]:
        """The names that it is fivefold of: those before, or where small steps led there, those of the first time."""
        return self.first if self.fivefold and not self._loud(self.before) else self.before

    def _loud(self, earlier: tuple[str, ...]) -> bool:
        return len(self.now) >= LOUD * len(earlier) if earlier else len(self.now) > FEW
