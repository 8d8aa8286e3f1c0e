"""A JSON API on loopback that stands in for somebody's: what it answers a subclass says, what goes wrong a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it arrived; `path` is in its segments, unquoted."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def line(self) -> str:
        """`GET /repos/a/b`, for people."""
        return f"{self.method} /{'/'.join(self.path)}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `content` instead of JSON where a test wants something else."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None

    def encoded(self) -> bytes:
        """As it is sent."""
        if self.content is not None:
            return self.content
        return b"" if self.body is None else json.dumps(self.body).encode()


def _parsed(content: bytes, kind: str) -> Any:
    if not content:
        return None
    return dict(parse_qsl(content.decode())) if "form" in kind else json.loads(content)


def _taken(faults: list[tuple[str, Reply]], asked: Asked) -> Reply | None:
    for fault in faults:
        if asked.line.startswith(fault[0]):
            faults.remove(fault)
            return fault[1]
    return None


def _instead(reply: Reply, other: Reply | None) -> Reply:
    return reply if other is None else other


class Listener(ThreadingHTTPServer):
    """As many may knock at once as a test has threads: who finds no place would wait a second and knock again."""

    daemon_threads = True
    request_queue_size = 128


class StandIn:
    """Listens from construction to `close`. One request at a time has its effect; its clock is the test's to move."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[tuple[str, Reply]] = []
        self.losing = 0  # so many answers get lost, their requests take effect
        self.lost = 0
        self.spoilt: list[tuple[str, Reply]] = []
        self.now = datetime(2026, 11, 25, 10, tzinfo=UTC)
        self._lock = threading.RLock()
        self._server = Listener(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def host(self) -> str:
        """Where it listens."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> Reply:
        """What it answers; a subclass's."""
        raise NotImplementedError

    def fail(self, start: str, reply: Reply, *, times: int = 1) -> None:
        """Answer the next requests whose line begins so with this instead, without an effect."""
        self.faults += [(start, reply)] * times

    def spoil(self, start: str, reply: Reply) -> None:
        """Do what the next request whose line begins so asks for, and answer this instead."""
        self.spoilt.append((start, reply))

    def advance(self, seconds: float) -> None:
        """Move its clock: what a driver that waits is given instead of `sleep`."""
        self.now += timedelta(seconds=seconds)

    def lines(self) -> list[str]:
        """The requests as they arrived."""
        return [each.line for each in self.asked]

    def close(self) -> None:
        """Stop to listen. May be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _respond(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            return _taken(self.faults, asked) or _instead(self.answer(asked), _taken(self.spoilt, asked))

    def _loses(self) -> bool:
        with self._lock:
            if not self.losing:
                return False
            self.losing -= 1
            self.lost += 1
            return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        respond, loses = self._respond, self._loses

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a body waits 40 ms for its head's acknowledgement

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(
                    method=self.command,
                    path=tuple(unquote(each) for each in parts.path.strip("/").split("/")),
                    query=dict(parse_qsl(parts.query)),
                    headers={name.lower(): text for name, text in self.headers.items()},
                    body=_parsed(content, self.headers.get("Content-Type") or ""),
                )
                reply = respond(asked)
                if loses():
                    self.close_connection = True
                    return
                content = reply.encoded()
                self.send_response(reply.status)
                typed = {"Content-Type": "application/json"} if reply.content is None and content else {}
                for name, text in {**typed, **reply.headers}.items():
                    self.send_header(name, text)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if reply.status != 204:
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """It keeps its own log."""

        return Handler
