"""The contract of providers through a confined process: what a driver promises, it keeps there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from rotator.ports import Provider
from rotator.testing.keyserver import Behaviour, Keyserver
from rotator.testing.provider_contract import ProviderContract, SlotContract
from tests.isolation.children import Start, needs_sandbox
from tests.providers import test_postgres_contract
from tests.providers.postgres_setup import ADMIN_PASSWORD, Arena, arena
from tests.providers.test_keyserver_contract import OnKeyserver
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy

pytestmark = needs_sandbox


class Apart(OnKeyserver):
    """A keyserver whose driver is a process."""

    @pytest.fixture
    def drive(self, server: Keyserver, start: Start) -> Callable[[str], Any]:
        settings = {"base_url": server.url, **self.described}
        return lambda admin: start("keyserver", settings, admin=admin)


class TestKeyserver(Apart, ProviderContract):
    pass


class TestKeyserverInSlots(Apart, SlotContract):
    behaviour = Behaviour(slots=("app_a", "app_b"))
    described: ClassVar = {"strategy": "dual", "slots": ["app_a", "app_b"]}


class TestPostgres(test_postgres_contract.OnPostgres, SlotContract):
    """Its client is pure Python, so that the connection can come from the parent."""

    pytestmark = pytest.mark.real("PostgreSQL")

    @pytest.fixture
    def pg(self, postgres_server: PostgresServer) -> Iterator[Arena]:
        with arena(postgres_server) as made:
            yield made

    @pytest.fixture
    def provider(self, pg: Arena, proxy: FaultProxy, start: Start) -> Provider:
        return start("postgres", pg.settings(port=proxy.port), admin=ADMIN_PASSWORD)

    @pytest.fixture
    def wrong_admin(self, pg: Arena, start: Start) -> Provider:
        return start("postgres", pg.settings(), admin="NotTheAdmin12345")
