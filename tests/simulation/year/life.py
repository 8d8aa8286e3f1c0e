"""The life of one process: it may die between any two effects, and from then on it does nothing more."""

from __future__ import annotations


class Death(BaseException):
    """The process is gone. No `except Exception` of the product stops it."""


class Life:
    """`point` is called before and after whatever outlives the process: a commit, a request to somebody.

    `acts`: grows with what changed something. A process that was told to die after so many points dies at that one;
    whatever of it still runs dies at the next.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self._spared = 0
        self.points = self.acts = 0
        self.dead = False

    def die_after(self, points: int) -> None:
        """Not now, but so many points later."""
        self._left = points

    def begin(self) -> None:
        """Another process."""
        self.dead, self._left = False, None

    def spare(self, by: int) -> None:
        """1: what comes is not the process's own doing, but an operator's command; -1: it is again."""
        self._spared += by

    def point(self) -> None:
        """Raises `Death`."""
        self.points += 1
        if self.dead:
            raise Death
        if self._left is None or self._spared:
            return
        self._left -= 1
        if self._left <= 0:
            self.dead = True
            raise Death
