"""The provider contract, and what goes wrong over HTTP, over the driver for LiteLLM and what stands in for a proxy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from rotator_litellm import LiteLlm

from rotator.domain.credential import Principal
from rotator.domain.keys import MintRequest
from rotator.ports import Provider
from rotator.testing.provider_contract import ProviderContract
from tests.providers.http_bad_input import HttpBadInput, Scene
from tests.providers.on_stand_in import AT_ONCE, SLOWLY, TIMEOUT, WINDOW, OnStandIn
from tests.servers import litellm
from tests.servers.api import Reply, StandIn
from tests.servers.litellm import ADMIN, LiteLlmStandIn

TEAM = Principal(name="agents", settings={"team": "team-ml"}, exclusive=True)


def driver(base_url: str, admin: str = ADMIN, timeout: timedelta = TIMEOUT, **settings: Any) -> LiteLlm:
    return LiteLlm.from_settings("gateway", {"base_url": base_url, **settings}, admin, timeout)


class OnLiteLlm(OnStandIn):
    """What the contract needs."""

    cached: ClassVar[float] = 0.0
    described: ClassVar[Mapping[str, Any]] = AT_ONCE

    @pytest.fixture
    def server(self) -> Iterator[LiteLlmStandIn]:
        with LiteLlmStandIn(cached=self.cached) as server:
            yield server

    def drive(self, server: StandIn, base_url: str, admin: str | None = None) -> Provider:
        return driver(base_url, admin or ADMIN, **self.described)

    @pytest.fixture
    def principal(self) -> Principal:
        return TEAM

    @pytest.fixture
    def wrong_admin(self, server: LiteLlmStandIn) -> Provider:
        return self.drive(server, server.url, "sk-nobodys-key-0123456789")

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN, "sk-nobodys-key-0123456789")


@pytest.mark.stand_in(litellm.NAME)
class TestLiteLlm(OnLiteLlm, ProviderContract):
    pass


@pytest.mark.stand_in(litellm.NAME)
class TestWorkersThatRememberKeys(OnLiteLlm, ProviderContract):
    cached = WINDOW.total_seconds()
    described = SLOWLY


@pytest.mark.stand_in(litellm.NAME)
class TestKeysThatManage(OnLiteLlm, ProviderContract):
    described: ClassVar = {**AT_ONCE, "key_type": "management"}


@pytest.mark.stand_in(litellm.NAME)
class TestBadInput(HttpBadInput):
    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        def minted(request: MintRequest, value: str) -> Reply:
            return Reply(200, {"key": value, "token": litellm.hash_of(value), "key_alias": request.mark})

        with LiteLlmStandIn() as server:
            yield Scene(
                server=server,
                drive=lambda base_url, timeout=TIMEOUT: driver(base_url, timeout=timeout),
                principal=TEAM,
                mint="POST /key/generate",
                look="GET /key/list",
                verify="GET /v1/models",
                delete="POST /key/delete",
                admin=(ADMIN,),
                permission="proxy_admin",
                add=lambda name: server.add(f"sk-{len(server.keys):020}", key_alias=name, team_id="team-ml"),
                minted=minted,
            )
