"""The contract of providers, over the driver of RabbitMQ and a real server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from rotator.sdk import KeyState, Principal, Provider
from rotator.testing.provider_contract import LoseAnswer, SlotContract
from tests.providers.logins import ADMIN_PASSWORD, WRONG_PASSWORD
from tests.providers.rabbitmq_setup import Arena, arena
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.servers.rabbitmq import RabbitmqServer


class TestRabbitmq(SlotContract):
    @pytest.fixture
    def mq(self, rabbitmq_server: RabbitmqServer) -> Arena:
        return arena(rabbitmq_server)

    @pytest.fixture
    def proxy(self, mq: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(mq.server.host, mq.server.port)

    @pytest.fixture
    def provider(self, mq: Arena, proxy: FaultProxy) -> Provider:
        return mq.driver(port=proxy.port)

    @pytest.fixture
    def principal(self, mq: Arena) -> Principal:
        for each in mq.driver().keys(mq.principal):  # users that exist, so that a mint is the first thing to change one
            mq.driver().set_state(mq.principal, each.id, KeyState.DELETED)
        return mq.principal

    @pytest.fixture
    def wrong_admin(self, mq: Arena) -> Provider:
        return mq.driver(admin=WRONG_PASSWORD)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN_PASSWORD, WRONG_PASSWORD)

    @pytest.fixture
    def lose_answer(self, mq: Arena, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def lose() -> Iterator[None]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"PUT /api/users/"))
            try:
                yield
            finally:
                proxy.inject()
                for each in mq.server.ask("GET", "queues", "rotator"):  # a lock that stays would end in a minute
                    mq.server.ask("DELETE", "queues", "rotator", each["name"])

        return lose
