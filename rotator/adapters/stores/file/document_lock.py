"""One lock file per reference: who changes a document holds it, and in it stands the seed of the document's version.

The seed is random and new with every write of ours, so that the version changes even when the content does not, and a
compare-and-set on an older version fails for ever. It is secret, so that a version does not help to guess the content.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.file.beneath import Directory, failing_as

SEED_BYTES = 32
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05


def version_of(seed: bytes, content: bytes, traces: bytes) -> str:
    """A document's version; before our first write of it there is no seed, and it stands on its traces alone."""
    if seed:
        return hmac.new(seed, content, "sha256").hexdigest()[:32]
    return "unwritten-" + hmac.new(b"", traces, "sha256").hexdigest()[:32]


def read_seed(directory: Directory, name: str) -> bytes:
    """The seed, empty before our first write. Read it before the document: then a change in between is a conflict."""
    content = directory.read(name)
    return content.data[:SEED_BYTES] if content is not None else b""


@dataclass(slots=True)
class Held:
    """The lock, while it is held, and the seed, which nobody else changes meanwhile."""

    fd: int
    shown: str
    seed: bytes

    def renew(self) -> None:
        """A new seed, durable. Before the document is changed: a crash in between costs a conflict and no more."""
        with failing_as(self.shown):
            self.seed = secrets.token_bytes(SEED_BYTES)
            os.pwrite(self.fd, self.seed, 0)
            os.fsync(self.fd)


@contextmanager
def locked(locks: Directory, name: str, deadline: Deadline) -> Iterator[Held]:
    """Hold the lock of a document. Raises Transient when somebody else keeps it until the deadline.

    The kernel gives it free when its holder dies; one that is stopped keeps it, because it may still write.
    """
    pause = FIRST_PAUSE
    while (fd := _attempt(locks, name)) is None:
        time.sleep(min(pause, deadline.remaining(f"the lock {locks.path(name)}")))
        pause = min(2 * pause, LONGEST_PAUSE)
    try:
        with failing_as(locks.path(name)):
            seed = os.pread(fd, SEED_BYTES, 0)
        yield Held(fd, locks.path(name), seed)
    finally:
        os.close(fd)


def _attempt(locks: Directory, name: str) -> int | None:
    with failing_as(locks.path(name)):
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=locks.fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        return fd
