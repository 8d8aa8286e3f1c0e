"""The provider contract over OpenRouter's driver and its stand-in, in the default workspace and in another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rotator_openrouter import OpenRouter

from rotator.domain.credential import Principal
from rotator.ports import Provider
from tests.providers.http_contract import QUICK, TIMEOUT, HttpContract
from tests.servers import openrouter
from tests.servers.openrouter import DEFAULT, OTHER, OpenRouterStandIn


@pytest.mark.stand_in(openrouter.NAME)
class TestDefaultWorkspace(HttpContract):
    @pytest.fixture
    def server(self) -> Iterator[OpenRouterStandIn]:
        with OpenRouterStandIn() as server:
            yield server

    def drive(self, origin: str, admin: str) -> Provider:
        settings = {"base_url": f"{origin}/api/v1", "usage": True, **QUICK}
        return OpenRouter.from_settings("openrouter", settings, admin, TIMEOUT)

    @pytest.fixture
    def principal(self, server: OpenRouterStandIn) -> Principal:
        server.seed("somebody's", workspace_id=OTHER)
        return Principal(name="default", exclusive=True)


class TestOtherWorkspace(TestDefaultWorkspace):
    @pytest.fixture
    def principal(self, server: OpenRouterStandIn) -> Principal:
        server.seed("somebody's", workspace_id=DEFAULT)
        return Principal(name=OTHER, exclusive=True, settings={"workspace": OTHER, "limit": "50"})
