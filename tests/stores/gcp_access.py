"""What tests of the gcp store need: a Secret Manager, stores with one sort of access or another, and other people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from google.cloud import secretmanager_v1 as api

from rotator.adapters.stores.gcp import GcpStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict
from tests.servers.secret_manager.fronts import serve_grpc, serve_rest
from tests.servers.secret_manager.iam import OWNER, Binding
from tests.servers.secret_manager.service import LostError, Moment, RefusedError, SecretManager
from tests.stores.making import Making, in_process

TIMEOUT = timedelta(seconds=10)
PROJECT = "acme-prod"
PARENT = f"projects/{PROJECT}"
CURRENT = Place(ref="ai/openai", kind=PlaceKind.CURRENT, fields=("api_key",))
PENDING = Place(ref="ai/openai", kind=PlaceKind.PENDING, of="r1")
SECRET = f"{PARENT}/secrets/ai--openai"
HIDDEN = "sk-hidden-0123456789"
TOKEN = "ya29.rotator-token-0123456789"


@dataclass
class Gcp:
    """A server with one project; `secrets` is everything that nothing may show."""

    service: SecretManager
    address: str
    transport: str = "rest"
    secrets: set[str] = field(default_factory=lambda: {HIDDEN, TOKEN})
    making: Making = in_process

    def store(self, token: str = TOKEN, timeout: timedelta = TIMEOUT, **settings: Any) -> GcpStore:
        """A store with that token, an owner's if none is given."""
        self.secrets.add(token)
        given = {"project": PROJECT, "endpoint": self.address, "transport": self.transport}
        auth = {"auth": {"method": "access_token", "token": "file:/run/token"}}
        return self.making(GcpStore, "gcp", {**given, **auth, **settings}, lambda _: token, timeout)

    def allow(self, token: str, *bindings: Binding) -> str:
        """Let a token be somebody's."""
        self.service.accounts.tokens[token] = bindings
        return token

    def ask(self, method: str, token: str = TOKEN, **request: Any) -> Any:
        """What an owner's request answers, past all sockets."""
        return self.service.call(method, getattr(api, f"{method}Request")(request), f"Bearer {token}")

    def add(self, document: Mapping[str, Any] | bytes, secret: str = SECRET) -> int:
        """Add a version as a colleague does with gcloud, making the secret if need be."""
        if secret not in self.service.names:
            parent, _, ident = secret.rpartition("/secrets/")
            self.ask("CreateSecret", parent=parent, secret_id=ident, secret={"replication": {"automatic": {}}})
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        made = self.ask("AddSecretVersion", parent=secret, payload={"data": data})
        return int(made.name.rpartition("/")[2])

    def move_alias(self, number: int, secret: str = SECRET, alias: str = "current") -> None:
        """Let the alias point elsewhere."""
        now = self.ask("GetSecret", name=secret)
        changed = {"name": secret, "version_aliases": {**dict(now.version_aliases), alias: number}}
        self.ask("UpdateSecret", secret=changed, update_mask={"paths": ["version_aliases"]})

    def document(self, version: int | str = "latest", secret: str = SECRET) -> dict[str, Any]:
        """What a consumer finds there."""
        found = self.ask("AccessSecretVersion", name=f"{secret}/versions/{version}")
        document: dict[str, Any] = json.loads(found.payload.data)
        return document

    def both(self, secret: str = SECRET) -> tuple[dict[str, Any], dict[str, Any]]:
        """What readers of `latest` and of the alias find."""
        return self.document("latest", secret), self.document("current", secret)

    def states(self, secret: str = SECRET) -> dict[int, str]:
        """The state of each version."""
        return {number: version.state.name for number, version in self.service.held(secret).versions.items()}


@contextmanager
def serving(transport: str) -> Iterator[Gcp]:
    """A fresh server with nothing in it; gone afterwards."""
    service = SecretManager()
    service.accounts.tokens[TOKEN] = OWNER
    with (serve_rest if transport == "rest" else serve_grpc)(service) as address:
        yield Gcp(service, address, transport)


@dataclass
class Once:
    """A hook that acts at the n-th such moment of a method, counted from one, and never again."""

    moment: Moment
    method: str
    act: Callable[[], object]
    turn: int = 1
    fired: int = 0

    def __call__(self, moment: Moment, method: str, request: object) -> None:
        if (moment, method) != (self.moment, self.method):
            return
        self.turn -= 1
        if self.turn == 0:
            self.fired += 1
            self.act()


def until_written(store: GcpStore, place: Place, text: str) -> str:
    """As the engine does: look, and write what is not there, until it is. Gives the version."""
    field = place.fields[0] if place.fields else "value.secret"
    for _ in range(4):
        stored = store.read(place)
        if (stored.fields or {}).get(field) == text:
            return stored.version
        try:
            store.write(place, {field: text}, stored.version)
        except Conflict:
            continue
    raise AssertionError("it is never written")


def lose() -> None:
    """Let a hook lose the answer, after an effect, or the request, before it."""
    raise LostError


def refuse(code: str, text: str = "") -> Callable[[], None]:
    """Let a hook refuse."""

    def act() -> None:
        raise RefusedError(code, text)

    return act
