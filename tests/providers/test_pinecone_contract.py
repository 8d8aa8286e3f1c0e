"""The provider contract, and what goes wrong over HTTP, over the driver for Pinecone and what stands in for its API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from rotator_pinecone import Pinecone

from rotator.domain.credential import Principal
from rotator.domain.keys import MintRequest
from rotator.ports import Provider
from rotator.testing.provider_contract import ProviderContract
from tests.providers.http_bad_input import HttpBadInput, Scene
from tests.providers.on_stand_in import AT_ONCE, SLOWLY, TIMEOUT, WINDOW, OnStandIn
from tests.servers import pinecone
from tests.servers.api import Reply, StandIn
from tests.servers.pinecone import CLIENT_ID, CLIENT_SECRET, PROJECT, TOKEN, PineconeStandIn

VECTORS = Principal(name="vectors", settings={"project": PROJECT}, exclusive=True)
WRONG = "nobodys-secret-0123456789"
KEY_ID = "0f1e2d3c-4b5a-4697-8877-665544332211"


def driver(base_url: str, admin: str = TOKEN, timeout: timedelta = TIMEOUT, **settings: Any) -> Pinecone:
    return Pinecone.from_settings("vectors", {"base_url": base_url, **settings}, admin, timeout)


class OnPinecone(OnStandIn):
    """What the contract needs."""

    dying: ClassVar[float] = 0.0
    described: ClassVar[Mapping[str, Any]] = AT_ONCE

    @pytest.fixture
    def server(self) -> Iterator[PineconeStandIn]:
        with PineconeStandIn(dying=self.dying) as server:
            yield server

    def drive(self, server: StandIn, base_url: str, admin: str | None = None) -> Provider:
        assert isinstance(server, PineconeStandIn)
        login: dict[str, Any] = {"login_url": server.login.url, "client_id": CLIENT_ID}
        return driver(base_url, admin or CLIENT_SECRET, **login, **self.described)

    @pytest.fixture
    def principal(self) -> Principal:
        return VECTORS

    @pytest.fixture
    def wrong_admin(self, server: PineconeStandIn) -> Provider:
        return self.drive(server, server.url, WRONG)

    @pytest.fixture
    def admin_secrets(self, server: PineconeStandIn) -> Collection[str]:
        return (CLIENT_SECRET, WRONG, TOKEN)


@pytest.mark.stand_in(pinecone.NAME)
class TestPinecone(OnPinecone, ProviderContract):
    pass


@pytest.mark.stand_in(pinecone.NAME)
class TestDeletionsThatAreDoneLater(OnPinecone, ProviderContract):
    dying = WINDOW.total_seconds()
    described = SLOWLY


@pytest.mark.stand_in(pinecone.NAME)
class TestAReadyToken(OnPinecone, ProviderContract):
    def drive(self, server: StandIn, base_url: str, admin: str | None = None) -> Provider:
        return driver(base_url, admin or TOKEN, **self.described)


@pytest.mark.stand_in(pinecone.NAME)
class TestBadInput(HttpBadInput):
    @pytest.fixture
    def scene(self) -> Iterator[Scene]:
        def minted(request: MintRequest, value: str) -> Reply:
            row = {"id": KEY_ID, "name": request.mark, "project_id": PROJECT, "roles": ["ProjectEditor"]}
            return Reply(201, {"key": row, "value": value})

        with PineconeStandIn() as server:
            yield Scene(
                server=server,
                drive=lambda base_url, timeout=TIMEOUT: driver(base_url, timeout=timeout),
                principal=VECTORS,
                mint=f"POST /admin/projects/{PROJECT}/api-keys",
                look=f"GET /admin/projects/{PROJECT}/api-keys",
                verify="GET /indexes",
                delete="DELETE /admin/api-keys/",
                admin=(TOKEN,),
                permission="Pinecone service account",
                add=server.add,
                nobody=KEY_ID,
                minted=minted,
            )
