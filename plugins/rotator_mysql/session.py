"""One login to MariaDB or MySQL for one call, with one deadline for all that it does.

PyMySQL is pure Python, so a child process without sockets of its own can use it; the socket is made here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from pymysql._auth import scramble_caching_sha2
from pymysql.connections import Connection
from pymysql.err import MySQLError

from rotator.sdk import Ambiguous, Conflict, Denied, Failure, Permanent, Transient
from rotator.sdk.tcp import TcpServer, failure_of_network

T = TypeVar("T")

CLIENT_ERRORS = (MySQLError, OSError, LookupError, ValueError, AssertionError, AttributeError, TypeError, struct.error)
"""What PyMySQL raises: all but the first two where something else than a database answers."""
OF_THE_CLIENT = range(2000, 3000)
NO_TLS = 2026

PASSWORD_REFUSED = 1045
LOCKED = (4151, 3118)
"""ER_ACCOUNT_HAS_BEEN_LOCKED of MariaDB and of MySQL."""
EXPIRED = (1820, 1862)
OTHER_PROOF = 1698
NO_SUCH_THREAD = 1094
FAST = b"\3"
"""Of caching_sha2_password: the hash was right, and the server's last word follows."""
_DENIED = (1044, 1045, 1095, 1142, 1143, 1227, 1698, *LOCKED, *EXPIRED)
_PASSING = (1040, 1053, 1129, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1836, 1927, 1969, 3024)
_READ_ONLY = (1290, 1792)
_NO_TABLE = (1049, 1146)
_LONGEST = 200
_HASH = re.compile(r"\*[0-9A-Fa-f]{40}")


class Said(Exception):
    """An error that the server sent: its number and its text, which is data: bounded, without a hash."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = "".join(each if each.isprintable() else "?" for each in _HASH.sub("…", text))[:_LONGEST]
        super().__init__(self.text)

    def __str__(self) -> str:
        return f"the database says: {self.text} ({self.code})"


class Session:
    """A login that works. Made for one call, used by one thread, closed by its context."""

    def __init__(self, server: TcpServer, user: str, password: str) -> None:
        """Log in. Raises `Said` when the server refuses, `Transient` and `Denied`."""
        self._server = server
        self._deadline = server.deadline()
        self._client: Any = self._attempt(lambda: self._log_in(user, password))

    def __enter__(self) -> Session:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; the server gives back the lock that it holds."""
        with suppress(*CLIENT_ERRORS):
            self._client.close()

    @property
    def is_mariadb(self) -> bool:
        """Whether it says so in its greeting; else it is MySQL."""
        return "mariadb" in str(self._client.server_version).lower()

    def quoted(self, text: str) -> str:
        """A text as a literal of SQL."""
        literal: str = self._client.escape(text)
        return literal

    def run(self, statement: str, *, lost: type[Ambiguous] | type[Transient] = Transient) -> list[tuple[Any, ...]]:
        """Send one statement and return its rows. Raises `Failure`; `lost` when no answer came."""
        left = self._deadline.left()
        return self._attempt(lambda: self._ask(statement, left), failure_said, lost)

    def _ask(self, statement: str, seconds: float) -> list[tuple[Any, ...]]:
        self._client._read_timeout = self._client._write_timeout = seconds
        with self._client.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _log_in(self, user: str, password: str) -> Connection[Any]:
        longest = max(1, int(self._server.timeout.total_seconds()))
        # whoever is stopped while he holds a slot must not hold it for longer than a call may take
        settings = f"SET SESSION wait_timeout = {longest}, lock_wait_timeout = {longest}, sql_mode = ''"
        opened = self._server.connect(self._deadline)
        try:
            client: Connection[Any] = Connection(
                host=self._server.host,
                user=user,
                password=password.encode(),  # as text it would be sent as Latin-1
                charset="utf8mb4",
                ssl=self._server.tls,
                ssl_disabled=self._server.tls is None,
                read_timeout=self._deadline.left(),
                write_timeout=self._deadline.left(),
                auth_plugin_map={} if self._server.proven else _CLEAR,
                init_command=settings,
                autocommit=True,
                defer_connect=True,
            )
            client.connect(opened)
            client.query("SELECT 1")  # whose password has expired may log in, and then nothing else
        except BaseException:
            opened.close()
            raise
        return client

    def _attempt(
        self,
        act: Callable[[], T],
        meaning: Callable[[Said], Exception] | None = None,
        lost: type[Ambiguous] | type[Transient] = Transient,
    ) -> T:
        try:
            return act()
        except (*CLIENT_ERRORS, Failure) as error:
            word = said(error)
            problem: Exception = word or self._of_network(error)
        if word is not None:
            problem = meaning(word) if meaning else word
        elif isinstance(problem, Transient):
            problem = lost(problem.message, problem.hint)
        raise problem  # out here, so that it does not keep the client and its password alive

    def _of_network(self, error: Exception) -> Failure:
        if isinstance(error, MySQLError) and error.args and error.args[0] == NO_TLS:
            hint = "switch TLS on there; `tls: off` only where nobody else can listen"
            return Denied(f"{self._server.where} does not offer TLS", hint, permission="TLS")
        return failure_of_network(getattr(error, "original_exception", error), self._server.where)


class _Refusing:
    """A plug-in of PyMySQL's that shows the password to nobody."""

    def __init__(self, client: object) -> None:
        pass

    def authenticate(self, packet: object) -> object:
        raise _refusal()


class _HashAlone:
    """caching_sha2_password until the server wants more than a hash: to a stranger its own key hides nothing."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def authenticate(self, packet: Any) -> object:
        if packet.is_auth_switch_request():
            salt = packet.read_all().removesuffix(b"\0")
            self._client.write_packet(scramble_caching_sha2(self._client.password, salt))
            packet = self._client._read_packet()
        if packet.is_extra_auth_data() and packet.get_all_data()[1:] != FAST:
            raise _refusal()
        return self._client._read_packet() if packet.is_extra_auth_data() else packet


def _refusal() -> Denied:
    hint = "use `tls: verify-full`, or give the user mysql_native_password"
    return Denied("the server wants the password in clear text", hint, permission="TLS")


_CLEAR: dict[str, type[_Refusing | _HashAlone]] = {
    **dict.fromkeys(("mysql_clear_password", "dialog", "sha256_password", "mysql_old_password"), _Refusing),
    "caching_sha2_password": _HashAlone,
}


def said(error: BaseException) -> Said | None:
    """The server's own word, if that is what happened."""
    if isinstance(error, MySQLError) and len(error.args) > 1 and isinstance(error.args[0], int):
        code, text = error.args[:2]
        return None if code in OF_THE_CLIENT else Said(code, str(text))
    return None


def failure_said(word: Said) -> Failure:
    """What an error of the server means for a call of the admin's."""
    text = str(word)
    if word.code in _DENIED:
        return Denied(text, "`rotator check` names the grants that are needed", permission=word.text)
    if word.code in _READ_ONLY:
        return Transient(text, "host must be the primary server")
    if word.code in _PASSING:
        return Transient(text)
    if word.code in _NO_TABLE:
        return Permanent(text, "make the table that `rotator check --policy` prints, or correct the setting schema")
    if word.code == 1396:
        return Conflict(f"the user is not there any more; {text}")
    return Permanent(text)


def failure_to_log_in(word: Said, user: str) -> Failure:
    """What an error of the server means that ends the admin's login."""
    if word.code in _DENIED:
        return Denied(
            f"the admin {user} cannot log in; {word}", "check user and the admin credential", permission="LOGIN"
        )
    return failure_said(word)
