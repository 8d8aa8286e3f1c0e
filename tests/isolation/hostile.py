"""A driver that means harm. `identify` makes the attempt that its settings name, and tells what came of it.

It is never installed: `tests.isolation.strangers` makes a distribution of its source. Level `off` shows that an attempt
works where nothing keeps it from working; what can only be tried in a child is in `test_misbehaviour`.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.sdk import (
    OVERLAP,
    Ambiguous,
    Capabilities,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Principal,
    Probe,
    Reach,
    Secret,
    Transient,
    Verdict,
)

TARGET = "target"
SECRET = "what nobody else may read"
_libc = ctypes.CDLL(None, use_errno=True)


class Hostile:
    """A `Provider` with one attempt in it."""

    def __init__(self, settings: Mapping[str, Any], admin: str) -> None:
        self._settings = settings
        self._admin = admin

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Hostile:
        if settings.get("attempt") == "end while it is made":
            os._exit(3)
        return cls(settings, admin)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        return Reach(hosts=tuple(settings.get("hosts", ())), paths=tuple(settings.get("paths", ())))

    def capabilities(self, principal: Principal) -> Capabilities:
        url = self._settings.get("probe")
        return Capabilities(strategy=OVERLAP, probe=Probe(url=str(url)) if url else None)

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        MISBEHAVIOURS[str(self._settings["attempt"])](self._settings)
        return Minted(key_id="k1", value=Secret({"secret": "made-by-nobody"}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        MISBEHAVIOURS[str(self._settings["attempt"])](self._settings)
        return ()

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        raise Transient(f"{self._admin} and {value.reveal('secret')} are what I was told")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        try:
            told = ATTEMPTS[str(self._settings["attempt"])](self._settings.get(TARGET))
        except Exception as error:  # noqa: BLE001 - whatever kept it from working
            return f"failed: {type(error).__name__}"
        return f"worked: {told}"

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        raise Ambiguous("this is not for me to say")

    def check_admin(self, principal: Principal) -> None:
        """Nothing."""


# -- what it reads and writes ------------------------------------------------------------------------------------------


def read_environment(pid: int) -> str:
    found = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return SECRET if SECRET in found else "nothing of interest"


def read_memory(target: list[int]) -> str:
    pid, address, length = target
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(length).decode()


def read_memory_by_call(target: list[int]) -> str:
    pid, address, length = target

    class Span(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here = ctypes.create_string_buffer(length)
    local, remote = Span(ctypes.addressof(here), length), Span(address, length)
    read = _libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if read != length:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
    return here.value.decode()


def read_journal(path: str) -> str:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
        return str(journal.execute("select secret from journal").fetchone()[0])


def read_pipe(target: list[int]) -> str:
    pid, descriptor = target
    opened = os.open(f"/proc/{pid}/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK)
    return os.read(opened, 100).decode()


def take_descriptor(target: list[int]) -> str:
    pid, descriptor = target
    process = os.pidfd_open(pid)
    taken = _libc.syscall(ctypes.c_long(438), process, descriptor, 0)  # pidfd_getfd
    if taken < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return os.read(taken, 100).decode()


def write_file(path: str) -> str:
    Path(path).write_text("written by a driver")
    return Path(path).read_text()


def fill_a_file_in_memory(_: object) -> str:
    with os.fdopen(os.memfd_create("held"), "wb", buffering=0) as file:
        left = memoryview(bytes(2 << 20))
        while left:
            left = left[file.write(left) :]
    return "two megabytes"


def change_mode(path: str) -> str:
    Path(path).chmod(0o666)
    return oct(stat.S_IMODE(Path(path).stat().st_mode))


def delete_file(path: str) -> str:
    Path(path).unlink()
    return "gone"


# -- what it starts ----------------------------------------------------------------------------------------------------


def fork(_: object) -> str:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "forked"


def run_program(_: object) -> str:
    done = subprocess.run([sys.executable, "-c", "print('ran')"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def become_program(_: object) -> str:
    """In a child of a fork, so that the process itself survives a success."""
    outcome, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(tells, 1)
        os.execv("/bin/sh", ["/bin/sh", "-c", "echo became"])  # noqa: S606
    os.waitpid(child, 0)
    return os.read(outcome, 100).decode().strip()


def trace(pid: int) -> str:
    attach, detach = 16, 17
    if _libc.ptrace(attach, pid, 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    _libc.ptrace(detach, pid, 0, 0)
    return "traced"


def send_signal(pid: int) -> str:
    os.kill(pid, 0)
    return "reached"


def be_traceable_again(_: object) -> str:
    if _libc.prctl(4, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    return "dumpable"


def outlive_the_parent(_: object) -> str:
    if _libc.prctl(1, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    return "freed"


# -- whom it tells -----------------------------------------------------------------------------------------------------


def connect(target: list[Any]) -> str:
    with socket.create_connection((target[0], target[1]), 5) as connection:
        connection.sendall(SECRET.encode())
    return "told"


def connect_by_itself(target: list[Any]) -> str:
    with socket.socket() as connection:
        connection.settimeout(5)
        connection.connect((target[0], target[1]))
        connection.sendall(SECRET.encode())
    return "told"


def reconnect_what_was_handed_over(target: list[Any]) -> str:
    """Leave an allowed connection and take its socket elsewhere: connect(2) with AF_UNSPEC, then again."""
    allowed, other = target
    with socket.create_connection(tuple(allowed), 5) as connection:
        if _libc.connect(connection.fileno(), bytes(16), 16):
            raise OSError(ctypes.get_errno(), "connect")
        connection.connect(tuple(other))
        connection.sendall(SECRET.encode())
    return "told"


def open_while_sending(target: list[Any]) -> str:
    """MSG_FASTOPEN connects without connect(2), once the socket is free."""
    allowed, other = target
    with socket.create_connection(tuple(allowed), 5) as connection:
        connection.settimeout(None)
        _libc.connect(connection.fileno(), bytes(16), 16)
        connection.sendto(SECRET.encode(), 0x20000000, tuple(other))
    return "told"


def send_datagram(target: list[Any]) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.sendto(SECRET.encode(), tuple(target))
    return "told"


def look_up(name: str) -> str:
    return str(socket.getaddrinfo(name, 443)[0][4][0])


def connect_to_unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(SECRET.encode())
    return "told"


def listen(_: object) -> str:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        connection.listen()
        return "listens"


ATTEMPTS: Mapping[str, Callable[[Any], str]] = {
    each.__name__: each
    for each in (
        read_environment, read_memory, read_memory_by_call, read_journal, read_pipe, take_descriptor, write_file,
        fill_a_file_in_memory, change_mode, delete_file, fork, run_program, become_program, trace, send_signal,
        be_traceable_again, outlive_the_parent, connect, connect_by_itself, reconnect_what_was_handed_over,
        open_while_sending, send_datagram, look_up, connect_to_unix, listen,
    )
}  # fmt: skip


# -- how it behaves towards its parent ---------------------------------------------------------------------------------


def _its_channels() -> list[int]:
    return [each for each in range(3, 1024) if _is_socket(each)]


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _write_to_all(data: bytes, times: int = 1) -> None:
    for descriptor in _its_channels():
        for _ in range(times):
            try:
                os.write(descriptor, data)
            except OSError:
                break


def die(_: Mapping[str, Any]) -> None:
    os._exit(7)


def hang(_: Mapping[str, Any]) -> None:
    time.sleep(3600)


def spin(_: Mapping[str, Any]) -> None:
    while True:
        pass


def say_rubbish(_: Mapping[str, Any]) -> None:
    _write_to_all(b"this is no frame\n")
    time.sleep(3600)


def say_too_much(_: Mapping[str, Any]) -> None:
    _write_to_all(b'{"id": 1, "returned": "' + b"x" * (20 * 1024 * 1024) + b'"}\n')
    time.sleep(3600)


def never_end(_: Mapping[str, Any]) -> None:
    _write_to_all(b"x" * 65536, times=4096)
    time.sleep(3600)


def eat_memory(_: Mapping[str, Any]) -> None:
    held = []
    while True:
        held.append(bytearray(64 * 1024 * 1024))


def answer_for_others(_: Mapping[str, Any]) -> None:
    """An answer to each call that there might be, in the hope that one is believed."""
    for number in range(1, 50):
        _write_to_all(b'{"id": %d, "returned": {"key_id": "not a key"}}\n' % number)


def break_down(_: Mapping[str, Any]) -> None:
    raise KeyError(SECRET)


MISBEHAVIOURS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    each.__name__: each
    for each in (die, hang, spin, say_rubbish, say_too_much, never_end, eat_memory, answer_for_others, break_down)
}
