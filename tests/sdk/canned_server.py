"""A server that answers each request with the next of its replies, whatever was asked, and keeps what it got."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

Reply = bytes | Callable[[socket.socket], None] | None
"""Bytes to send, something to do with the connection, or None: it is closed without an answer."""


def reply(status: int, body: Any = None, *, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer: a text as HTML, bytes as JSON just as they are, nothing as nothing, all else as JSON."""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    content = b"" if body is None else content
    kind = "text/html" if isinstance(body, str) else "application/json"
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def in_drops(at_once: bytes, line: bytes, rest: bytes, whole: list[bytes]) -> Callable[[socket.socket], None]:
    """Answer a line byte by byte, each of them long before a caller gives up that waits for one alone.

    `whole` gets the line when all of it was taken.
    """

    def answer(connection: socket.socket) -> None:
        connection.sendall(at_once)
        for each in line:
            time.sleep(0.02)
            connection.sendall(bytes([each]))
        whole.append(line)
        connection.sendall(rest)

    return answer


IN_DROPS = {
    "status": (b"", b"HTTP/1.1 201 " + b"x" * 200, b"\r\nContent-Length: 2\r\n\r\n{}"),
    "header": (b"HTTP/1.1 200 Fine\r\n", b"X-Long: " + b"x" * 200, b"\r\nContent-Length: 2\r\n\r\n{}"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 8, reply(201, {})),
    "chunk": (b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n2", b";" + b"x" * 200, b"\r\n{}\r\n0\r\n\r\n"),
    "body": (b"HTTP/1.1 200 Fine\r\nContent-Length: 202\r\n\r\n", b"{" + b" " * 200, b"}"),
}
"""What a server may let drip: what comes before, that, and the rest."""


@dataclass
class Got:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Canned:
    """Serves within its context. The last reply is given for ever."""

    replies: list[Reply]
    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._lock = threading.Lock()
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def settle(self) -> None:
        """Wait until every connection so far has ended."""
        for thread in self._threads[1:]:
            thread.join()

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError, ValueError):  # a ValueError: bytes that are no request, of TLS for example
            plain.settimeout(300)
            connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
            self._open.append(connection)  # wrapping took the plain one's descriptor
            with connection, connection.makefile("rb") as reading:
                while (line := reading.readline()).endswith(b"\r\n"):
                    method, target, _ = line.decode().split()
                    headers = dict(iter(lambda: _header(reading.readline()), ("", "")))
                    body = reading.read(int(headers.get("content-length", "0")))
                    if not self._answer(connection, Got(method, target, headers, body)):
                        return

    def _answer(self, connection: socket.socket, got: Got) -> bool:
        with self._lock:
            self.got.append(got)
            answer = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if answer is None:
            return False
        if callable(answer):
            answer(connection)
            return False
        connection.sendall(answer)
        return True


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").strip().partition(":")
    return name.lower(), value.strip()
