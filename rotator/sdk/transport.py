"""One HTTP exchange: sent once and never again, bounded in time and size, no redirect followed, no proxy asked.

A process has one pool manager and one SSL context: a context for each connection costs 43 ms of processor time and half
a megabyte. The context trusts what the machine trusts, or the file that SSL_CERT_FILE names.
"""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPResponse
from socket import socket
from typing import Any, Protocol

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

MOST_CONNECTIONS = 64
"""Kept to one host: as many as a process has threads."""
CHUNK = 65_536
LEAST = 0.001
"""Seconds: a socket that may wait for none does not wait at all, and says something else than that it is late."""

_making = threading.Lock()


class Unsent(Exception):
    """The request did not leave this machine, so nothing was done. The message names the host."""


class Lost(Exception):
    """The request may have arrived, and no whole answer came. The message names the host."""


class Address(Protocol):
    """Where to connect. `name` is the host as people know it."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def exchange(
    to: Address, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float, most: int
) -> Reply:
    """Send one request and read its answer of at most so many bytes.

    `seconds` bounds all of it, however the answer drips, but for looking up a name and for a host of many addresses,
    each of which may take so long; after that nothing is sent. Raises `Unsent`, `Lost`.
    """
    try:
        response = _pool(to).urlopen(
            method,
            target,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=Timeout(total=seconds),
            preload_content=False,
            decode_content=False,
        )
        return Reply(response.status, response.headers, _read(response, most, to.name))
    except HTTPError as error:
        problem = _problem(error, to.name)
    raise problem  # without urllib3's error, which may hold half an answer with a secret in it


def _read(response: BaseHTTPResponse, most: int, host: str) -> bytes:
    """The whole body; reading it to its end gives the connection back."""
    body = bytearray()
    try:
        while chunk := response.read1(CHUNK, decode_content=False):
            body += chunk
            if len(body) > most:
                raise Lost(f"{host} answered more than {most} bytes")
    except BaseException:
        response.close()  # what is left of the answer must not meet the connection's next user
        raise
    return bytes(body)


def _problem(error: HTTPError, host: str) -> Unsent | Lost:
    if isinstance(error, _NotConnected):
        return Unsent(f"{host} {error}")
    if isinstance(error, ReadTimeoutError):
        return Lost(f"{host} did not answer in time")
    return Lost(f"{host} broke the connection")


# -- connections -------------------------------------------------------------------------------------------------------


class _NotConnected(HTTPError):
    """While a connection is made nothing has been sent yet, whatever goes wrong."""


def _connect(connect: Callable[[], None], seconds: float | None) -> None:
    began = time.monotonic()
    try:
        connect()
    except (HTTPError, OSError) as error:
        why = _why(error)
    else:
        # looking up a name heeds no timeout, and a request must not be sent when its time is over
        if seconds is None or time.monotonic() - began <= seconds:
            return
        why = "did not accept a connection in time"
    raise _NotConnected(why)


def _why(error: Exception) -> str:
    if isinstance(error, NameResolutionError):
        return "has no address"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "shows a certificate that is not trusted"
    if isinstance(error, NewConnectionError):  # which to urllib3 is also a timeout
        return "refused the connection" if isinstance(error.__cause__, ConnectionRefusedError) else "cannot be reached"
    if isinstance(error, (ConnectTimeoutError, TimeoutError)):
        return "did not accept a connection in time"
    return "cannot be reached"


class _Connection(HTTPConnection):
    """`timeout`: the seconds left of those that it was set to; each wait is told them anew."""

    _until: float | None = None

    @property
    def timeout(self) -> float | None:
        return None if self._until is None else max(self._until - time.monotonic(), LEAST)

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds

    def connect(self) -> None:
        _connect(super().connect, self.timeout)

    def _new_conn(self) -> socket:
        made = super()._new_conn()
        made.settimeout(self.timeout)  # for the handshake, too
        return made

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        super().send(data)

    def response_class(self, sock: socket, *args: Any, **more: Any) -> HTTPResponse:  # type: ignore[override]
        return HTTPResponse(_Read(sock, self._until), *args, **more)  # type: ignore[arg-type] # asked for a file alone


class _TlsConnection(_Connection, HTTPSConnection):
    pass


@dataclass(frozen=True, slots=True)
class _Read:
    """A socket, as far as an answer is read from it."""

    sock: socket
    until: float | None

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Arriving(self.sock, self.until))


class _Arriving(io.RawIOBase):
    """What arrives until then; a socket by itself begins to wait anew with each byte."""

    def __init__(self, sock: socket, until: float | None) -> None:
        self._sock, self._until = sock, until
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _pool(to: Address) -> HTTPConnectionPool:
    with _making:
        trust = {"ssl_context": _trusted()} if to.scheme == "https" else None
        return _manager().connection_from_host(to.host, to.port, to.scheme, pool_kwargs=trust)


@cache
def _manager() -> PoolManager:
    manager = PoolManager(num_pools=MOST_CONNECTIONS, maxsize=MOST_CONNECTIONS)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
