"""What a driver's process asks of its parent: a connection to a host, or the text that a reference stands for.

It can open no socket itself. The parent checks, resolves, connects and hands the connected socket over. Each question
brings its own way back along, so that many threads can ask at the same time.
"""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Callable
from typing import Any

MOST_BYTES = 1 << 16
"""Of a question or an answer."""
PATIENCE = 60.0
"""Seconds for a question without a timeout of its own."""
SLACK = 5.0
"""Seconds that the parent has beyond a timeout to say that it is over."""

_ERRORS: dict[str, Callable[[str], Exception]] = {
    "refused": ConnectionRefusedError,
    "timeout": TimeoutError,
    "unknown": lambda text: socket.gaierror(socket.EAI_NONAME, text),
    "denied": PermissionError,
    "unreachable": OSError,
}


class NotTold(Exception):
    """The parent did not resolve a reference; why, as it said."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Parent:
    """The other end of the channel for questions. Used by many threads."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def connect(
        self,
        address: tuple[str, int],
        timeout: Any = None,
        source_address: Any = None,
        socket_options: Any = None,
        **_: Any,
    ) -> socket.socket:
        """Stand in for `socket.create_connection`, with what urllib3 adds; a source address is not asked for.

        Raises what that would: `ConnectionRefusedError`, `TimeoutError`, `socket.gaierror`, and `PermissionError` for a
        host that is not allowed.
        """
        seconds = float(timeout) if isinstance(timeout, (int, float)) else None
        answer, handed = self._ask({"connect": [str(address[0]), int(address[1])], "seconds": seconds}, seconds)
        if not handed:
            raise _ERRORS.get(str(answer.get("error")), OSError)(str(answer.get("text", "")))
        connected = socket.socket(fileno=handed[0])
        connected.settimeout(seconds)
        for option in socket_options or ():
            connected.setsockopt(*option)
        return connected

    def resolve(self, reference: str) -> str:
        """The text that a reference in the driver's own settings stands for. Raises `NotTold`."""
        answer, _ = self._ask({"resolve": reference}, None)
        if not isinstance(answer.get("secret"), str):
            raise NotTold(str(answer.get("text", "the reference was not resolved")), str(answer.get("hint", "")))
        return str(answer["secret"])

    def _ask(self, question: dict[str, Any], seconds: float | None) -> tuple[dict[str, Any], list[int]]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                way_back = array.array("i", [theirs.fileno()])
                self._channel.sendmsg(
                    [json.dumps(question).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, way_back)]
                )
            ours.settimeout((PATIENCE if seconds is None else seconds) + SLACK)
            text, handed, _, _ = socket.recv_fds(ours, MOST_BYTES, 1)
        answer = json.loads(text) if text else {"error": "unreachable", "text": "the parent did not answer"}
        return answer, handed
