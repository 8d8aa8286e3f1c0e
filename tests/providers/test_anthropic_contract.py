"""The provider contract over the driver of the Claude API and a stand-in on a real socket, with a person in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rotator_anthropic import Anthropic

from rotator.sdk import Minted, MintRequest, Principal, Provider, Secret
from rotator.sdk.http import path
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.servers.anthropic import ADMIN, NAME, WORKSPACE, AnthropicStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in(NAME)
TIMEOUT = timedelta(seconds=60)
QUICK: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")


class Console(Anthropic):
    """The driver with the person in it who makes keys: what the contract mints is made in the Console."""

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        made = self._client.mint(path("console", "keys", WORKSPACE), {}).body
        return Minted(key_id=made["id"], value=Secret({"secret": made["value"]}))


class TestAnthropic(ProviderContract):
    @pytest.fixture
    def server(self) -> Iterator[AnthropicStandIn]:
        with AnthropicStandIn() as server:
            yield server

    @pytest.fixture
    def proxy(self, server: AnthropicStandIn, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(server.host, server.port)

    @pytest.fixture
    def provider(self, proxy: FaultProxy) -> Provider:
        return self._driver(proxy, ADMIN)

    @pytest.fixture
    def wrong_admin(self, proxy: FaultProxy) -> Provider:
        return self._driver(proxy, "sk-ant-admin01-of-nobody")

    @staticmethod
    def _driver(proxy: FaultProxy, admin: str) -> Console:
        settings = {"base_url": f"http://127.0.0.1:{proxy.port}", **QUICK}
        return Console.from_settings("anthropic", settings, admin, TIMEOUT)

    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="agents", exclusive=True, settings={"workspace": WORKSPACE})

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN, "sk-ant-admin01-of-nobody")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def lose() -> Iterator[None]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, response=b"HTTP/1.1"))
            yield
            assert proxy.fired
            proxy.inject()

        return lose
