"""The contract of providers, over the driver of PostgreSQL, on two versions of the server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from rotator.sdk import Principal, Provider
from rotator.testing.provider_contract import LoseAnswer, SlotContract
from tests.providers.postgres_setup import ADMIN_PASSWORD, Arena, arena
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.real("PostgreSQL")


@pytest.fixture
def pg(each_postgres_server: PostgresServer) -> Iterator[Arena]:
    with arena(each_postgres_server) as made:
        yield made


class OnPostgres:
    """What the contract needs: the driver behind a proxy that can lose answers."""

    @pytest.fixture
    def proxy(self, pg: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(pg.database.host, pg.database.port)

    @pytest.fixture
    def provider(self, pg: Arena, proxy: FaultProxy) -> Provider:
        return pg.driver(port=proxy.port)

    @pytest.fixture
    def principal(self, pg: Arena) -> Principal:
        return pg.principal

    @pytest.fixture
    def wrong_admin(self, pg: Arena) -> Provider:
        return pg.driver(admin="NotTheAdmin12345")

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN_PASSWORD, "NotTheAdmin12345")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def lose() -> Iterator[None]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"COMMIT", response=b"COMMIT"))
            try:
                yield
            finally:
                proxy.inject()

        return lose


class TestPostgres(OnPostgres, SlotContract):
    pass
