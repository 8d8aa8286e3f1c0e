"""Programs for tests of the file store that need a process of their own: it counts, or it dies or stops in the middle.

    python -m tests.stores.file_process ROOT FORMAT count TIMES      add one to API_KEY so often
    python -m tests.stores.file_process ROOT FORMAT stop             stop right before the rename, holding the lock
    python -m tests.stores.file_process ROOT FORMAT die              see `die_everywhere`

The last one tries every effect on files in turn: a child is killed right before it, then the document is looked at.
It prints a line for each: the number, `write` or `remove`, and what was found.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.adapters.stores.file import FileStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict

EFFECTS = ("open", "mkdir", "symlink", "pwrite", "fsync", "fchmod", "rename", "unlink", "rmdir")
PLACE = Place(ref="app/service", kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))
OLD, NEW = ({"API_KEY": text, "USER": text} for text in ("old", "new"))


def made(root: Path, form: str) -> FileStore:
    """The store of that format at that root."""
    return FileStore.from_settings("local", {"root": str(root), "format": form}, str, timedelta(seconds=10))


def count(store: FileStore, times: int) -> None:
    """Add one so often, looking again after each lost race."""
    done = 0
    while done < times:
        stored = store.read(PLACE)
        number = int((stored.fields or {"API_KEY": "0"})["API_KEY"])
        try:
            store.write(PLACE, {"API_KEY": str(number + 1)}, stored.version)
        except Conflict:
            continue
        done += 1


def stop_before_the_rename(store: FileStore) -> None:
    """Begin a write, and be stopped when everything but the rename has happened."""
    rename = os.rename

    def stopping(*args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        rename(*args, **kwargs)

    setattr(os, "rename", stopping)  # noqa: B010 - mypy allows no other way
    store.write(PLACE, NEW, store.read(PLACE).version)


def before_effect(number: int, act: Callable[[], None]) -> Callable[[], int]:
    """Call `act` right before the effect on files of that number; returns how to ask how many there were."""
    seen = 0

    def guarded(effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == number:
                act()
            return effect(*args, **kwargs)

        return call

    for name in EFFECTS:
        setattr(os, name, guarded(getattr(os, name)))
    return lambda: seen


def dies(store: FileStore, number: int, change: Callable[[FileStore], None]) -> bool:
    """Whether a child was killed before the effect of that number; False: it had fewer."""
    child = os.fork()
    if child == 0:
        before_effect(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        change(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def die_everywhere(store: FileStore) -> None:
    """Kill a write and a removal before each of their effects; afterwards write again, as if nothing had been."""
    version = store.write(PLACE, OLD, store.read(PLACE).version)

    def write(store: FileStore) -> None:
        store.write(PLACE, NEW, version)

    def remove(store: FileStore) -> None:
        store.remove(PLACE, version)

    for name, change in (("write", write), ("remove", remove)):
        number = 1
        while dies(store, number, change):
            stored = store.read(PLACE)
            print(number, name, json.dumps(stored.fields), flush=True)  # noqa: T201 - what it is started for
            version = store.write(PLACE, OLD, stored.version)
            number += 1
        version = store.write(PLACE, OLD, store.read(PLACE).version)


if __name__ == "__main__":
    root, form, verb, *rest = sys.argv[1:]
    store = made(Path(root), form)
    match verb:
        case "count":
            count(store, int(rest[0]))
        case "stop":
            stop_before_the_rename(store)
        case "die":
            die_everywhere(store)
