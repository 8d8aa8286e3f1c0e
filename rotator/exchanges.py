"""Connections of urllib3's over which a whole exchange is over in time, however its answer drips.

A socket by itself begins to wait anew with each byte that comes. Here each wait is told what is left: for connecting,
the handshake, sending, the head and the body of the answer. It takes no timer and no thread. To look up a name heeds no
time, and of a host's many addresses each may take all of it.
"""

from __future__ import annotations

import io
import time
from functools import partial
from http.client import HTTPResponse
from socket import socket
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

LEAST = 0.001
"""Seconds: a socket that may wait for none does not wait at all, and says something else than that it is late."""


def seconds_until(until: float) -> float:
    """How long one may wait, more than zero; `until`: by the monotonic clock. Raises `TimeoutError`."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Connection(HTTPConnection):
    """`timeout`: the seconds left of those that it was set to; over with it is the exchange, not a wait alone."""

    _until: float | None = None

    def __init__(self, *args: Any, silence: float | None = None, **more: Any) -> None:
        """`silence`: seconds of the exchange that may pass without a byte of the answer; None: all of them."""
        super().__init__(*args, **more)
        self._silence = silence

    @property
    def timeout(self) -> float | None:
        return None if self._until is None else max(self._until - time.monotonic(), LEAST)

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds

    def connect(self) -> None:
        """Raises `ConnectTimeoutError` also where the name was found too late: nothing is sent then."""
        super().connect()
        if self._until is not None and time.monotonic() >= self._until:
            raise ConnectTimeoutError(self, f"connected to {self.host} too late")

    def _new_conn(self) -> socket:
        made = super()._new_conn()
        made.settimeout(self.timeout)  # for the handshake
        return made

    def send(self, data: Any) -> None:
        if self.sock is not None and self._until is not None:
            self.sock.settimeout(seconds_until(self._until))
        super().send(data)  # all of it is one wait, also where it is encrypted

    def response_class(self, sock: socket, *args: Any, **more: Any) -> HTTPResponse:  # type: ignore[override]
        reading = _Reading(sock, self._until, self._silence)
        return HTTPResponse(reading, *args, **more)  # type: ignore[arg-type] # asked for a file alone


class TlsConnection(Connection, HTTPSConnection):
    """The same, encrypted."""


class Pool(HTTPConnectionPool):
    """Whose requests end in time; `timeout`, with a total: of a whole exchange."""

    ConnectionCls = Connection


class TlsPool(HTTPSConnectionPool):
    """The same, encrypted."""

    ConnectionCls = TlsConnection


def in_time(manager: PoolManager, *, silence: float | None = None) -> PoolManager:
    """The same manager, whose connections are such as these from now on; `silence` as with each of them."""
    pools: dict[str, Any] = {"http": partial(Pool, silence=silence), "https": partial(TlsPool, silence=silence)}
    manager.pool_classes_by_scheme = pools
    return manager


def arriving(sock: socket, until: float | None, silence: float | None = None) -> io.BufferedReader:
    """A file of what arrives until then, by the monotonic clock; reading raises `TimeoutError`."""
    return io.BufferedReader(_Arriving(sock, until, silence))


class _Reading:
    """A socket, as far as an answer is read from it."""

    def __init__(self, sock: socket, until: float | None, silence: float | None) -> None:
        self._arriving = partial(arriving, sock, until, silence)

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._arriving()


class _Arriving(io.RawIOBase):
    def __init__(self, sock: socket, until: float | None, silence: float | None) -> None:
        self._sock, self._until, self._silence = sock, until, silence
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = seconds_until(self._until)
            self._sock.settimeout(left if self._silence is None else min(left, self._silence))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
