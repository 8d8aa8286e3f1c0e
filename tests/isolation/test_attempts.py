"""What a hostile driver tries: at level `off` it succeeds, in the sandbox it fails, and nothing has changed."""

from __future__ import annotations

import ctypes
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.secret import Secret
from rotator.ports import Provider
from tests.isolation.children import ADMIN, SVC, Start, needs_sandbox
from tests.isolation.hostile import ATTEMPTS, SECRET
from tests.isolation.strangers import HOSTILE, found, install

VALUE = Secret({"secret": "value-of-a-key-0123"})


@dataclass
class Listener:
    """A socket of somebody that a driver should not talk to; `heard` is what it was told."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    address: Any
    heard: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Listener:
        self._socket = socket.socket(self.family, self.kind)
        self._socket.bind(self.address)
        if self.kind is socket.SOCK_STREAM:
            self._socket.listen()
        self.address = self._socket.getsockname()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        while True:
            try:
                if self.kind is socket.SOCK_DGRAM:
                    self.heard.append(self._socket.recv(1000))
                    continue
                connection, _ = self._socket.accept()
                with connection:
                    connection.settimeout(5)
                    self.heard.append(connection.recv(1000))
            except OSError:
                return

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR) if self.kind is socket.SOCK_STREAM else None
        self._socket.close()


@dataclass
class Scene:
    """Everything that there is to be read, changed and told."""

    folder: Path
    victim: int
    allowed: Listener
    other_port: Listener
    other_host: Listener
    datagrams: Listener
    unix: Listener
    pipe: tuple[int, int]
    memory: Any
    file: Path

    @property
    def strangers(self) -> tuple[Listener, ...]:
        return self.other_port, self.other_host, self.datagrams, self.unix

    def target(self, attempt: str) -> Any:
        """What an attempt is aimed at."""
        ours = [os.getpid(), ctypes.addressof(self.memory), len(SECRET)]
        handed = [list(self.allowed.address), list(self.other_port.address)]
        return {
            "read_environment": self.victim,
            "read_memory": ours,
            "read_memory_by_call": ours,
            "read_journal": str(self.folder / "rotator.db"),
            "read_pipe": [os.getpid(), self.pipe[0]],
            "take_descriptor": [os.getpid(), self.pipe[0]],
            "write_file": str(self.file),
            "change_mode": str(self.file),
            "delete_file": str(self.file),
            "trace": self.victim,
            "send_signal": self.victim,
            "connect": list(self.other_port.address),
            "connect_by_itself": list(self.other_host.address),
            "reconnect_what_was_handed_over": handed,
            "open_while_sending": handed,
            "send_datagram": list(self.datagrams.address),
            "look_up": "localhost",
            "connect_to_unix": self.unix.address,
        }.get(attempt)

    def settings(self, attempt: str) -> dict[str, Any]:
        host, port = self.allowed.address
        return {"attempt": attempt, "target": self.target(attempt), "hosts": [f"{host}:{port}"]}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # other tests may have made this process unreadable
    with ExitStack() as opened:
        victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"A_SECRET": SECRET})
        opened.callback(victim.wait)
        opened.callback(victim.kill)
        assert victim.stdin is not None
        opened.enter_context(victim.stdin)
        journal = sqlite3.connect(tmp_path / "rotator.db")
        journal.execute("create table journal (secret text)")
        journal.execute("insert into journal values (?)", (SECRET,))
        journal.commit()
        journal.close()
        pipe = os.pipe()
        for descriptor in pipe:
            opened.callback(os.close, descriptor)
        os.write(pipe[1], SECRET.encode())
        file = tmp_path / "somebody's"
        file.write_text("as it was")
        file.chmod(0o600)

        def listener(kind: socket.SocketKind, address: Any, family: socket.AddressFamily = socket.AF_INET) -> Listener:
            return opened.enter_context(Listener(family, kind, address))

        allowed = listener(socket.SOCK_STREAM, ("127.0.0.1", 0))
        yield Scene(
            folder=tmp_path,
            victim=victim.pid,
            allowed=allowed,
            other_port=listener(socket.SOCK_STREAM, ("127.0.0.1", 0)),
            other_host=listener(socket.SOCK_STREAM, ("127.0.0.2", allowed.address[1])),
            datagrams=listener(socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            unix=listener(socket.SOCK_STREAM, str(tmp_path / "socket"), socket.AF_UNIX),
            pipe=pipe,
            memory=ctypes.create_string_buffer(SECRET.encode()),
            file=file,
        )


@pytest.fixture
def hostile(strangers: Path) -> str:
    install(strangers, "hostile", {"hostile_driver.py": HOSTILE}, driver="hostile_driver:Hostile")
    return "hostile"


def tried(provider: Provider) -> str:
    """What came of the attempt, in the driver's words."""
    told = provider.identify(SVC, VALUE)
    assert told is not None
    return told


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forking beside threads, which is the driver's to answer for
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_at_level_off_the_attempt_works(attempt: str, scene: Scene, hostile: str) -> None:
    entry = found(hostile)
    kind = getattr(import_module(entry.module), entry.attr)
    driver: Provider = kind.from_settings(hostile, scene.settings(attempt), ADMIN, timedelta(seconds=5))
    told = tried(driver)
    assert told.startswith("worked: ")
    if attempt.startswith(("read_", "take_")):
        assert SECRET in told


@needs_sandbox
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_in_the_sandbox_the_attempt_fails(attempt: str, scene: Scene, hostile: str, start: Start) -> None:
    provider = start(hostile, scene.settings(attempt))
    assert tried(provider).startswith("failed: ")
    assert scene.file.read_text() == "as it was"
    assert scene.file.stat().st_mode & 0o777 == 0o600
    assert not [each.heard for each in scene.strangers if any(SECRET.encode() in text for text in each.heard)]
    provider.check_admin(SVC)  # it goes on


@needs_sandbox
def test_what_it_may_reach_it_reaches_so_the_refusals_mean_something(scene: Scene, hostile: str, start: Start) -> None:
    settings = {**scene.settings("connect"), "target": list(scene.allowed.address)}
    assert tried(start(hostile, settings)) == "worked: told"
    deadline = time.monotonic() + 60
    while not scene.allowed.heard and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [SECRET.encode()] == scene.allowed.heard


@needs_sandbox
def test_a_failure_shows_none_of_what_the_driver_was_told(scene: Scene, hostile: str, start: Start) -> None:
    from rotator.domain.failures import Transient

    provider = start(hostile, scene.settings("fork"))
    with pytest.raises(Transient) as caught:
        provider.verify(SVC, VALUE)
    assert caught.value.message == "<secret> and <secret> are what I was told"
