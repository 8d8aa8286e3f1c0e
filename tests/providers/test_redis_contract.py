"""The contract of providers, over the driver of Redis and a real server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from rotator.sdk import Principal, Provider
from rotator.testing.provider_contract import LoseAnswer, SlotContract
from tests.providers.logins import ADMIN_PASSWORD, WRONG_PASSWORD
from tests.providers.redis_setup import Arena, arena
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.servers.redis import RedisServer


class TestRedis(SlotContract):
    @pytest.fixture
    def cache(self, redis_server: RedisServer) -> Arena:
        return arena(redis_server)

    @pytest.fixture
    def proxy(self, cache: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(cache.server.host, cache.server.port)

    @pytest.fixture
    def provider(self, cache: Arena, proxy: FaultProxy) -> Provider:
        return cache.driver(port=proxy.port)

    @pytest.fixture
    def principal(self, cache: Arena) -> Principal:
        return cache.principal

    @pytest.fixture
    def wrong_admin(self, cache: Arena) -> Provider:
        return cache.driver(admin=WRONG_PASSWORD)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN_PASSWORD, WRONG_PASSWORD)

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def lose() -> Iterator[None]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"EXEC", response=b"OK"))
            try:
                yield
            finally:
                proxy.inject()

        return lose
