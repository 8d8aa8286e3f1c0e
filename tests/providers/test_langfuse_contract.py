"""The provider contract, and what goes wrong over HTTP, over the driver for Langfuse and a stand-in for its server."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from rotator_langfuse import Langfuse

from rotator.domain.credential import Principal
from rotator.domain.keys import MintRequest
from rotator.ports import Provider
from rotator.testing.provider_contract import ProviderContract
from tests.providers.http_bad_input import HttpBadInput, Scene
from tests.providers.on_stand_in import AT_ONCE, SLOWLY, TIMEOUT, WINDOW, OnStandIn
from tests.servers import langfuse
from tests.servers.api import Reply, StandIn
from tests.servers.langfuse import PROJECT, PUBLIC, SECRET, LangfuseStandIn

TRACES = Principal(name="traces", settings={"project": PROJECT}, exclusive=True)
WRONG = "sk-lf-nobodys-key-0123456789"


def driver(base_url: str, admin: str = SECRET, timeout: timedelta = TIMEOUT, **settings: Any) -> Langfuse:
    given = {"base_url": base_url, "public_key": PUBLIC, **settings}
    return Langfuse.from_settings("traces", given, admin, timeout)


class OnLangfuse(OnStandIn):
    """What the contract needs."""

    cached: ClassVar[float] = 0.0
    described: ClassVar[Mapping[str, Any]] = AT_ONCE

    @pytest.fixture
    def server(self) -> Iterator[LangfuseStandIn]:
        with LangfuseStandIn(cached=self.cached) as server:
            yield server

    def drive(self, server: StandIn, base_url: str, admin: str | None = None) -> Provider:
        return driver(base_url, admin or SECRET, **self.described)

    @pytest.fixture
    def principal(self) -> Principal:
        return TRACES

    @pytest.fixture
    def wrong_admin(self, server: LangfuseStandIn) -> Provider:
        return self.drive(server, server.url, WRONG)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (SECRET, WRONG)


@pytest.mark.stand_in(langfuse.NAME)
class TestLangfuse(OnLangfuse, ProviderContract):
    pass


@pytest.mark.stand_in(langfuse.NAME)
class TestARedisThatRemembersKeys(OnLangfuse, ProviderContract):
    cached = WINDOW.total_seconds()
    described = SLOWLY


@pytest.mark.stand_in(langfuse.NAME)
class TestBadInput(HttpBadInput):
    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        def minted(request: MintRequest, value: str) -> Reply:
            assert request.chosen is not None
            made = {"id": "clkey", "createdAt": "2026-11-25T10:00:00Z", "publicKey": request.chosen.reveal("public")}
            return Reply(201, {**made, "secretKey": value, "displaySecretKey": "sk-lf-...", "note": request.mark})

        with LangfuseStandIn() as server:
            yield Scene(
                server=server,
                drive=lambda base_url, timeout=TIMEOUT: driver(base_url, timeout=timeout),
                principal=TRACES,
                mint=f"POST /api/public/projects/{PROJECT}/apiKeys",
                look=f"GET /api/public/projects/{PROJECT}/apiKeys",
                verify="GET /api/public/projects",
                delete=f"DELETE /api/public/projects/{PROJECT}/apiKeys",
                admin=(SECRET, PUBLIC),
                permission="Langfuse organization",
                add=lambda name: server.add(f"pk-lf-{len(server.keys)}", f"sk-lf-{len(server.keys):020}", name),
                minted=minted,
            )
