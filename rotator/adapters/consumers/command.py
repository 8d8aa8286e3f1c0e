"""Telling by a command: an absolute path and its arguments, never a shell.

It gets the news on standard input and nothing of our environment; it and whatever it left behind in its process group
is ended afterwards. What it writes is read, bounded, and looked at for an acknowledgement alone.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

from rotator.adapters.consumers.news import body, identity
from rotator.adapters.consumers.settings import Settings, SettingsError
from rotator.adapters.processors import anywhere
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Permanent, Transient

LONGEST_ANSWER = 16_384
"""Bytes of its output that are kept; the rest is read and dropped, so that it need not wait for us."""
LONGEST_BODY = 65_536
"""Bytes that fit into a pipe nobody reads from."""
PIECE = 65_536
GLANCE = 0.02
"""Seconds between two looks whether it has ended."""


class Command:
    """One consumer's command."""

    def __init__(self, arguments: tuple[str, ...], timeout: timedelta) -> None:
        self._arguments = arguments
        self._timeout = timeout.total_seconds()

    @classmethod
    def from_settings(cls, settings: Settings, timeout: timedelta) -> Command:
        """`command`: a list, its program by absolute path; `timeout`. Raises `SettingsError`."""
        settings.only("command", "timeout", "spread")
        arguments = settings.texts("command")
        if not arguments[0].startswith("/"):
            raise SettingsError(
                "reload.command begins with no absolute path", "write [/usr/bin/systemctl, reload, app]"
            )
        return cls(arguments, settings.duration("timeout", timeout, timeout))

    def remarks(self) -> tuple[str, ...]:
        """Why it could not be run now."""
        wrong = _wrong_with(self._arguments[0])
        return () if wrong is None else (f"its command {wrong}",)

    def tell(self, consumer: str, news: News) -> Heard:
        """Run it once; exit status 0 in time means heard."""
        wrong = _wrong_with(self._arguments[0])
        if wrong is not None:
            raise Transient(f"its command {wrong}", "check the path and its permissions")
        content = body(consumer, news)
        if len(content) > LONGEST_BODY:
            raise Permanent("its command cannot be told of so many places", "give it a webhook")
        process = self._start(_environment(consumer, news))
        try:
            answer = self._listen(process, content)
        finally:
            _end(process)
        if process.returncode != 0:
            raise Transient(f"its command ended with status {process.returncode}")
        return Heard(answer.decode(errors="replace"))

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        try:
            with anywhere():
                return subprocess.Popen(
                    self._arguments,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            reason = error.strerror
        raise Transient(f"its command cannot be run: {reason}")

    def _listen(self, process: subprocess.Popen[bytes], content: bytes) -> bytes:
        """What it writes until it ends. Raises `Transient` when it does not in time."""
        until = time.monotonic() + self._timeout
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):  # it need not read
            os.set_blocking(process.stdin.fileno(), False)
            os.write(process.stdin.fileno(), content)
        process.stdin.close()
        os.set_blocking(process.stdout.fileno(), False)
        answer, more = b"", True
        while not _ended(process.pid):
            left = until - time.monotonic()
            if left <= 0:
                raise Transient(f"its command did not end within {self._timeout:g} s")
            if more:
                select.select([process.stdout], [], [], min(left, GLANCE))
                answer, more = _heard(process.stdout, answer)
            else:
                time.sleep(min(left, GLANCE))
        return _heard(process.stdout, answer)[0]


def _heard(stream: IO[bytes], answer: bytes) -> tuple[bytes, bool]:
    """The answer with the next piece of it, and whether there may be more."""
    try:
        piece = os.read(stream.fileno(), PIECE)
    except BlockingIOError:
        return answer, True
    return answer + piece[: LONGEST_ANSWER - len(answer)], bool(piece)


def _ended(pid: int) -> bool:
    """Whether it has ended; it stays unburied, so that its group's number is nobody else's yet."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and everything in its group, then bury it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _environment(consumer: str, news: News) -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "ROTATOR_EVENT": news.what.value,
        "ROTATOR_EVENT_ID": identity(consumer, news),
        "ROTATOR_CREDENTIAL": news.credential,
        "ROTATOR_ROTATION": news.rotation,
        "ROTATOR_CONSUMER": consumer,
    }


def _wrong_with(program: str) -> str | None:
    try:
        status = Path(program).stat()
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    if not stat.S_ISREG(status.st_mode) or not os.access(program, os.X_OK):
        return "is no program that may be run"
    return "may be changed by everybody" if status.st_mode & stat.S_IWOTH else None
