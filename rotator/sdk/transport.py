"""One HTTP exchange: sent once and never again, bounded in time and size, no redirect followed, no proxy asked.

A process has one pool manager and one SSL context: a context for each connection costs 43 ms of processor time and half
a megabyte. The context trusts what the machine trusts, or the file that SSL_CERT_FILE names.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

from rotator.exchanges import Connection, Pool, TlsConnection, TlsPool

MOST_CONNECTIONS = 64
"""Kept to one host: as many as a process has threads."""
CHUNK = 65_536

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


class _Connection(Connection):
    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            why = _why(error)
        else:
            return
        raise _NotConnected(why)


class _TlsConnection(_Connection, TlsConnection):
    pass


class _Pool(Pool):
    ConnectionCls = _Connection


class _TlsPool(TlsPool):
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
