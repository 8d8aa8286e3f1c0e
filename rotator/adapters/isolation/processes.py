"""One driver's process: started, spoken to, answered, ended. What it says is data, bounded and read strictly."""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from rotator.adapters.isolation.egress import Hosts
from rotator.adapters.isolation.questions import Questions, Resolve
from rotator.adapters.processors import anywhere
from rotator.child.wire import BrokenFrame, frames, write
from rotator.domain.scalars import line

START = 20.0
"""Seconds within which a process must say that it is there; a busy machine is no defect of a driver."""
LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem", "/etc/pki/tls/certs", "/etc/pki/tls/openssl.cnf", "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted", "/etc/ca-certificates", "/etc/crypto-policies",
    "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo", "/etc/localtime",
    "/dev/urandom", "/dev/null",
)  # fmt: skip
"""Where systems keep what a Python needs besides itself: libraries, certificates and never their keys, time zones."""


class NotStarted(Exception):
    """There is no process: why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Gone(Exception):
    """The process ended, or said something that nobody can read, before it answered this call."""


class Unsent(Gone):
    """The process ended before it had got this call: nothing was done."""


class Overdue(Exception):
    """No answer within the time that the call had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a process is started with. No secret.

    `path`: folders with the code it may import; `readable`: what else it may read; `bytecode`: where compiled code is,
    never beside the sources; `variables`: its whole environment.
    """

    path: tuple[str, ...]
    readable: tuple[str, ...]
    bytecode: str
    confine: bool
    variables: Mapping[str, str] = field(default_factory=dict)


def machine_paths() -> tuple[str, ...]:
    """What any Python needs to read: itself, the system's libraries, certificates, time zones."""
    import ssl
    import sysconfig

    trusted = ssl.get_default_verify_paths()
    paths = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        *LIBRARIES,
        str(Path(sys.base_prefix) / "lib"),
        *(each for each in (trusted.cafile, trusted.capath, trusted.openssl_cafile, trusted.openssl_capath) if each),
    ]
    return tuple(dict.fromkeys(paths))


class DriverProcess:
    """One process. Used by many threads; what ends it ends every call under way with `Gone`."""

    def __init__(self, launch: Launch, hosts: Hosts, resolve: Resolve | None) -> None:
        """Start it and wait until it is confined. Raises `NotStarted`."""
        self._ids = count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._given_up: set[int] = set()
        self._state = threading.Lock()
        self._sending = threading.Lock()
        self.ended = False
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as undone:
            undone.enter_context(ours)
            asked, asks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undone.enter_context(asked)
            with asks:
                kept = (theirs.fileno(), asks.fileno())
                self._process = _starter().start(_command(launch, theirs, asks), launch, kept)
            undone.pop_all()
        self._frames, self.questions = ours, Questions(asked, hosts, resolve)
        self._hello: Future[str] = Future()
        self._greet()

    def _greet(self) -> None:
        try:
            for each in (self._read, self.questions.hear):
                threading.Thread(target=each, daemon=True).start()
            why = self._hello.result(START)
        except (TimeoutError, Gone):
            why = "it did not start"
        except RuntimeError:
            why = "there can be no more threads"
        if why:
            self.end()
            hint = "`rotator doctor` says what is possible here"
            raise NotStarted(f"the driver's process cannot be started: {why}", hint)

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return bool(self._waiting)

    def call(self, name: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
        """The frame that answers. Raises `Gone`, `Unsent`, `Overdue`."""
        number, deadline = next(self._ids), time.monotonic() + seconds
        text = write({"id": number, "call": name, "with": list(arguments)})
        answer: Future[dict[str, Any]] = Future()
        with self._state:
            if self.ended:
                raise Unsent
            self._waiting[number] = answer
        try:
            self._send(text, deadline)
            return answer.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            self._given_up.add(number)
            raise Overdue from None
        finally:
            with self._state:
                self._waiting.pop(number, None)

    def _send(self, text: bytes, deadline: float) -> None:
        """All of it, to a process that may not be listening. Raises `Unsent`, `TimeoutError`."""
        if not self._sending.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        try:
            rest = memoryview(text)
            while rest:
                try:
                    rest = rest[self._frames.send(rest, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    self._wait_to_send(deadline)
        except (OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                self.end()  # half a frame is there, and nothing can follow it
                raise
            raise Unsent from None
        finally:
            self._sending.release()

    def _wait_to_send(self, deadline: float) -> None:
        waiting = select.poll()
        waiting.register(self._frames, select.POLLOUT)
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError

    def end(self, *, if_idle: bool = False) -> None:
        """Kill it; `if_idle`: unless calls are under way. Twice: nothing more."""
        with self._state:
            waiting = list(self._waiting.values())
            if if_idle and waiting:
                return
            first, self.ended = not self.ended, True
        for answer in waiting:
            with suppress(InvalidStateError):  # the answer came at this moment
                answer.set_exception(Gone())
        with suppress(InvalidStateError):
            self._hello.set_exception(Gone())
        if first:
            self._process.kill()
            self._process.wait()
            for each in (self._frames, self.questions.channel):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    # -- what comes --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            for frame in frames(self._frames):
                self._take(frame)
        except (BrokenFrame, OSError):
            pass
        finally:
            self.end()

    def _take(self, frame: dict[str, Any]) -> None:
        """Raises `BrokenFrame` for an answer that nobody waits for: reading more of them would keep us busy."""
        if not self._hello.done():
            self._hello.set_result(line(str(frame.get("hello", "it said something else first"))[:200], "hello"))
            return
        number = frame.pop("id", None)
        if type(number) is not int:
            raise BrokenFrame("an answer to no call")
        with self._state:
            answer = self._waiting.pop(number, None)
        if answer is not None:
            with suppress(InvalidStateError):  # it ended at the same time
                answer.set_result(frame)
        elif number in self._given_up:
            self._given_up.discard(number)
        else:
            raise BrokenFrame("an answer to no call")


# -- starting ----------------------------------------------------------------------------------------------------------


def _command(launch: Launch, frames_: socket.socket, asks: socket.socket) -> list[str]:
    told = {
        "path": launch.path,
        "readable": [*machine_paths(), *launch.readable, launch.bytecode],
        "confine": launch.confine,
        "frames": frames_.fileno(),
        "asks": asks.fileno(),
    }
    main = str(Path(launch.path[0]) / "rotator" / "child" / "__main__.py")
    return [sys.executable, "-I", "-S", "-B", "-X", f"pycache_prefix={launch.bytecode}", main, json.dumps(told)]


class _Starter:
    """Starts every process, because a child dies with the *thread* that started it (PR_SET_PDEATHSIG, prctl(2))."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._wanted = queue.SimpleQueue()
        threading.Thread(target=self._run, name="starter", daemon=True).start()

    def start(self, command: list[str], launch: Launch, kept: tuple[int, ...]) -> subprocess.Popen[bytes]:
        """One process, with nothing of ours but these descriptors. Raises `NotStarted`."""
        started: Future[subprocess.Popen[bytes]] = Future()
        self._wanted.put((lambda: _popen(command, launch, kept), started))
        return started.result()

    def _run(self) -> None:
        while True:
            make, started = self._wanted.get()
            try:
                with anywhere():
                    process = make()
                started.set_result(process)
            except OSError as error:
                started.set_exception(NotStarted(f"no process can be started: {os.strerror(error.errno or 0)}"))
            except Exception as error:  # noqa: BLE001 - without this thread nothing would start any more
                started.set_exception(NotStarted(f"no process can be started: {type(error).__name__}"))


def _popen(command: list[str], launch: Launch, kept: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # it may hold what nobody redacted
        env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", **launch.variables},
        cwd="/",
        pass_fds=kept,
        start_new_session=True,  # Ctrl-C is the parent's to handle
    )


@cache
def _starter() -> _Starter:
    return _Starter()
