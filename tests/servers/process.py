"""Starts a server under a keeper (`tests.servers.keeper`), on a port of the kernel's choice."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tests.servers import StartFailed

KEEPER = Path(__file__).with_name("keeper.py")
ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user and group that a server runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the keeper is asked to do.

    `prepare` are commands that run to their end first. `stop_signal` is how this server likes to be ended. `uid` and
    `gid` are `None` for our own. `directory` is the server's working directory, removed at the end.
    """

    directory: str
    command: Sequence[str]
    env: Mapping[str, str]
    prepare: Sequence[Sequence[str]] = ()
    stop_signal: int = signal.SIGTERM
    uid: int | None = None
    gid: int | None = None


class Kept:
    """A server that runs while this object is not closed and this process lives."""

    def __init__(self, order: Order) -> None:
        """Start it; returns when the process exists, not when it answers. Raises `StartFailed`."""
        self.directory = Path(order.directory)
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(KEEPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd="/",
        )
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(json.dumps(asdict(order)) + "\n")
        self._keeper.stdin.flush()
        answer = self._keeper.stdout.readline()
        if not answer.startswith("pid "):
            text = self.log_tail()
            self.close()
            raise StartFailed(text)
        self.pid = int(answer.removeprefix("pid "))

    def alive(self) -> bool:
        """Whether the process exists; a stopped one does."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return True
        return False

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        with suppress(FileNotFoundError):
            return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-20:])
        return "(no log)"

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Poll `ready` until it is true. Raises `StartFailed` if the server ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive() or time.monotonic() > deadline:
                raise StartFailed(self.log_tail())
            time.sleep(0.02)

    def close(self) -> None:
        """Stop the server and remove its directory; returns when both are done. May be called twice."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


@contextmanager
def reserved_port() -> Iterator[int]:
    """A loopback port that the kernel gives to nobody else while this is open.

    The server can bind it nevertheless: both sides set SO_REUSEADDR and ours never listens.
    """
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        yield reservation.getsockname()[1]


T = TypeVar("T")


def on_a_free_port(start: Callable[[int], T]) -> T:
    """What `start(port)` returns; a lost race for the port shows as `StartFailed` and is tried again."""
    for attempt in range(1, ATTEMPTS + 1):
        with reserved_port() as port:
            try:
                return start(port)
            except StartFailed:
                if attempt == ATTEMPTS:
                    raise
    raise AssertionError("unreachable")


def unprivileged() -> Identity | None:
    """Whom to run as a server that refuses root; `None` when we are not root and may run it ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Identity(uid=user.pw_uid, gid=user.pw_gid)
    return Identity(uid=65534, gid=65534)


def new_directory(prefix: str, owner: Identity | None = None) -> Path:
    """A fresh directory, its owner's alone. Short, because a Unix socket's path has at most 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix=f"rotator-{prefix}-"))
    if owner is not None:
        os.chown(directory, owner.uid, owner.gid)
    return directory


def reachable(program: Path, owner: Identity | None) -> bool:
    """Whether a stranger may enter every directory above `program`: a checkout below a private one is closed to him."""
    folders = {*program.absolute().parents, *program.resolve().parents}
    return owner is None or all(folder.stat().st_mode & 0o001 for folder in folders)


def link_or_copy(source: str, target: str) -> str:
    """Hard link where the file system allows it: the binaries of a server are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
