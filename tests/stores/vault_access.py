"""What tests of the vault store need: stores with one sort of access or another, and a server that is no Vault."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from rotator.adapters.stores.vault import VaultStore
from rotator.domain.credential import Place, PlaceKind, Publication
from rotator.ports import ABSENT, Store
from tests.servers.api import Listener
from tests.servers.openbao import OpenBaoServer

TIMEOUT = timedelta(seconds=10)
CURRENT = Place(ref="ai/openai", kind=PlaceKind.CURRENT, fields=("api_key",))
PUBLISHED = Publication(store="vault", ref="ai/openai", fields={"api_key": "{secret}"})
PENDING = Place(ref="ai/openai", kind=PlaceKind.PENDING, of="r1")
PREVIOUS = Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="key@1")
HIDDEN = "sk-hidden-0123456789"


@dataclass
class Vault:
    """A server and a fresh KV version 2 engine on it; `secrets` is everything that nothing may show."""

    server: OpenBaoServer
    mount: str
    secrets: set[str] = field(default_factory=lambda: {HIDDEN})

    def store(self, token: str | Callable[[], str] = "", timeout: timedelta = TIMEOUT, **settings: Any) -> VaultStore:
        """A store with that token, root's if there is none."""

        def resolve(_: str) -> str:
            text = token() if callable(token) else token or self.server.token
            self.secrets.add(text)
            return text

        given = {"address": self.server.address, "mount": self.mount}
        auth = {"auth": {"method": "token", "token": "file:/run/token"}}
        return VaultStore.from_settings("vault", {**given, **auth, **settings}, resolve, timeout)

    def token(self, policy: str, **settings: Any) -> str:
        """A new token that may what that policy grants."""
        self.server.request("PUT", f"sys/policies/acl/{self.mount}", {"policy": policy})
        wanted = {"policies": [self.mount], "ttl": "5m", **settings}
        made = self.server.request("POST", "auth/token/create", wanted)
        return str(made["auth"]["client_token"])

    def document(self, ref: str) -> Mapping[str, Any]:
        """As root reads it."""
        found: Mapping[str, Any] = self.server.request("GET", f"{self.mount}/data/{ref}")["data"]
        return found

    def was_renewed(self, token: str) -> bool:
        """Whether its life was prolonged."""
        found = self.server.request("POST", "auth/token/lookup", {"token": token})["data"]
        return found.get("last_renewal") is not None

    def revoke(self, token: str) -> None:
        """End its life."""
        self.server.request("POST", "auth/token/revoke", {"token": token})


def held(store: VaultStore) -> str:
    """The token in use."""
    lease = store._client._token._lease
    assert lease is not None
    return lease.token


def use_everything(store: Store) -> None:
    """Whatever a rotation asks of a store."""
    assert store.read(CURRENT).version == ABSENT
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    version = store.write(CURRENT, {"api_key": "two"}, version)
    for place in (PENDING, PREVIOUS):
        store.write(place, {"value.secret": HIDDEN}, store.write(place, {"value.secret": HIDDEN}, ABSENT))
        assert store.read(place).fields == {"value.secret": HIDDEN}
    assert store.places("ai/openai") == (PENDING, PREVIOUS)
    for place in (PENDING, PREVIOUS):
        store.remove(place, store.read(place).version)
    assert store.places("ai/openai") == ()
    store.remove(CURRENT, version)
    assert store.read(CURRENT).fields is None


@dataclass
class AppRole:
    """A role at an AppRole engine of its own."""

    server: OpenBaoServer
    mount: str

    def store(self, vault: Vault, *, address: str = "", **settings: Any) -> VaultStore:
        """A store that logs in as the role with a new secret id."""
        return self.store_with(vault, self.secret_id(**settings), address=address)

    def store_with(
        self, vault: Vault, secret_id: str | Callable[[], str], *, address: str = "", wrapped: bool = False
    ) -> VaultStore:
        """A store that logs in with that secret id, or the one in that wrapping token."""

        def resolve(_: str) -> str:
            text = secret_id() if callable(secret_id) else secret_id
            vault.secrets.add(text)
            return text

        auth = {
            "method": "approle",
            "role_id": self.role_id(),
            "secret_id": {"wrapped": "env:SECRET_ID"} if wrapped else "env:SECRET_ID",
            "mount": self.mount,
        }
        given = {"address": address or vault.server.address, "mount": vault.mount, "auth": auth}
        return VaultStore.from_settings("vault", given, resolve, TIMEOUT)

    def role_id(self) -> str:
        """The role's."""
        return str(self.server.request("GET", f"auth/{self.mount}/role/rotator/role-id")["data"]["role_id"])

    def wrapped_secret_id(self, ttl: str = "1m") -> str:
        """A wrapping token with a new one in it."""
        path = f"auth/{self.mount}/role/rotator/secret-id"
        return str(self.server.request("POST", path, {"metadata": "{}"}, wrap_ttl=ttl)["wrap_info"]["token"])

    def secret_id(self, **settings: Any) -> str:
        """A new one, e.g. with `num_uses`."""
        made = self.server.request("POST", f"auth/{self.mount}/role/rotator/secret-id", settings or {"metadata": "{}"})
        return str(made["data"]["secret_id"])


@contextmanager
def approle(vault: Vault, policy: str, **settings: Any) -> Iterator[AppRole]:
    """An AppRole engine with one role that may what that policy grants; gone afterwards."""
    server, mount = vault.server, f"approle-{vault.mount}"
    server.request("PUT", f"sys/policies/acl/{mount}", {"policy": policy})
    server.request("POST", f"sys/auth/{mount}", {"type": "approle"})
    try:
        server.request("POST", f"auth/{mount}/role/rotator", {"token_policies": mount, **settings})
        yield AppRole(server, mount)
    finally:
        server.request("DELETE", f"sys/auth/{mount}")
        server.request("DELETE", f"sys/policies/acl/{mount}")


@dataclass
class Reply:
    """What a server that is no Vault answers to everything, after `delay` seconds."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0


@dataclass
class Impostor:
    """A server on a real socket that answers whatever it is told to, and remembers what it was asked."""

    address: str
    reply: Reply
    requests: list[str] = field(default_factory=list)


@contextmanager
def impostor(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[Impostor]:
    """Such a server; gone afterwards."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            here.requests.append(f"{self.command} {self.path} {self.headers.get('X-Vault-Token', '')}")
            over.wait(here.reply.delay)
            self.send_response(here.reply.status)
            for name, text in here.reply.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(here.reply.body)))
            self.end_headers()
            self.wfile.write(here.reply.body)

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    server = Listener(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if tls is None else "https"
    here = Impostor(f"{scheme}://127.0.0.1:{server.server_port}", reply)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield here
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def errors(*texts: str) -> bytes:
    """The body of a refusal of Vault's."""
    return json.dumps({"errors": texts}).encode()
