"""Telling by signal. A pid comes back with another process; one that began after its pid file was written is not ours.

The age of the process is `starttime` of `/proc/PID/stat` (proc_pid_stat(5)), counted from boot, so the wall clock is
asked only for the file's age. A pid file may hold the start time as a second word: then that decides, exactly.
"""

from __future__ import annotations

import os
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from rotator.adapters.consumers.settings import Settings
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Denied, Failure, Transient

SIGNALS = {name: getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT", "SIGWINCH")}
TICK = 1 / os.sysconf("SC_CLK_TCK")
SLACK = 0.1
"""Seconds by which the two clocks may be read apart, beside a tick."""
LONGEST_FILE = 64
"""Bytes of a pid file."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process at a moment. `started`: ticks since boot."""

    pid: int
    started: int
    uid: int


class Signal:
    """One consumer's process, found by its pid file."""

    def __init__(self, pid_file: Path, number: signal.Signals) -> None:
        self._pid_file = pid_file
        self._number = number

    @classmethod
    def from_settings(cls, settings: Settings) -> Signal:
        """`signal`: the pid file; `send`: which one, SIGHUP if nothing is said. Raises `SettingsError`."""
        settings.only("signal", "send", "spread")
        return cls(settings.path("signal"), SIGNALS[settings.choice("send", SIGNALS, "SIGHUP")])

    def remarks(self) -> tuple[str, ...]:
        """What would keep it from being told now."""
        try:
            handle, _ = self._found()
        except Failure as failure:
            return (failure.message,)
        if handle is not None:
            os.close(handle)
        return ()

    def tell(self, consumer: str, news: News) -> Heard:
        """Send it to exactly the process that wrote the pid file, or to none."""
        handle, process = self._found()
        try:
            if handle is not None:
                signal.pidfd_send_signal(handle, self._number)
            else:
                os.kill(process.pid, self._number)
        except ProcessLookupError:
            raise _not_running() from None
        except PermissionError:
            raise Denied(
                f"its process {process.pid} may not be signalled", permission="CAP_KILL, or its user"
            ) from None
        finally:
            if handle is not None:
                os.close(handle)
        return Heard()

    def _found(self) -> tuple[int | None, Process]:
        """The process, held by a descriptor where the system has that: what is looked at is what is signalled."""
        pid, started, written, owner = self._read()
        handle = _hold(pid)
        try:
            process = _look(pid)
            _refuse_another(process, started, written)
            if owner not in (0, os.geteuid(), process.uid):
                raise Transient("its pid file belongs to somebody else than its process", "let the process write it")
        except BaseException:
            if handle is not None:
                os.close(handle)
            raise
        return handle, process

    def _read(self) -> tuple[int, int | None, float, int]:
        """The pid, the start time if it is there, the file's age in seconds, and its owner."""
        try:
            descriptor = os.open(self._pid_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Transient(f"its pid file cannot be read: {error.strerror}", "is it running?") from None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(LONGEST_FILE) if stat.S_ISREG(status.st_mode) else b""
        if status.st_mode & stat.S_IWOTH:
            raise Transient("its pid file may be written by everybody", "chmod o-w it")
        words = text.split()
        if not 1 <= len(words) <= 2 or not all(word.isdigit() for word in words) or not 1 < int(words[0]) < 2**31:
            raise Transient("its pid file holds no pid", "one number, and the start time of /proc/PID/stat if you like")
        return int(words[0]), int(words[1]) if words[1:] else None, time.time() - status.st_mtime, status.st_uid


def _hold(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise _not_running() from None
    except OSError:
        return None  # a kernel without it, or a thread's id


def _look(pid: int) -> Process:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
        uid = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        raise _not_running() from None
    fields = text[text.rindex(b")") + 1 :].split()  # the name before it may hold blanks and brackets
    if fields[0] in (b"Z", b"X"):
        raise _not_running()
    return Process(pid=pid, started=int(fields[19]), uid=uid)


def _refuse_another(process: Process, started: int | None, written: float) -> None:
    """Raises `Transient` for a process that cannot have written the file."""
    if process.pid == os.getpid():
        raise Transient("its pid file names the rotator itself")
    if started is not None:
        another = process.started != started
    else:
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - process.started * TICK
        another = age + TICK + SLACK < written
    if another:
        message = f"the pid {process.pid} of its pid file is another process by now"
        raise Transient(message, "it is told when it has written its own")


def _not_running() -> Failure:
    return Transient("its process is not running", "it reads the new value when it starts")
