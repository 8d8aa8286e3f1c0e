"""The store contract over the vault store and a real OpenBao."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from rotator.adapters.stores.vault import VaultStore
from rotator.ports import Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract
from tests.servers.openbao import OpenBaoServer, Refused
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.losing import UntilLost
from tests.stores.making import Making, in_process


class Somebody:
    """Another client of the same engine, with curl."""

    def __init__(self, server: OpenBaoServer, mount: str) -> None:
        self.server = server
        self.mount = mount

    def edit(self, ref: str, field: str, text: str) -> None:
        document = {**self.look(ref), field: text}
        self.server.request("POST", f"{self.mount}/data/{ref}", {"data": document})

    def look(self, ref: str) -> Mapping[str, str]:
        with suppress(Refused):
            found: dict[str, str] = self.server.request("GET", f"{self.mount}/data/{ref}")["data"]["data"]
            return found
        return {}


def made(server: OpenBaoServer, mount: str, making: Making = in_process, **more: str) -> VaultStore:
    settings = {
        "address": server.address,
        "mount": mount,
        "auth": {"method": "token", "token": "env:TOKEN"},
        **more,
    }
    return making(VaultStore, "vault", settings, lambda _: server.token, timedelta(seconds=10))


def losing(
    server: OpenBaoServer,
    mount: str,
    fault_proxy: Callable[[str, int], FaultProxy],
    kind: Kind = Kind.DROP_RESPONSE,
    making: Making = in_process,
    **more: str,
) -> LoseAnswer:
    """A store behind a proxy that loses the answer to the next write; `more`: settings."""
    proxy = fault_proxy(server.host, server.port)
    settings = {
        "address": f"http://127.0.0.1:{proxy.port}",
        "mount": mount,
        "auth": {"method": "token", "token": "env:TOKEN"},
        **more,
    }
    timeout = timedelta(seconds=1.0 if kind is Kind.HANG_RESPONSE else 10)
    lossy = making(VaultStore, "lossy", settings, lambda _: server.token, timeout)

    @contextmanager
    def once() -> Iterator[Store]:
        proxy.inject(Fault(kind=kind, request=f"POST /v1/{mount}/data/".encode()))
        yield UntilLost(lossy, lambda: proxy.fired > 0)
        assert proxy.fired == 1

    return once


class TestVault(StoreContract):
    @pytest.fixture
    def store(self, openbao_server: OpenBaoServer, openbao_mount: str, making: Making) -> Store:
        return made(openbao_server, openbao_mount, making)

    @pytest.fixture
    def colleague(self, openbao_server: OpenBaoServer, openbao_mount: str) -> Colleague:
        return Somebody(openbao_server, openbao_mount)

    @pytest.fixture(params=[Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
    def loss(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def lose_answer(
        self,
        openbao_server: OpenBaoServer,
        openbao_mount: str,
        fault_proxy: Callable[[str, int], FaultProxy],
        loss: Kind,
        making: Making,
    ) -> LoseAnswer:
        return losing(openbao_server, openbao_mount, fault_proxy, loss, making)


class TestVaultInANamespace(StoreContract):
    @pytest.fixture
    def there(self, openbao_server: OpenBaoServer) -> Iterator[OpenBaoServer]:
        """The server within a namespace of the test's own."""
        with openbao_server.namespace() as name:
            yield openbao_server.within(name)

    @pytest.fixture
    def mount(self, there: OpenBaoServer) -> Iterator[str]:
        with there.kv_mount() as mount:
            yield mount

    @pytest.fixture
    def store(self, there: OpenBaoServer, mount: str) -> Store:
        return made(there, mount, namespace=there.namespaced)

    @pytest.fixture
    def colleague(self, there: OpenBaoServer, mount: str) -> Colleague:
        return Somebody(there, mount)

    @pytest.fixture
    def lose_answer(
        self, there: OpenBaoServer, mount: str, fault_proxy: Callable[[str, int], FaultProxy]
    ) -> LoseAnswer:
        return losing(there, mount, fault_proxy, namespace=there.namespaced)


class Careful(Somebody):
    """Somebody who writes where every write must say on which version."""

    def edit(self, ref: str, field: str, text: str) -> None:
        version = 0
        with suppress(Refused):
            version = self.server.request("GET", f"{self.mount}/metadata/{ref}")["data"]["current_version"]
        data = {**self.look(ref), field: text}
        self.server.request("POST", f"{self.mount}/data/{ref}", {"data": data, "options": {"cas": version}})


class TestVaultThatKeepsOneVersionAndWantsCas(StoreContract):
    @pytest.fixture
    def mount(self, openbao_server: OpenBaoServer, openbao_mount: str) -> str:
        openbao_server.request("POST", f"{openbao_mount}/config", {"cas_required": True, "max_versions": 1})
        return openbao_mount

    @pytest.fixture
    def store(self, openbao_server: OpenBaoServer, mount: str) -> Store:
        return made(openbao_server, mount)

    @pytest.fixture
    def colleague(self, openbao_server: OpenBaoServer, mount: str) -> Colleague:
        return Careful(openbao_server, mount)

    @pytest.fixture
    def lose_answer(
        self, openbao_server: OpenBaoServer, mount: str, fault_proxy: Callable[[str, int], FaultProxy]
    ) -> LoseAnswer:
        return losing(openbao_server, mount, fault_proxy)
