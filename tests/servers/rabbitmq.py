"""A throwaway RabbitMQ with its management API: the system's, else Debian's packages (`tests.servers.debian`).

Erlang's port mapper is started beside it, on a port of its own, so that none of the system's is asked and none stays.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import signal
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers import started
from tests.servers.debian import find, home, surroundings
from tests.servers.process import Kept, Order, new_directory, on_a_free_port, reserved_port

NAME = "RabbitMQ"
ROOT = "root"
# Whoever is forked dies with the shell that forked it, and the shell with its keeper. SIGTERM it was told to ignore.
SCRIPT = """
setpriv --pdeathsig KILL epmd -address 127.0.0.1 -port $ERL_EPMD_PORT &
epmd=$!
setpriv --pdeathsig KILL {program} &
beam=$!
trap 'kill -KILL $beam' USR1
wait $beam
wait $beam
kill -KILL $epmd
wait $epmd
"""
CONFIG = """
listeners.tcp.default = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {port}
management.http_log_dir = {directory}/requests
default_user = {user}
default_pass = {password}
log.console = true
log.file = false
disk_free_limit.absolute = 1MB
"""


class Refused(Exception):
    """The server answered with an error; the text is its status and its words."""


class RabbitmqServer:
    """A running server. Stopping it twice is harmless; it stops by itself when this process ends."""

    def __init__(self, kept: Kept, port: int, amqp: int, password: str) -> None:
        """Wait until it answers. Raises `StartFailed`."""
        self._kept = kept
        self.host = "127.0.0.1"
        self.port = port
        self.amqp = amqp
        self.password = password
        self.at_the_end = ExitStack()
        kept.wait_until(self._answers, seconds=180)
        self.version = str(self.ask("GET", "overview")["rabbitmq_version"])
        started[NAME] = self.version

    @property
    def url(self) -> str:
        """Of the management API."""
        return f"http://{self.host}:{self.port}"

    @property
    def directory(self) -> Path:
        """Its files: `log` is what it wrote."""
        return self._kept.directory

    def requests(self, method: str, start: str) -> int:
        """How many requests to paths that begin so it has got, as its own log of them says."""
        mark = f"seen-{secrets.token_hex(4)}"
        with suppress(Refused):
            self.ask("GET", mark)
        self._kept.wait_until(lambda: mark in self._requests())
        return self._requests().count(f'"{method} {start}')

    def _requests(self) -> str:
        return "".join(each.read_text() for each in (self.directory / "requests").glob("*"))

    def ask(
        self, method: str, *path: str, body: Mapping[str, object] | None = None, user: str = "", by: str = ""
    ) -> Any:
        """Call the management API as the one who may do everything, or another. Raises `Refused`, `OSError`."""
        shown = base64.b64encode(f"{user or ROOT}:{by or self.password}".encode()).decode()
        target = "/api/" + "/".join(quote(each, safe="") for each in path)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, target, text, {"Authorization": f"Basic {shown}"})
            answer = connection.getresponse()
            words = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(f"{answer.status} {words.decode(errors='replace')}")
        return json.loads(words) if words else None

    def log_in(self, user: str, password: str, vhost: str = "/") -> Wire:
        """An open connection of AMQP 0-9-1, which the management API shows already. Raises `Refused`."""
        return self.go_on(self.half_way(user, password), vhost)

    def half_way(self, user: str, password: str) -> HalfWay:
        """A connection whose password was taken and that is not open yet. Raises `Refused`."""
        wire = socket.create_connection((self.host, self.amqp), timeout=60)
        try:
            wire.sendall(b"AMQP\0\0\x09\x01")
            _expect(wire, (10, 10))
            plain = f"\0{user}\0{password}".encode()
            _send(wire, (10, 11), _table(b"") + _short(b"PLAIN") + _table(plain) + _short(b"en_US"))
            return HalfWay(wire, user, _expect(wire, (10, 30)))
        except BaseException:
            wire.close()
            raise

    def go_on(self, login: HalfWay, vhost: str = "/") -> Wire:
        """Open it. Raises `Refused`."""
        wire = login.wire
        try:
            _send(wire, (10, 31), login.tune)
            _send(wire, (10, 40), _short(vhost.encode()) + _short(b"") + b"\0")
            _expect(wire, (10, 41))
            self._kept.wait_until(lambda: self._shows(wire.getsockname()[1], login.user))
        except BaseException:
            wire.close()
            raise
        return Wire(wire)

    def _shows(self, port: int, user: str) -> bool:
        found = self.ask("GET", "connections", "username", user)
        return any(str(each["name"]).startswith(f"{self.host}:{port} ") for each in found)

    def empty(self) -> None:
        """Remove every user but our own, and every virtual host but the default one."""
        for user in self.ask("GET", "users"):
            if user["name"] != ROOT:
                self.ask("DELETE", "users", user["name"])
        for vhost in self.ask("GET", "vhosts"):
            if vhost["name"] != "/":
                self.ask("DELETE", "vhosts", vhost["name"])

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()
        self.at_the_end.close()

    def _answers(self) -> bool:
        try:
            self.ask("GET", "overview")
        except (Refused, OSError, http.client.HTTPException):
            return False
        return True


@dataclass(frozen=True, slots=True)
class HalfWay:
    """A login between its password and its connection. `tune`: what the server proposed."""

    wire: socket.socket
    user: str
    tune: bytes


class Wire:
    """A connection that does nothing but agree when the server ends it."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._socket.settimeout(None)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def closed(self) -> bool:
        """Whether the server ends it soon."""
        return self._over.wait(60)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return not self._over.is_set()

    def close(self) -> None:
        """End it. May be called twice."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        with suppress(Refused, OSError):
            _expect(self._socket, (10, 50))
            _send(self._socket, (10, 51), b"")
        self._over.set()


def start() -> RabbitmqServer:
    """Start one; takes 10 to 30 s. Raises `Unavailable`, `StartFailed`."""
    program = find("rabbitmqctl")
    return on_a_free_port(lambda port: _start(program, port))


def _start(program: Path, port: int) -> RabbitmqServer:
    directory, password = new_directory("rabbit"), secrets.token_hex(16)
    with ExitStack() as ending:
        amqp, distribution, mapper = (ending.enter_context(reserved_port()) for _ in range(3))
        text = CONFIG.format(amqp=amqp, port=port, user=ROOT, password=password, directory=directory)
        (directory / "rabbitmq.conf").write_text(text)
        (directory / "plugins").write_text("[rabbitmq_management].\n")
        server = home(program) / "usr" / "lib" / "rabbitmq" / "bin" / "rabbitmq-server"
        env = surroundings(program) | {
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"r{port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_BASE": str(directory),
            "RABBITMQ_MNESIA_BASE": f"{directory}/mnesia",
            "RABBITMQ_LOG_BASE": f"{directory}/logs",
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{directory}/generated",
            "RABBITMQ_ALLOW_INPUT": "1",  # so that the script becomes the server instead of waiting for it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +sbwt none +S 2:2",
        }
        kept = Kept(
            Order(
                directory=str(directory),
                command=["sh", "-c", SCRIPT.format(program=server)],
                env=env,
                stop_signal=signal.SIGUSR1,
            )
        )
        try:
            made = RabbitmqServer(kept, port, amqp, password)
        except BaseException:
            kept.close()
            raise
        made.at_the_end = ending.pop_all()
    return made


# -- AMQP 0-9-1, as much as a login takes ------------------------------------------------------------------------------


def _short(text: bytes) -> bytes:
    return struct.pack("B", len(text)) + text


def _table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _send(wire: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack(">HH", *method) + arguments
    wire.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")


def _expect(wire: socket.socket, method: tuple[int, int]) -> bytes:
    head = _exactly(wire, 7)
    payload = _exactly(wire, struct.unpack(">BHI", head)[2] + 1)[:-1]
    if struct.unpack(">HH", payload[:4]) != method:
        raise Refused(payload[4:].decode(errors="replace"))
    return payload[4:]


def _exactly(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            more = wire.recv(count - len(data))
        except ConnectionError:
            more = b""
        if not more:
            raise Refused("the server ended the connection")
        data += more
    return data
