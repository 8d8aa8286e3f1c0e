"""A driver that means harm with what it says to its parent, in frames and questions. Never installed.

`identify` does what the settings' `attempt` names; `keys` answers, so that one sees whether things go on.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.domain.failures import JournalOlder
from rotator.sdk import Denied, Key, Minted, MintRequest, Permanent, Principal, Reach, Secret, SettingsError, Transient


class Hostile:
    """As much of a `Provider` as the attempts need."""

    def __init__(self, settings: Mapping[str, Any], admin: str) -> None:
        self._settings = settings
        self._admin = admin

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Hostile:
        if settings.get("attempt") == "refuse to be made":
            raise SettingsError(f"{admin} is no credential\x1b[2J", f"not {admin.upper()} and not {admin}")
        return cls(settings, admin)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        return Reach(hosts=tuple(settings.get("hosts", ())), paths=tuple(settings.get("paths", ())))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        return Minted(key_id="k1", value=Secret({"secret": "made-by-nobody"}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        time.sleep(float(self._settings.get("slowly", 0)))
        return ()

    def identify(self, principal: Principal, value: Secret) -> str | None:
        return ATTEMPTS[str(self._settings["attempt"])](self, self._settings.get("target"))

    def check_admin(self, principal: Principal) -> None:
        """Nothing."""

    # -- what it says ------------------------------------------------------------------------------------------------

    def tell_environment(self, _: object) -> str:
        return ",".join(sorted(os.environ))

    def tell_process(self, _: object) -> str:
        return str(os.getpid())

    def stop_itself(self, _: object) -> str:
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return "went on"

    def answer_what_nobody_asked(self, _: object) -> str:
        frames = _channel("frames")
        while True:
            frames.sendall(b'{"id": 1000000, "returned": [' + b"0," * 10_000 + b"0]}\n")

    def break_with_a_name_that_clears_the_screen(self, _: object) -> str:
        raise type("\x1b[2J\nall is well", (Exception,), {})

    def say_that_the_journal_is_old(self, _: object) -> str:
        raise JournalOlder("stop everything")

    def tell_the_credential_as_a_permission(self, _: object) -> str:
        raise Denied("no", permission=f"api.{self._admin}.write")

    def tell_the_credential_at_the_end(self, _: object) -> str:
        raise Permanent("x" * 980 + self._admin)

    def ask_for_a_host_that_is_the_credential(self, _: object) -> str:
        with suppress(OSError):
            socket.create_connection((f"{self._admin}.example\n", 443), 1)
        raise Transient("no connection")

    # -- what it asks ------------------------------------------------------------------------------------------------

    def ask_by_way_of_a_file(self, target: list[Any]) -> str:
        with Path("/dev/null").open("rb") as file:
            for text in (b"{}", b"", json.dumps({"connect": target}).encode()):
                socket.send_fds(_channel("asks"), [text], [file.fileno()])
        return _connected(target)

    def ask_nothing(self, target: list[Any]) -> str:
        _ask(b"")
        return _connected(target)

    def ask_by_a_way_that_is_full(self, target: list[Any]) -> str:
        """And held by nobody but the parent, so that not even the end of this process empties it."""
        for _ in range(20):
            ends = socket.socketpair()
            for each in ends:
                each.setblocking(False)
                with suppress(BlockingIOError):
                    while True:
                        each.send(b"x" * 65536)
            for each in ends:
                each.setblocking(True)
                socket.send_fds(_channel("asks"), [b'{"connect": ["nowhere.example", 1]}'], [each.fileno()])
            for each in ends:
                each.close()
        return _connected(target)

    def ask_without_end(self, target: list[Any]) -> str:
        """For what takes long; each question brings a descriptor into the parent."""
        deadline = time.monotonic() + 3
        question = json.dumps({"connect": target, "seconds": 1e308}).encode()
        _channel("asks").settimeout(0.1)
        while time.monotonic() < deadline:
            with suppress(OSError):
                _ask(question)
        return "asked"


def _channel(name: str) -> socket.socket:
    return socket.socket(fileno=os.dup(json.loads(sys.argv[1])[name]))


def _ask(question: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, _channel("asks") as channel:
        channel.settimeout(0.1)
        socket.send_fds(channel, [question], [theirs.fileno()])
        channel.settimeout(None)


def _connected(target: list[Any]) -> str:
    with socket.create_connection((target[0], target[1]), 5):
        return "connected"


ATTEMPTS: Mapping[str, Callable[[Hostile, Any], str]] = {
    name: each
    for name, each in vars(Hostile).items()
    if name.split("_")[0] in ("tell", "stop", "answer", "break", "say", "ask")
}
