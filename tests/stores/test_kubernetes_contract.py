"""The store contract over the kubernetes store and a stand-in for the API server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rotator.adapters.stores.kubernetes import KubernetesStore
from rotator.ports import Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.losing import UntilLost
from tests.stores.making import Making, in_process

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

NAMESPACE = "default"


class Somebody:
    """Another client of the same cluster."""

    def __init__(self, server: KubernetesServer) -> None:
        self.server = server

    def edit(self, ref: str, field: str, text: str) -> None:
        found = self.server.secret(*ref.split("/")) or {}
        data = {**found.get("data", {}), field: base64.b64encode(text.encode()).decode()}
        self.server.put_secret(*ref.split("/"), data=data)

    def look(self, ref: str) -> Mapping[str, str]:
        found = self.server.secret(*ref.split("/")) or {}
        return {name: base64.b64decode(text).decode() for name, text in found.get("data", {}).items()}


def made(
    server: KubernetesServer, address: str = "", timeout: float = 10, making: Making = in_process
) -> KubernetesStore:
    settings = {
        "address": address or server.plain_address,
        "namespace": NAMESPACE,
        "auth": {"method": "token", "token": "env:TOKEN"},
    }
    return making(KubernetesStore, "k8s", settings, lambda _: server.admin, timedelta(seconds=timeout))


class TestKubernetes(StoreContract):
    @pytest.fixture
    def store(self, kubernetes_server: KubernetesServer, making: Making) -> Store:
        return made(kubernetes_server, making=making)

    @pytest.fixture
    def colleague(self, kubernetes_server: KubernetesServer) -> Colleague:
        return Somebody(kubernetes_server)

    @pytest.fixture
    def neighbours(self, ref: str) -> tuple[str, ...]:
        return (f"{ref}2", f"{ref}.deeper", f"{NAMESPACE}/service", "team")

    @pytest.fixture(params=[Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
    def loss(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def lose_answer(
        self,
        kubernetes_server: KubernetesServer,
        fault_proxy: Callable[[str, int], FaultProxy],
        loss: Kind,
        making: Making,
    ) -> LoseAnswer:
        host, _, port = kubernetes_server.plain_address.removeprefix("http://").partition(":")
        proxy = fault_proxy(host, int(port))
        timeout = 0.5 if loss is Kind.HANG_RESPONSE else 10
        lossy = made(kubernetes_server, f"http://127.0.0.1:{proxy.port}", timeout, making)

        @contextmanager
        def losing() -> Iterator[Store]:
            methods = (b"POST /api/", b"PATCH /api/", b"DELETE /api/")
            proxy.inject(*(Fault(kind=loss, request=method) for method in methods))
            yield UntilLost(lossy, lambda: proxy.fired > 0)
            proxy.inject()
            assert proxy.fired == 1

        return losing
