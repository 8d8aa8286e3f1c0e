"""What a driver may read beside its code: files and variables that it named, references in its settings.

Landlock allows a file and not its name: what is put in its place, as kubelets and agents do, a process cannot read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rotator.adapters.isolation.questions import NotResolved
from rotator.domain.reach import Reach

LARGEST_FILE = 1 << 20
"""Bytes of a file that are searched for the names of hosts."""


class Files:
    """The files that one process was granted, as they were then."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._then = {path: _state(path) for path in paths}

    @property
    def changed(self) -> bool:
        """Whether one of them is another one by now, or was written."""
        return any(_state(path) != then for path, then in self._then.items())


def _state(path: str) -> tuple[int, ...]:
    with suppress(OSError):  # that it comes is a change, too
        found = Path(path).stat()
        inside = () if stat.S_ISDIR(found.st_mode) else (found.st_mtime_ns, found.st_size)
        return found.st_dev, found.st_ino, *inside
    return ()


def texts(settings: Any) -> Iterator[str]:
    """Every text in a driver's settings."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, Mapping | list | tuple):
        for each in settings.values() if isinstance(settings, Mapping) else settings:
            yield from texts(each)


def texts_behind(reach: Reach) -> Iterator[str]:
    """What stands in variables and files, as a kubeconfig: whoever wrote it there is the operator."""
    yield from (os.environ[name] for name in reach.variables if name in os.environ)
    for path in map(Path, reach.paths):
        with suppress(OSError, ValueError):  # the driver cannot read it either, and says so
            if path.is_file():
                with path.open("rb") as file:
                    yield file.read(LARGEST_FILE).decode()


def only(resolve: Callable[[str], str], settings: Mapping[str, Any], reach: Reach) -> Callable[[str], str]:
    """Resolves what stands in a driver's own settings, and files that it may read anyway; nothing else."""
    own = frozenset(texts(settings))

    def resolved(reference: str) -> str:
        if reference not in own and not _readable(reference, reach):
            raise NotResolved("the driver asks for a reference that its settings do not have", "ask who wrote it why")
        return resolve(reference)

    return resolved


def _readable(reference: str, reach: Reach) -> bool:
    scheme, _, path = reference.partition(":")
    if scheme != "file" or ".." in path.split("/"):
        return False
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in reach.paths)
