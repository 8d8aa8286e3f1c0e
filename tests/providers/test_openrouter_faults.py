"""What goes wrong between OpenRouter and its driver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from rotator_openrouter import PERMISSION, OpenRouter

from rotator.domain.credential import Principal
from rotator.ports import Provider
from tests.providers.http_faults import Case, HttpFaults
from tests.servers import openrouter
from tests.servers.openrouter import OpenRouterStandIn


def drive(origin: str, admin: str, timeout: timedelta) -> Provider:
    return OpenRouter.from_settings("openrouter", {"base_url": f"{origin}/api/v1"}, admin, timeout)


@pytest.mark.stand_in(openrouter.NAME)
class TestOpenRouter(HttpFaults):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with OpenRouterStandIn() as server:

            def seed(name: str) -> tuple[str, str]:
                made = server.seed(name)
                return made["hash"], made["value"]

            yield Case(
                server=server,
                principal=Principal(name="default"),
                admin=server.admin,
                drive=drive,
                mint_line="POST /api/v1/keys",
                list_line="GET /api/v1/keys",
                permission=PERMISSION,
                minted=lambda value: {"data": {"hash": "ab", "created_at": None}, "key": value},
                minted_status=201,
                seed=seed,
            )
