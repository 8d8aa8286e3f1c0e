"""The contract of providers, over the driver of MariaDB and a real server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from rotator.sdk import Principal, Provider
from rotator.testing.provider_contract import LoseAnswer, SlotContract
from tests.providers.logins import ADMIN_PASSWORD, WRONG_PASSWORD
from tests.providers.mysql_setup import Arena, arena
from tests.servers.mariadb import MariadbServer
from tests.servers.proxy import Fault, FaultProxy, Kind


class TestMariadb(SlotContract):
    @pytest.fixture
    def db(self, mariadb_server: MariadbServer) -> Arena:
        return arena(mariadb_server)

    @pytest.fixture
    def proxy(self, db: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(db.server.host, db.server.port)

    @pytest.fixture
    def provider(self, db: Arena, proxy: FaultProxy) -> Provider:
        return db.driver(port=proxy.port)

    @pytest.fixture
    def principal(self, db: Arena) -> Principal:
        return db.principal

    @pytest.fixture
    def wrong_admin(self, db: Arena) -> Provider:
        return db.driver(admin=WRONG_PASSWORD)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN_PASSWORD, WRONG_PASSWORD)

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def lose() -> Iterator[None]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"ALTER USER"))
            try:
                yield
            finally:
                proxy.inject()

        return lose
