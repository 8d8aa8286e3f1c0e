"""A TCP proxy that loses what a network loses: the request, the answer to a request that took effect, or everything.

    with FaultProxy("127.0.0.1", server.port) as proxy:
        proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"POST /keys"))
        ...                        # the client talks to proxy.port
        assert proxy.fired == 1    # a fault that never happened proves nothing

Faults look at bytes, so they know no protocol; TLS would hide them. One thread a connection.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from types import TracebackType
from typing import TypeVar

CHUNK = 65536
# Seconds until a thread that waits for bytes looks whether the proxy was closed.
GLANCE = 0.2
CONNECT_SECONDS = 60.0
SEND_SECONDS = 10.0


class Kind(Enum):
    """What is lost."""

    RESET = auto()
    """The connection, by RST, before the request reaches the server: it has no effect."""
    BLACKHOLE = auto()
    """The request and every later byte, while the connection stays open: the client runs into its timeout."""
    DROP_RESPONSE = auto()
    """The answer, and then the connection by RST: the server has acted, the client cannot know."""
    HANG_RESPONSE = auto()
    """The answer and every later byte, while the connection stays open: acted, and the client times out."""


LOSES_THE_REQUEST = (Kind.RESET, Kind.BLACKHOLE)
LEAVES_THE_CALLER_WAITING = (Kind.BLACKHOLE, Kind.HANG_RESPONSE)
ENOUGH = 60.0
"""Seconds for a call on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is lost, when, and how often.

    It happens when the client has sent `request` since the server last answered; empty, it matches anything. Faults of
    the answer wait besides for `response` in it: where a protocol answers more than once before the effect, as
    PostgreSQL does, this names the answer that comes after it. `times` is `None` for ever.
    """

    kind: Kind
    request: bytes = b""
    response: bytes = b""
    times: int | None = 1


class FaultProxy:
    """Listens on `port` of loopback from construction to `close`, and forwards to one server."""

    def __init__(self, host: str, port: int) -> None:
        """Start to listen; the server is connected to for each connection."""
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(GLANCE)
        self.port: int = self._listener.getsockname()[1]
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._fired = 0
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    @property
    def fired(self) -> int:
        """How many faults have happened."""
        with self._lock:
            return self._fired

    def inject(self, *faults: Fault) -> None:
        """Replace the faults; none: everything passes. Connections in a black hole stay there."""
        with self._lock:
            self._faults = list(faults)

    def close(self) -> None:
        """Cut every connection and end every thread. May be called twice."""
        self.closed.set()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> FaultProxy:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def take(self, *, sent: bytes, answered: bytes | None) -> Fault | None:
        """The fault that happens now, used up by this call; `answered` is `None` while the client speaks."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                of_the_request = fault.kind in LOSES_THE_REQUEST
                if of_the_request != (answered is None) or fault.request not in sent:
                    continue
                if answered is not None and fault.response not in answered:
                    continue
                self._use_up(index, fault)
                return fault
        return None

    def _use_up(self, index: int, fault: Fault) -> None:
        self._fired += 1
        if fault.times == 1:
            del self._faults[index]
        elif fault.times is not None:
            self._faults[index] = Fault(
                kind=fault.kind, request=fault.request, response=fault.response, times=fault.times - 1
            )

    def _accept(self) -> None:
        while not self.closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server, CONNECT_SECONDS)
        except OSError:
            cut(client)
            return
        self._run(Link(self, client, server).forward)

    def _run(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()


T = TypeVar("T")


def met(host: str, port: int, fault: Fault, call: Callable[[FaultProxy, timedelta], T], *, shortest: float = 0.5) -> T:
    """What the call returns that has met the fault, which happens once: a second request would pass.

    A call that ends by its timeout gets `shortest` seconds, and ever more where it was over before the fault happened:
    a busy machine is nobody's defect. One that the fault itself ends has time enough at once.
    """
    growing = (shortest, 4 * shortest, 16 * shortest, ENOUGH)
    for seconds in growing if fault.kind in LEAVES_THE_CALLER_WAITING else (ENOUGH,):
        with FaultProxy(host, port) as proxy:
            proxy.inject(fault)
            returned = call(proxy, timedelta(seconds=seconds))
            if proxy.fired:
                assert proxy.fired == 1
                return returned
    raise AssertionError("the fault never happened")


class Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        """Both sockets are closed by `forward`."""
        self._proxy = proxy
        self._client = client
        self._server = server
        self._sent = b""
        self._answered = b""
        self._swallowing = False
        for side in (client, server):
            side.settimeout(SEND_SECONDS)
            # Without this a request in two small parts waits 40 ms for the acknowledgement of the first.
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def forward(self) -> None:
        """Until both sides have closed, a fault cuts the connection, or the proxy closes."""
        speaking = {self._client, self._server}
        try:
            while speaking and not self._proxy.closed.is_set():
                readable, _, _ = select.select(speaking, [], [], GLANCE)
                for side in readable:
                    if not self._pass_on(side):
                        speaking.discard(side)
        except OSError:
            pass  # one side is gone, which ends the other
        finally:
            cut(self._client)
            cut(self._server)

    def _pass_on(self, side: socket.socket) -> bool:
        """Whether this side may say more. Raises `ConnectionResetError` when a fault cuts the connection."""
        target = self._server if side is self._client else self._client
        data = side.recv(CHUNK)
        if not data:
            if not self._swallowing:
                target.shutdown(socket.SHUT_WR)
            return False
        fault = self._fault_of_request(data) if side is self._client else self._fault_of_response(data)
        if fault is not None and fault.kind in (Kind.RESET, Kind.DROP_RESPONSE):
            raise ConnectionResetError
        self._swallowing = self._swallowing or fault is not None
        if not self._swallowing:
            target.sendall(data)
        return True

    def _fault_of_request(self, data: bytes) -> Fault | None:
        before = b"" if self._answered else self._sent
        self._sent, self._answered = before + data, b""
        return self._proxy.take(sent=self._sent, answered=None)

    def _fault_of_response(self, data: bytes) -> Fault | None:
        self._answered += data
        return self._proxy.take(sent=self._sent, answered=self._answered)


def cut(side: socket.socket) -> None:
    """Close with RST, which throws away what was not yet read: the other end sees a broken connection."""
    with suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    side.close()
