"""Whether the files of a config may have changed since they were read, without reading them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rotator.config.document import Document
from rotator.config.including import patterns

SETTLED = 2.0
"""Seconds after a change of a file in which another one may leave its times as they are."""

Stamp = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Those that a config was read from, and the patterns that may match others by now."""

    config: Path
    read: tuple[Path, ...]
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, config: Path, document: Document) -> Files:
        """Those of a config that was read."""
        read = tuple(path for path, _ in document.read)
        return cls(config, read, tuple(patterns(document.value.get("include"))))

    def stamp(self) -> Stamp | None:
        """What every change of these files changes. Twice: the same, while none changed.

        None: one changed just now, so that nobody can tell whether it changes again; or a folder cannot be read.
        """
        try:
            found = tuple(_of(each) for each in dict.fromkeys(self._all()))
        except OSError:
            return None
        now = time.time_ns()
        changed = [at for each in found for at in each[1:3] if isinstance(at, int)]
        return None if any(now - at < SETTLED * 1e9 for at in changed) else found

    def stamp_of(self, document: Document) -> Stamp | None:
        """As `stamp`, for what was read into this document; None, too, where the files say something else by now.

        Reading takes a while. A stamp that was taken of later files would hide what changed meanwhile for good.
        """
        stamp = self.stamp()
        return stamp if self._still(document) else None

    def _still(self, document: Document) -> bool:
        """Asked once there is a stamp: what changes behind this changes the stamp."""
        try:
            return set(self._all()) == {path for path, _ in document.read} and all(
                path.stat().st_size == len(data) and path.read_bytes() == data for path, data in document.read
            )
        except OSError:
            return False  # one went meanwhile

    def _all(self) -> Iterator[Path]:
        yield self.config
        yield from self.read
        for pattern in self.patterns:
            yield from sorted(self.config.parent.glob(pattern))


def _of(path: Path) -> tuple[object, ...]:
    try:
        status = path.stat()
    except OSError as error:
        return (path, None, None, error.errno)  # one that comes or goes is a change, too
    # who may write a file can set its other times, but not the first of these
    return (path, status.st_ctime_ns, status.st_mtime_ns, status.st_ino, status.st_dev, status.st_size)
