"""The provider contract over OpenAI's driver and its stand-in, for keys of a service account and for admin keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rotator_openai import OpenAi

from rotator.domain.credential import Principal
from rotator.ports import Provider
from tests.providers.http_contract import QUICK, TIMEOUT, HttpContract
from tests.servers import openai
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn


@pytest.mark.stand_in(openai.NAME)
class TestServiceAccount(HttpContract):
    @pytest.fixture
    def server(self) -> Iterator[OpenAiStandIn]:
        with OpenAiStandIn() as server:
            yield server

    def drive(self, origin: str, admin: str) -> Provider:
        return OpenAi.from_settings("openai", {"base_url": f"{origin}/v1", **QUICK}, admin, TIMEOUT)

    @pytest.fixture
    def principal(self, server: OpenAiStandIn) -> Principal:
        server.seed("svc_acct_two")
        server.seed("user-1")
        return Principal(name="svc", exclusive=True, settings={"project": PROJECT, "service_account": ACCOUNT})


class TestAdminKeys(TestServiceAccount):
    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="admin", exclusive=True, settings={"kind": "admin"})
