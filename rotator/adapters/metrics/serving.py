"""A listener for scrapers: one small answer to one small question, and nobody can keep it from the next one.

Nothing is encrypted there and nobody is asked who he is, so it answers only who asks for this machine by an address or
by a name that was allowed: a page in somebody's browser that had its name point here is refused. As many connections
as `MOST` are heard at the same time; the oldest is hung up for one more, and each after `LONGEST` seconds.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from io import StringIO
from typing import IO, TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client.exposition import ThreadingWSGIServer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MOST = 16
LONGEST = 10.0
LOOK = 0.5
"""Seconds between two looks at which connections are to be hung up."""
PATIENCE = 1.0
"""For the thread of a connection that was hung up to end."""
PATH = "/metrics"
ALWAYS = frozenset({"localhost"})
Exposition = Callable[[str], tuple[str, bytes]]
HEADERS = [
    ("Server", "rotator"),  # else it says which Python runs
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]


class Listener:
    """Shows metrics at an address, from its making on. Raises `OSError` where the port cannot be had."""

    def __init__(self, address: str, port: int, hosts: Collection[str], exposition: Exposition) -> None:
        """`hosts`: names in lower case by which it may be asked, besides `localhost` and any address."""
        self._server = _Server(address, port)
        self._server.set_app(_Shown(ALWAYS | set(hosts), exposition))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(LOOK,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and hang up. Twice: nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up_all()
        self._thread.join()


class _Shown:
    """The application: GET of one path."""

    def __init__(self, hosts: Collection[str], exposition: Exposition) -> None:
        self._hosts = hosts
        self._exposition = exposition

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not _may_be_asked(environ.get("HTTP_HOST", ""), self._hosts):
            return _said(start_response, "421 Misdirected Request", "this name is not in metrics.hosts of the config")
        if environ["REQUEST_METHOD"] != "GET":
            return _said(start_response, "405 Method Not Allowed", "GET alone", ("Allow", "GET"))
        if environ.get("PATH_INFO") != PATH:
            return _said(start_response, "404 Not Found", f"there is {PATH} alone")
        content_type, text = self._exposition(environ.get("HTTP_ACCEPT", ""))
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(text))), *HEADERS])
        return [text]


def _said(start_response: StartResponse, status: str, line: str, *more: tuple[str, str]) -> list[bytes]:
    text = f"{line}\n".encode()
    plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    start_response(status, [*plain, *HEADERS, *more])
    return [text]


def _may_be_asked(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this machine. An address does: no page's name can be made to look like one."""
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.removesuffix(".") in names
    return True


class _Handler(WSGIRequestHandler):
    """One request of a connection. Whoever sends or takes slowly is ended; nobody hears of it."""

    timeout = LONGEST

    def log_message(self, *args: Any) -> None:
        """Nothing: a scrape is no event."""

    def get_stderr(self) -> IO[str]:
        """Where wsgiref would write a traceback when a client hangs up."""
        return StringIO()


class _Server(ThreadingWSGIServer):
    """Hears a bounded number of connections for a bounded time."""

    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._room = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}  # in the order in which they came
        WSGIServer.__init__(self, (address, port), _Handler)

    def server_bind(self) -> None:
        """As the standard library's, which besides asks who this address is: a name server may take its time."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, if there is one; for the newest the oldest makes room."""
        if not self._room.acquire(blocking=False):
            self._hang_up_oldest()
            if not self._room.acquire(timeout=PATIENCE):
                self.shutdown_request(request)
                return
        with self._lock:
            self._since[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._over(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Hear it to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._over(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients come and go."""

    def service_actions(self) -> None:
        """Hang up on who takes too long."""
        now = time.monotonic()
        with self._lock:
            slow = [request for request, since in self._since.items() if now - since > LONGEST]
        for request in slow:
            _hang_up(request)

    def hang_up_all(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            requests = list(self._since)
        for request in requests:
            _hang_up(request)

    def _hang_up_oldest(self) -> None:
        with self._lock:
            oldest = next(iter(self._since), None)
        if oldest is not None:
            _hang_up(oldest)

    def _over(self, request: Any) -> None:
        with self._lock:
            known = self._since.pop(request, None) is not None
        if known:
            self._room.release()


def _hang_up(request: socket.socket) -> None:
    """Its thread sees the end of the connection, and ends."""
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other end hung up first
