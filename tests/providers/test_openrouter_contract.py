"""The provider contract over OpenRouter's driver and its stand-in, in the default workspace and in another one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from rotator_openrouter import OpenRouter

from rotator.domain.credential import Principal
from rotator.ports import Provider
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.servers import openrouter
from tests.servers.openrouter import DEFAULT, OTHER, OpenRouterStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind

QUICK = {"propagation": timedelta(0), "death_window": timedelta(seconds=0.2), "list_lag": timedelta(0), "usage": True}


@pytest.mark.stand_in(openrouter.NAME)
class TestDefaultWorkspace(ProviderContract):
    @pytest.fixture
    def server(self) -> Iterator[OpenRouterStandIn]:
        with OpenRouterStandIn() as server:
            yield server

    @pytest.fixture
    def proxy(self, server: OpenRouterStandIn) -> Iterator[FaultProxy]:
        with FaultProxy(server.host, server.port) as proxy:
            yield proxy

    @pytest.fixture
    def drive(self, proxy: FaultProxy) -> Callable[[str], OpenRouter]:
        settings = {"base_url": f"http://127.0.0.1:{proxy.port}/api/v1", **QUICK}
        return lambda admin: OpenRouter.from_settings("openrouter", settings, admin, timedelta(seconds=5))

    @pytest.fixture
    def provider(self, drive: Callable[[str], OpenRouter], server: OpenRouterStandIn) -> Provider:
        return drive(server.admin)

    @pytest.fixture
    def wrong_admin(self, drive: Callable[[str], OpenRouter]) -> Provider:
        return drive("sk-or-v1-wrong-one")

    @pytest.fixture
    def principal(self, server: OpenRouterStandIn) -> Principal:
        server.seed("somebody's", workspace_id=OTHER)
        return Principal(name="default", exclusive=True)

    @pytest.fixture
    def admin_secrets(self, server: OpenRouterStandIn) -> Collection[str]:
        return (server.admin, "sk-or-v1-wrong-one")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing


class TestOtherWorkspace(TestDefaultWorkspace):
    @pytest.fixture
    def principal(self, server: OpenRouterStandIn) -> Principal:
        server.seed("somebody's", workspace_id=DEFAULT)
        return Principal(name=OTHER, exclusive=True, settings={"workspace": OTHER, "limit": "50"})
