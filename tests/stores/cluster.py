"""What tests of the kubernetes store need: stores with one sort of access or another on a stand-in for a cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.stores.kubernetes import KubernetesStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Failure
from rotator.ports import Store
from rotator.testing.store_contract import secret_free
from tests.servers.kubernetes import KubernetesServer

TIMEOUT = timedelta(seconds=10)
REF = "team/app"
CURRENT = Place(ref=REF, kind=PlaceKind.CURRENT, fields=("API_KEY",))
PENDING = Place(ref=REF, kind=PlaceKind.PENDING, of="r1")
HIDDEN = "sk-hidden-0123456789"
ENCODED = base64.b64encode(HIDDEN.encode()).decode()


@dataclass
class Cluster:
    """A stand-in; `secrets` is everything that nothing may show."""

    server: KubernetesServer
    folder: Path
    secrets: set[str] = field(default_factory=lambda: {HIDDEN, ENCODED})

    def store(
        self, token: str | Callable[[], str] = "", timeout: timedelta = TIMEOUT, **settings: Any
    ) -> KubernetesStore:
        """A store with that token, the admin's if there is none, over TLS."""

        def resolve(_: str) -> str:
            text = token() if callable(token) else token or self.server.admin
            self.secrets.add(text)
            return text

        auth = {"method": "token", "token": "file:/run/token"}
        given = {"address": self.server.address, "ca": str(self.server.authority.ca), "auth": auth}
        return KubernetesStore.from_settings("k8s", {**given, **settings}, resolve, timeout)

    def restricted(self, roles: str, **settings: Any) -> KubernetesStore:
        """A store that may what these roles grant."""
        return self.store(self.server.access.token(roles), **settings)

    def least(self) -> str:
        """The least roles for `REF`."""
        return self.store().least_policy([REF])

    def rotate(self, directory: Path) -> str:
        """Write a new token with the least roles into `directory`, as the kubelet does."""
        token = self.server.access.token(self.least())
        self.secrets.add(token)
        (directory / "token").write_text(token + "\n")
        return token

    def kubeconfig(
        self,
        cluster: Mapping[str, Any] | None = None,
        user: Mapping[str, Any] | None = None,
        current: str | None = "x",
        **members: Any,
    ) -> Path:
        """A kubeconfig whose one context has these settings; a token of the admin's where no user is given."""
        trusted = {"server": self.server.address, "certificate-authority": str(self.server.authority.ca)}
        document = {
            "clusters": [{"name": "c", "cluster": {**trusted, **(cluster or {})}}],
            "users": [{"name": "u", "user": {"token": self.server.admin} if user is None else user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": current,
            **members,
        }
        file = self.folder / "kubeconfig"
        file.write_text(json.dumps(document))
        return file

    def configured(self, file: Path, **auth: str) -> KubernetesStore:
        """A store by that kubeconfig."""
        settings = {"auth": {"method": "kubeconfig", "file": str(file), **auth}}
        return KubernetesStore.from_settings("k8s", settings, never, TIMEOUT)

    def texts(self, ref: str = REF) -> dict[str, str] | None:
        """What a consumer finds; None where there is no Secret."""
        found = self.server.secret(*ref.split("/"))
        if found is None:
            return None
        return {name: base64.b64decode(text).decode() for name, text in found.get("data", {}).items()}

    def metadata(self, ref: str = REF) -> Mapping[str, Any]:
        """Of a Secret that is there."""
        found = self.server.secret(*ref.split("/"))
        assert found is not None
        metadata: Mapping[str, Any] = found["metadata"]
        return metadata

    def failing(self, kind: type[Failure], act: Callable[[], object]) -> Failure:
        """The failure of exactly that kind that `act` raises, which shows no secret, nor brings one along."""
        with pytest.raises(kind) as raised:
            act()
        failure = raised.value
        assert type(failure) is kind
        for line in (failure.message, failure.hint):
            assert line
            assert line.isprintable()
            assert not [secret for secret in self.secrets if secret in line]
        assert [secret for secret in self.secrets if not secret_free(failure, secret)] == []
        return failure


def never(reference: str) -> str:
    raise AssertionError(f"{reference} was read before it was needed")


def every_call(store: Store) -> list[Callable[[], object]]:
    """One of each, on a place that is there."""
    return [
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, "1"),
        lambda: store.write(PENDING, {"value.secret": HIDDEN}, ""),
        lambda: store.remove(CURRENT, "1"),
        lambda: store.places(REF),
    ]


def use_everything(store: Store) -> None:
    """Whatever a rotation asks of a store."""
    assert store.read(CURRENT).version == ""
    version = store.write(CURRENT, {"API_KEY": "one"}, "")
    version = store.write(CURRENT, {"API_KEY": "two"}, version)
    pending = store.write(PENDING, {"value.secret": HIDDEN}, "")
    pending = store.write(PENDING, {"value.secret": HIDDEN}, pending)
    assert store.places(REF) == (PENDING,)
    store.remove(PENDING, pending)
    store.remove(CURRENT, version)
    assert store.read(CURRENT).fields is None
