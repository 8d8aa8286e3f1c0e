"""Connections for drivers whose server does not speak HTTP: one TCP connection, TLS settings, one deadline for a call.

    host: db.internal
    port: 3306              # the protocol's own is the default
    tls: verify-full        # or `require`: encrypted, to anybody; `off`: in the clear
    ca: /etc/ssl/db-ca.pem  # else whom the machine trusts

The socket is made by `socket.create_connection` alone, which works in a process without sockets of its own.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.reach import Reach
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted

TLS: Mapping[str, bool | None] = {"verify-full": True, "require": False, "off": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpServer:
    """Where a server listens, and how long one call may take. `tls` is None for connections in the clear."""

    host: str
    port: int
    timeout: timedelta
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of(cls, given: Settings, port: int, timeout: timedelta) -> Self:
        """Read `host`, `port`, `tls` and `ca`. Raises `SettingsError`."""
        verified = given.choice("tls", TLS, "verify-full")
        authority = given.text("ca") if given.has("ca") else None
        if authority is not None and not verified:
            raise SettingsError("ca is there and nobody is verified", "write `tls: verify-full`, or leave ca out")
        tls = None if verified is None else _context(verified=verified, authority=authority)
        return cls(host=given.text("host"), port=given.whole("port", 1, port), timeout=timeout, tls=tls)

    @property
    def where(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"

    @property
    def proven(self) -> bool:
        """Whether we know whom we talk to."""
        return self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED

    def deadline(self) -> Deadline:
        """Of a call that begins now."""
        return Deadline(self.where, time.monotonic() + self.timeout.total_seconds())

    def connect(self, deadline: Deadline) -> socket.socket:
        """A connection without TLS yet. Raises `OSError`, `Transient`."""
        made = socket.create_connection((self.host, self.port), deadline.left())
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.settimeout(deadline.left())
        except BaseException:
            made.close()
            raise
        return made

    def encrypted(self, plain: socket.socket) -> socket.socket:
        """The connection under TLS, or as it is where TLS is off. Raises `OSError`; then it is closed."""
        if self.tls is None:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a call must be over, by the monotonic clock."""

    where: str
    at: float

    def left(self) -> float:
        """Seconds, more than 0. Raises `Transient` when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise Transient(f"{self.where} took too long")
        return left


def reach_of(settings: Mapping[str, Any], port: int) -> Reach:
    """What `TcpServer.of` needs with these settings: its host, and the file of `ca`. Raises `SettingsError`."""
    given = Settings(settings)
    paths = (str(given.path("ca")),) if given.has("ca") else ()
    return Reach(hosts=(f"{given.text('host')}:{given.whole('port', 1, port)}",), paths=paths)


def failure_of_network(error: BaseException, where: str) -> Failure:
    """What happened when it was not the server that spoke; causes and contexts of the error are looked through."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, Failure):
            return each
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        hint = "name the authority's file in ca, and as host what the certificate is for"
        return Denied(f"the certificate of {where} is not trusted", hint, permission="TLS")
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return Transient(f"TLS with {where} failed", "see that it offers TLS; `tls: off` only where nobody listens")
    if any(isinstance(each, TimeoutError) for each in chain):
        return Transient(f"{where} did not answer in time")
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return Transient(f"nobody listens at {where}", "check host and port")
    if any(isinstance(each, socket.gaierror) for each in chain):
        return Transient(f"{where} has no address", "check host")
    return Transient(f"the connection to {where} broke")


def _context(*, verified: bool, authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ValueError):  # the text of neither is for people
        raise SettingsError(f"ca: {quoted(authority)} has no certificates", "name a file in PEM form") from None
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
