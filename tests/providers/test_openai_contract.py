"""The provider contract over OpenAI's driver and its stand-in, for keys of a service account and for admin keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from rotator_openai import OpenAi

from rotator.domain.credential import Principal
from rotator.ports import Provider
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.servers import openai
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind

QUICK = {"propagation": timedelta(0), "death_window": timedelta(seconds=0.2), "list_lag": timedelta(0)}


@pytest.mark.stand_in(openai.NAME)
class TestServiceAccount(ProviderContract):
    @pytest.fixture
    def server(self) -> Iterator[OpenAiStandIn]:
        with OpenAiStandIn() as server:
            yield server

    @pytest.fixture
    def proxy(self, server: OpenAiStandIn) -> Iterator[FaultProxy]:
        with FaultProxy(server.host, server.port) as proxy:
            yield proxy

    @pytest.fixture
    def drive(self, proxy: FaultProxy) -> Callable[[str], OpenAi]:
        settings = {"base_url": f"http://127.0.0.1:{proxy.port}/v1", **QUICK}
        return lambda admin: OpenAi.from_settings("openai", settings, admin, timedelta(seconds=5))

    @pytest.fixture
    def provider(self, drive: Callable[[str], OpenAi], server: OpenAiStandIn) -> Provider:
        return drive(server.admin)

    @pytest.fixture
    def wrong_admin(self, drive: Callable[[str], OpenAi]) -> Provider:
        return drive("sk-admin-wrong-one")

    @pytest.fixture
    def principal(self, server: OpenAiStandIn) -> Principal:
        server.seed("svc_acct_two")
        server.seed("user-1")
        return Principal(name="svc", exclusive=True, settings={"project": PROJECT, "service_account": ACCOUNT})

    @pytest.fixture
    def admin_secrets(self, server: OpenAiStandIn) -> Collection[str]:
        return (server.admin, "sk-admin-wrong-one")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing


class TestAdminKeys(TestServiceAccount):
    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="admin", exclusive=True, settings={"kind": "admin"})
