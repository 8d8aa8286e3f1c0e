"""The directories of a file store that one call has open: its root, and what it enters beneath."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from rotator.adapters.stores.file.beneath import Directory

PRIVATE = ".rotator"
LOCKS = "locks"


class Opened:
    """Closes them all at its end. Methods raise the failures of `Directory`, and give None for what is not there."""

    def __init__(self, root: Path) -> None:
        """Opens the root, so it is to be used in a `with` at once."""
        self.root = Directory.root(root)
        self._private: Directory | None = None
        self._all = [self.root]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._all:
            each.close()

    def enter(self, directory: Directory, *names: str, create: bool = False) -> Directory | None:
        """One directory beneath another, name by name; what is missing is made with `create`."""
        for name in names:
            found = directory.enter(name, create=0o700 if create else None)
            if found is None:
                return None
            directory = found
            self._all.append(found)
        return directory

    def private(self, *, create: bool = False) -> Directory | None:
        """`PRIVATE`, which nobody else may enter: so a way beneath it need not be walked step by step."""
        if self._private is None:
            self._private = self.enter(self.root, PRIVATE, create=create)
            if self._private is not None:
                self._private.must_be_private()
        return self._private

    def ours(self, way: str, *, create: bool = False) -> Directory | None:
        """A directory beneath `PRIVATE`."""
        private = self.private(create=create)
        if private is None:
            return None
        found = self.enter(private, way)
        return self.enter(private, *way.split("/"), create=True) if found is None and create else found

    def locks(self) -> Directory:
        """Where the lock files are."""
        locks = self.ours(LOCKS, create=True)
        assert locks is not None
        return locks
