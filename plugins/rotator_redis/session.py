"""One login to Redis for one call, with one deadline for all that it does.

redis-py's connection, pure Python, in RESP2, without its retries, its greetings and its sockets: it would look up names
and open sockets itself (redis-py 8.1, `redis/connection.py`, `Connection._connect`).
"""

from __future__ import annotations

import socket
from contextlib import suppress
from types import TracebackType
from typing import Any

from redis._parsers import _RESP2Parser
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from rotator.sdk import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.sdk.tcp import TcpServer, failure_of_network

PASSING = ("LOADING", "OOM", "MASTERDOWN", "MISCONF", "BUSY", "CLUSTERDOWN", "TRYAGAIN")
FULL = "max number of clients"
LONGEST = 200


class Refused(Exception):
    """The server knows nobody with this name and password who may log in; it does not say what of it is wrong."""


class Session:
    """A login that works. Made for one call, used by one thread, closed by its context."""

    def __init__(self, server: TcpServer, user: str, password: str) -> None:
        """Log in. Raises `Refused`, `Transient`, `Denied`."""
        self._server = server
        self._deadline = server.deadline()
        self._client: Any = _Client(server, self._open())
        try:
            self.ask("AUTH", user, password)
        except BaseException:
            self._client.disconnect()  # type: ignore[no-untyped-call]
            raise

    def __enter__(self) -> Session:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; the server forgets a transaction that is open."""
        with suppress(RedisError, OSError):
            self._client.disconnect()

    def ask(self, *words: str, lost: type[Ambiguous] | type[Transient] = Transient) -> Any:
        """Send one command and return the answer, bytes where it is text. Raises `Failure`; `lost` without an answer.

        A list may hold errors: `text_of` reads them.
        """
        self._client.within(self._deadline.left())
        try:
            self._client.send_command(*words)
            return self._client.read_response()
        except (RedisError, OSError, ValueError, LookupError) as error:
            problem = self._problem(error, lost)
        raise problem  # out here, so that it does not keep what was sent alive

    def _problem(self, error: Exception, lost: type[Ambiguous] | type[Transient]) -> Exception:
        if isinstance(error, ResponseError) or getattr(error, "status_code", None):
            return refusal(error)
        failure = failure_of_network(error, self._server.where)
        return lost(failure.message, failure.hint) if isinstance(failure, Transient) else failure

    def _open(self) -> socket.socket:
        try:
            return self._server.encrypted(self._server.connect(self._deadline))
        except (OSError, Failure) as error:
            problem = failure_of_network(error, self._server.where)
        raise problem


class _Client(Connection):
    """A connection over a socket that is open already; once that is gone it makes no other."""

    def __init__(self, server: TcpServer, opened: socket.socket) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            server.host,
            server.port,
            protocol=2,
            parser_class=_RESP2Parser,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
        )
        self._opened: socket.socket | None = opened
        self.connect()  # type: ignore[no-untyped-call]

    def within(self, seconds: float) -> None:
        """Bound the waiting from now on."""
        sock: socket.socket | None = self._sock
        if sock is not None:
            sock.settimeout(seconds)

    def _connect(self) -> socket.socket:
        opened, self._opened = self._opened, None
        if opened is None:
            raise OSError("the connection is over")
        return opened


def text_of(answer: Any) -> str:
    """Text as Python has it; bytes that are no UTF-8 replaced."""
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)


def refusal(error: Exception) -> Exception:
    """What an error of the server's means, by its first word, which redis-py may have taken off. Its text is data."""
    text = "".join(each if each.isprintable() else "?" for each in str(error)).rstrip(".")[:LONGEST]
    code = str(getattr(error, "status_code", None) or text.partition(" ")[0])
    if code == "EXECABORT":
        code = text.partition("because of: ")[2].partition(" ")[0]
    said = f"Redis says: {text}"
    if code == "WRONGPASS":
        return Refused()
    if code == "NOPERM":
        return Denied(said, "`rotator check` names the rules that are needed", permission=text)
    if code in ("NOAUTH", "DENIED"):
        return Denied(said, "check user and the admin credential", permission="AUTH")
    if code == "READONLY":
        return Transient(said, "host must be the primary server: users are not replicated")
    if code in PASSING or FULL in text:
        return Transient(said)
    if code in ("MOVED", "ASK"):
        return Permanent(said, "a cluster's nodes have users of their own, and this driver changes one server's")
    return Permanent(said)
