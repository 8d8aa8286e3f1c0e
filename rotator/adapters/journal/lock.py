"""One daemon per journal on a host: a lock on `<journal>.lock` that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rotator.adapters.journal.errors import InUse, NotWritable


def lock_path(journal: Path) -> Path:
    """The file that is locked. It is never removed: who would lock a removed one would exclude nobody."""
    return journal.with_name(journal.name + ".lock")


@contextmanager
def exclusively(journal: Path, *, hint: str = "stop it first, or name another journal") -> Iterator[None]:
    """Hold the daemon's lock. Raises `InUse` at once when somebody has it, in this process too, and `NotWritable`."""
    try:
        descriptor = os.open(lock_path(journal), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotWritable(f"{lock_path(journal)} cannot be written: {error.strerror}", "see its permissions") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"a daemon has this journal{_who(descriptor)}", hint) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _who(descriptor: int) -> str:
    """The process that has it, as far as it wrote so; only for people."""
    pid = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f", process {pid}" if pid.isdecimal() else ""
