"""What goes wrong between OpenAI and its driver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from rotator_openai import PERMISSION, OpenAi

from rotator.domain.credential import Principal
from rotator.ports import Provider
from tests.providers.http_faults import Case, HttpFaults
from tests.servers import openai
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn

KEYS = f"/v1/organization/projects/{PROJECT}"


def drive(origin: str, admin: str, timeout: timedelta) -> Provider:
    return OpenAi.from_settings("openai", {"base_url": f"{origin}/v1"}, admin, timeout)


@pytest.mark.stand_in(openai.NAME)
class TestServiceAccount(HttpFaults):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with OpenAiStandIn() as server:

            def seed(name: str) -> tuple[str, str]:
                made = server.seed(name=name)
                return made["id"], made["value"]

            yield Case(
                server=server,
                principal=Principal(name="svc", settings={"project": PROJECT, "service_account": ACCOUNT}),
                admin=server.admin,
                reader=server.reader,
                drive=drive,
                mint_line=f"POST {KEYS}/service_accounts/{ACCOUNT}/api_keys",
                list_line=f"GET {KEYS}/api_keys",
                permission=PERMISSION,
                minted=lambda value: {"id": "key_1", "value": value, "created_at": 1},
                seed=seed,
            )


class TestAdminKeys(TestServiceAccount):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with OpenAiStandIn() as server:

            def seed(name: str) -> tuple[str, str]:
                made = server.seed_admin(name=name)
                return made["id"], made["value"]

            yield Case(
                server=server,
                principal=Principal(name="admin", settings={"kind": "admin"}),
                admin=server.admin,
                reader=server.reader,
                drive=drive,
                mint_line="POST /v1/organization/admin_api_keys",
                list_line="GET /v1/organization/admin_api_keys",
                permission=PERMISSION,
                minted=lambda value: {"id": "key_1", "value": value, "created_at": 1},
                seed=seed,
            )
