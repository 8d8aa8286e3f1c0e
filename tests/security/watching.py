"""Runs commands under watch: what they print, what stands in /proc while they run, and every file they leave or had."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.security.hunt import WINDOW

GLANCE = 0.01
"""Seconds between two looks: a temporary file or a write-ahead log may not live longer."""
STOPPED = ("/bin/sh", "-c", 'kill -STOP $$; exec "$@"', "sh")
"""Before a command: it waits to be looked at, and goes on when it is told to."""
PIECE = 4096
"""Bytes that are kept at a time: most pages of a journal are the same at the next look."""


@dataclass(slots=True)
class Watch:
    """One folder under watch. `ours`: what in it may hold secrets, as paths; everything else may not.

    `sinks` are all bytes seen, by where: pieces that overlap by as much as a find needs, each content once.
    """

    folder: Path
    ours: frozenset[Path]
    environment: Mapping[str, str]
    sinks: dict[tuple[str, bytes], None] = field(default_factory=dict)
    _stamps: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def add(self, where: str, data: bytes) -> None:
        """One more place."""
        for at in range(0, len(data), PIECE):
            self.sinks[where, data[at : at + PIECE + WINDOW - 1]] = None

    def run(
        self, command: Sequence[str], *, stdin: str = "", cwd: Path | None = None, timeout: float = 280
    ) -> tuple[int, str, str]:
        """Run and watch one command; returns its exit code and what it printed."""
        name = " ".join(Path(each).name for each in command[:4])
        process = subprocess.Popen(
            [*STOPPED, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.folder,
            env=dict(self.environment),
        )
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self._glance(process.pid, name)
        process.send_signal(signal.SIGCONT)
        ended = threading.Event()
        eye = threading.Thread(target=self._watch, args=(process.pid, name, ended))
        eye.start()
        try:
            out, err = process.communicate(stdin.encode(), timeout=timeout)
        finally:
            process.kill()
            process.wait()
            ended.set()
            eye.join()
        self.add(f"stdout of {name}", out)
        self.add(f"stderr of {name}", err)
        self.look()
        return process.returncode, out.decode(), err.decode()

    def look(self) -> None:
        """Read every file that changed since the last look."""
        for path in self._files(self.folder):
            with contextlib.suppress(OSError):  # it may be gone again
                status = path.stat()
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
                if self._stamps.get(path) != stamp:
                    self._stamps[path] = stamp
                    self.add(f"file {path.relative_to(self.folder)}", path.read_bytes())

    def _files(self, folder: Path) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if path in self.ours:
                    continue
                if path.is_dir() and not path.is_symlink():
                    yield from self._files(path)
                else:
                    yield path

    def _watch(self, pid: int, name: str, ended: threading.Event) -> None:
        while not ended.wait(GLANCE):
            self._glance(pid, name)
            self.look()

    def _glance(self, pid: int, name: str) -> None:
        for each in _family(pid):
            for what in ("cmdline", "environ"):
                # environ is closed even to its own user as soon as the process is not dumpable
                with contextlib.suppress(OSError):
                    self.add(f"{what} of {name}", Path(f"/proc/{each}/{what}").read_bytes())


def _family(pid: int) -> Iterator[int]:
    """A process and everything that it started."""
    yield pid
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))
