"""One login to PostgreSQL for one call, with one deadline for all that it does.

pg8000 is pure Python, so a child process without sockets of its own can use it; the socket is made here, by
`socket.create_connection` alone.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from pg8000.native import Connection

from rotator.sdk import Ambiguous, Denied, Failure, Transient

from .failures import CLIENT_ERRORS, Said, failure_of_network, failure_said, said
from .scram import Challenge, digest, is_plain, verifier

T = TypeVar("T")

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CLEAR_TEXT, MD5, SASL, SASL_CONTINUE = 3, 5, 10, 11
"""Kinds of AuthenticationRequest (PostgreSQL documentation, "Message Formats")."""

NEVER_COMMITTED = ("25P03", "25P04")
"""The server ended an idle transaction before it read what came next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where PostgreSQL itself listens (a pooler keeps old passwords), and how long one call may take.

    `tls` is None for connections in the clear.
    """

    host: str
    port: int
    database: str
    timeout: timedelta
    tls: ssl.SSLContext | None

    @property
    def where(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"

    @property
    def proven(self) -> bool:
        """Whether we know whom we talk to."""
        return self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED

    def session_settings(self) -> dict[str, str]:
        """What each session is opened with, so that roles and databases cannot decide otherwise.

        A client that is stopped in the middle of a transaction must not hold the role for longer than a call may take.
        """
        longest = max(2, int(self.timeout.total_seconds() * 1000))
        return {
            "statement_timeout": str(longest),
            "lock_timeout": str(longest // 2),
            "idle_in_transaction_session_timeout": str(longest),
            "search_path": "pg_catalog",
            "standard_conforming_strings": "on",
            "client_encoding": "UTF8",
            "DateStyle": "ISO",
            "TimeZone": "UTC",
        }


class Session:
    """A login that works. Made for one call, used by one thread, closed by its context."""

    def __init__(self, server: Server, user: str, password: str) -> None:
        """Log in. Raises `Said` when the server refuses, `Transient` and `Denied`."""
        self._server = server
        self._deadline = time.monotonic() + server.timeout.total_seconds()
        self._socket = self._attempt(self._connect)
        try:
            self._client: _Client = self._attempt(lambda: self._log_in(user, password))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Session:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; the server undoes a transaction that is open."""
        with suppress(*CLIENT_ERRORS):
            self._client.close()
        self._socket.close()

    @property
    def password_was_asked_for(self) -> bool:
        """False where pg_hba.conf lets this role in without one."""
        return self._client.asked

    def digest_of(self, password: str) -> str | None:
        """The digest of the verifier that the server stores, after this password was accepted; None if untold."""
        challenge = self._client.challenge
        if challenge is None or not is_plain(password):
            return None
        return digest(verifier(password, challenge))

    def run(self, statement: str) -> list[list[Any]]:
        """Send one statement and return its rows. Raises `Failure`; the transaction, if one is open, is then lost."""
        self._within_time()
        rows: list[list[Any]] | None = self._attempt(lambda: self._client.run(statement), failure_said)
        return rows or []

    def commit(self, lost: type[Ambiguous] | type[Transient]) -> None:
        """End the transaction. Raises `lost` when the answer did not come: it may have been committed or not."""
        self._within_time()
        try:
            self._client.run("COMMIT")
        except CLIENT_ERRORS as error:
            word = said(error)
        else:
            return
        if word is not None and (not word.fatal or word.code in NEVER_COMMITTED):
            raise failure_said(word)
        raise lost(f"{self._server.where} did not say whether it committed")

    def _within_time(self) -> None:
        self._socket.settimeout(self._left())

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Transient(f"{self._server.where} took too long")
        return left

    def _attempt(self, act: Callable[[], T], meaning: Callable[[Said], Exception] | None = None) -> T:
        try:
            return act()
        except (*CLIENT_ERRORS, Failure) as error:
            word = said(error)
            problem: Exception = word or failure_of_network(error, self._server.where)
        if word is not None and meaning is not None:
            problem = meaning(word)
        raise problem  # out here, so that it does not keep the client, its socket and its password alive

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self._server.host, self._server.port), self._left())
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.settimeout(self._left())
            return self._encrypted(plain)
        except BaseException:
            plain.close()
            raise

    def _encrypted(self, plain: socket.socket) -> socket.socket:
        if self._server.tls is None:
            return plain
        plain.sendall(SSL_REQUEST)
        if plain.recv(1) != b"S":
            hint = "switch ssl on there; `tls: off` only where nobody else can listen"
            raise Denied(f"{self._server.where} does not offer TLS", hint, permission="TLS")
        return self._server.tls.wrap_socket(plain, server_hostname=self._server.host)

    def _log_in(self, user: str, password: str) -> _Client:
        self._within_time()
        return _Client(
            self._server,
            user,
            database=self._server.database,
            password=password,
            application_name="rotator",
            sock=self._socket,
            ssl_context=False,
            startup_params=self._server.session_settings(),
        )


class _Client(Connection):  # type: ignore[misc] # pg8000 ships no types
    """Notes how the server asked for the password, and sends it in the clear to nobody but the proven server."""

    def __init__(self, server: Server, user: str, **settings: object) -> None:
        self.asked = False
        self.challenge: Challenge | None = None
        self._proven = server.proven
        super().__init__(user, **settings)

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: object) -> None:  # noqa: N802 # pg8000's name
        kind = int.from_bytes(data[:4], "big")
        self.asked = self.asked or kind in (CLEAR_TEXT, MD5, SASL)
        if kind == CLEAR_TEXT and not self._proven:
            hint = "pg_hba.conf should say scram-sha-256; else use `tls: verify-full`"
            raise Denied("the server wants the password in clear text", hint, permission="scram-sha-256 in pg_hba.conf")
        if kind == SASL_CONTINUE:
            fields = dict(each.split("=", 1) for each in data[4:].decode().split(","))
            self.challenge = Challenge(base64.b64decode(fields["s"]), int(fields["i"]))
        super().handle_AUTHENTICATION_REQUEST(data, context)
