"""One driver's process: started, spoken to, answered, ended. What it says is data, bounded and read strictly."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from rotator.adapters.isolation.egress import Hosts, Refused
from rotator.child.asking import MOST_BYTES
from rotator.child.wire import BrokenFrame, frames, write

START = 20.0
"""Seconds within which a process must say that it is there; a busy machine is no defect of a driver."""
QUESTIONS = 16
"""Of one process that are answered at the same time."""

LIBRARIES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem", "/etc/pki/tls/certs", "/etc/pki/tls/openssl.cnf", "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted", "/etc/ca-certificates", "/etc/crypto-policies",
    "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo", "/etc/localtime",
    "/dev/urandom", "/dev/null",
)  # fmt: skip
"""Where systems keep what a Python needs besides itself: libraries, certificates and never their keys, time zones."""

Resolve = Callable[[str], str]


class NotStarted(Exception):
    """There is no process: why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Gone(Exception):
    """The process ended, or said something that nobody can read, before it answered this call."""


class Overdue(Exception):
    """No answer within the time that the call had."""


class NotResolved(Exception):
    """A reference cannot be resolved; why, for the driver's failure."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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
        self.hosts = hosts
        self._resolve = resolve
        self._ids = count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._state = threading.Lock()
        self._sending = threading.Lock()
        self.ended = False
        self.refused: str = ""  # the last connection that was not allowed, for who explains a failure
        ours, theirs = socket.socketpair()
        asked, asks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, asks:
            self._process = _starter().start(_command(launch, theirs, asks), launch, (theirs.fileno(), asks.fileno()))
        self._frames, self._asked = ours, asked
        self._answering = ThreadPoolExecutor(QUESTIONS, thread_name_prefix="question")
        self._hello: Future[str] = Future()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._hear, daemon=True).start()
        self._greet()

    def _greet(self) -> None:
        try:
            why = self._hello.result(START)
        except (TimeoutError, Gone):
            why = "it did not start"
        if why:
            self.end()
            hint = "`rotator doctor` says what is possible here"
            raise NotStarted(f"the driver's process cannot be started: {why}", hint)

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return bool(self._waiting)

    def call(self, name: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
        """The frame that answers. Raises `Gone`, `Overdue`."""
        number = next(self._ids)
        line = write({"id": number, "call": name, "with": list(arguments)})
        answer: Future[dict[str, Any]] = Future()
        with self._state:
            if self.ended:
                raise Gone
            self._waiting[number] = answer
        try:
            with self._sending:
                self._frames.sendall(line)
            return answer.result(seconds)
        except TimeoutError:
            raise Overdue from None
        except OSError:
            raise Gone from None
        finally:
            with self._state:
                self._waiting.pop(number, None)

    def end(self) -> None:
        """Kill it. Twice: nothing more."""
        with self._state:
            first, self.ended = not self.ended, True
            waiting = list(self._waiting.values())
        for answer in waiting:
            if not answer.done():
                with suppress(Exception):
                    answer.set_exception(Gone())
        if not self._hello.done():
            with suppress(Exception):
                self._hello.set_exception(Gone())
        if first:
            self._process.kill()
            self._process.wait()
            for each in (self._frames, self._asked):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self._answering.shutdown(wait=False, cancel_futures=True)

    # -- what comes --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            for frame in frames(self._frames):
                self._take(frame)
        except (BrokenFrame, OSError):
            pass
        self.end()

    def _take(self, frame: dict[str, Any]) -> None:
        if not self._hello.done():
            self._hello.set_result(str(frame.get("hello", "it said something else first"))[:200])
            return
        number = frame.pop("id", None)
        with self._state:
            answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(frame)

    def _hear(self) -> None:
        while True:
            try:
                text, handed, _, _ = socket.recv_fds(self._asked, MOST_BYTES, 1)
            except OSError:
                return
            if not text:
                return
            if len(handed) == 1:
                with suppress(RuntimeError):  # ended meanwhile
                    self._answering.submit(self._answer, text, socket.socket(fileno=handed[0]))

    def _answer(self, text: bytes, way_back: socket.socket) -> None:
        with way_back, suppress(OSError):
            try:
                question = json.loads(text)
            except (ValueError, RecursionError):
                return
            if isinstance(question, dict) and "connect" in question:
                self._connect(question, way_back)
            elif isinstance(question, dict) and "resolve" in question:
                self._tell(question["resolve"], way_back)

    def _connect(self, question: dict[str, Any], way_back: socket.socket) -> None:
        try:
            name, port = question["connect"]
            seconds = question.get("seconds")
            connected = self.hosts.connect(str(name)[:300], int(port), float(seconds) if seconds else START)
        except Exception as error:  # noqa: BLE001 - whatever a driver asks, it gets an answer and the parent goes on
            kind, why = _kind(error)
            if kind == "denied":
                self.refused = why
            way_back.sendall(json.dumps({"error": kind, "text": why}).encode())
            return
        with connected:
            socket.send_fds(way_back, [b"{}"], [connected.fileno()])

    def _tell(self, reference: Any, way_back: socket.socket) -> None:
        try:
            if self._resolve is None or not isinstance(reference, str):
                raise NotResolved("a provider's driver has no references to resolve", "")
            answer = {"secret": self._resolve(reference)}
        except NotResolved as error:
            answer = {"text": error.message, "hint": error.hint}
        way_back.sendall(json.dumps(answer).encode())


def _kind(error: Exception) -> tuple[str, str]:
    """What went wrong in a word for the child, and a line of text."""
    if isinstance(error, Refused):
        return "denied", str(error)
    for kind, type_ in (("refused", ConnectionRefusedError), ("timeout", TimeoutError), ("unknown", socket.gaierror)):
        if isinstance(error, type_):
            return kind, kind
    return "unreachable", type(error).__name__


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
                started.set_result(make())
            except OSError as error:
                started.set_exception(NotStarted(f"no process can be started: {os.strerror(error.errno or 0)}"))


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
