"""Logins that stop half-way, as whoever has a password can hold them, and go on when a test says so.

What they say then is what was right when they began. An account that is read too early, and sessions that are looked
for too early, let them in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

SECONDS = 60


class Refused(Exception):
    """The server's last word, or that it hung up."""


class HalfWay:
    """A connection whose login is half done; its context hangs up."""

    def __init__(self, host: str, port: int) -> None:
        self._wire = socket.create_connection((host, port), timeout=SECONDS)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._wire.close()

    def go_on(self) -> None:
        """Do the rest; then it is a session. Raises `Refused`."""
        self.finish()
        self.answered()

    def finish(self) -> None:
        """Say the rest without waiting for what the server says to it."""
        raise NotImplementedError

    def answered(self) -> None:
        """Wait for that. Raises `Refused`."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask something that every session may ask. Raises `Refused`."""
        raise NotImplementedError

    def alive(self) -> bool:
        """Whether it is a session that the server answers."""
        with suppress(Refused):
            self.ask()
            return True
        return False

    def closed(self) -> bool:
        """Whether the server hangs up soon, whatever it says before."""
        try:
            while self._wire.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def _send(self, data: bytes) -> None:
        try:
            self._wire.sendall(data)
        except ConnectionError:
            raise Refused("the server hung up") from None

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                more = self._wire.recv(count - len(data))
            except ConnectionError:
                more = b""
            if not more:
                raise Refused("the server hung up")
            data += more
        return data


class MariadbHalfWay(HalfWay):
    """Stops when it has been greeted or, `named`, when the server has read the account and asks for a proof.

    It is asked because it names a plug-in that the account does not use (MariaDB documentation, "Connection").
    """

    CAPABILITIES = 1 << 0 | 1 << 9 | 1 << 15 | 1 << 19
    """CLIENT_MYSQL, PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH."""

    def __init__(self, host: str, port: int, user: str, password: str, *, named: bool) -> None:
        super().__init__(host, port)
        self._user, self._password, self._named = user, password, named
        _, _, rest = self._packet().partition(b"\0")
        self._scramble = rest[4:12] + rest[31:43]
        if named:
            self._introduce(b"caching_sha2_password", b"")
            plugin, _, scramble = self._packet().partition(b"\0")
            assert plugin == b"\xfemysql_native_password", plugin
            self._scramble = scramble.removesuffix(b"\0")

    def finish(self) -> None:
        if self._named:
            self._write(self._proof())
        else:
            self._introduce(b"mysql_native_password", self._proof())

    def answered(self) -> None:
        self._packet()

    def ask(self) -> None:
        self._sequence = -1
        self._write(b"\x0e")
        self._packet()

    def _introduce(self, plugin: bytes, proof: bytes) -> None:
        head = struct.pack("<IIB23x", self.CAPABILITIES, 1 << 24, 45)
        self._write(head + self._user.encode() + b"\0" + bytes([len(proof)]) + proof + plugin + b"\0")

    def _proof(self) -> bytes:
        once = _sha1(self._password.encode())
        return _masked(once, _sha1(self._scramble + _sha1(once)))

    def _write(self, payload: bytes) -> None:
        self._sequence += 1
        self._send(struct.pack("<I", len(payload))[:3] + bytes([self._sequence]) + payload)

    def _packet(self) -> bytes:
        *length, self._sequence = self._exactly(4)
        payload = self._exactly(int.from_bytes(length, "little"))
        if payload[:1] == b"\xff":
            raise Refused(payload[1:].decode(errors="replace"))
        return payload


class PostgresHalfWay(HalfWay):
    """Stops in the middle of SCRAM-SHA-256 (RFC 5802 §3), when the server has told salt and iterations."""

    def __init__(self, host: str, port: int, user: str, password: str, database: str) -> None:
        super().__init__(host, port)
        self._password = password
        words = b"".join(each.encode() + b"\0" for each in ("user", user, "database", database, ""))
        self._send(struct.pack("!II", len(words) + 8, 3 << 16) + words)
        self._message()
        self._first = f"n=,r={secrets.token_hex(12)}"
        opening = f"n,,{self._first}".encode()
        self._say(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(opening)) + opening)
        self._challenge = self._message()[1][4:].decode()

    def finish(self) -> None:
        told = dict(each.split("=", 1) for each in self._challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), base64.b64decode(told["s"]), int(told["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={told['r']}"
        signed = f"{self._first},{self._challenge},{last}".encode()
        proof = _masked(key, hmac.digest(hashlib.sha256(key).digest(), signed, "sha256"))
        self._say(b"p", f"{last},p={base64.b64encode(proof).decode()}".encode())

    def answered(self) -> None:
        while self._message()[0] != b"Z":
            pass

    def ask(self) -> None:
        self._say(b"Q", b"SELECT 1\0")
        self.answered()

    def _say(self, kind: bytes, body: bytes) -> None:
        self._send(kind + struct.pack("!I", len(body) + 4) + body)

    def _message(self) -> tuple[bytes, bytes]:
        kind, length = struct.unpack("!cI", self._exactly(5))
        body = self._exactly(length - 4)
        if kind == b"E":
            raise Refused(body.replace(b"\0", b" ").decode(errors="replace"))
        return kind, body


class RedisHalfWay(HalfWay):
    """Stops in the middle of AUTH, two bytes before its end."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        super().__init__(host, port)
        self._send(_command("AUTH", user, password)[:-2])

    def finish(self) -> None:
        self._send(b"\r\n")

    def answered(self) -> None:
        if (answer := self._line()).startswith("-"):
            raise Refused(answer)

    def ask(self) -> None:
        self.say("PING")
        self.answered()

    def say(self, *words: str) -> None:
        """Send a command without waiting for its answer."""
        self._send(_command(*words))

    def _line(self) -> str:
        data = b""
        while not data.endswith(b"\r\n"):
            data += self._exactly(1)
        return data.decode()


def _command(*words: str) -> bytes:
    parts = [each.encode() for each in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in parts)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()  # noqa: S324 # the server's own scheme


def _masked(data: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(data, mask, strict=True))
