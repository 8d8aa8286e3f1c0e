"""The contract of stores that cannot be read over the GitHub Actions store and a stand-in for GitHub's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rotator.adapters.stores.github_actions import GithubActionsStore
from rotator.adapters.stores.github_actions.app import bearer
from rotator.adapters.stores.github_actions.store import LARGEST, Secrets
from rotator.adapters.stores.http import Api
from rotator.ports import Store
from rotator.testing.store_contract import LoseAnswer
from rotator.testing.write_only_store_contract import Reader, WriteOnlyStoreContract
from tests.servers import github
from tests.servers.github import TOKEN, GithubStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.losing import UntilLost
from tests.stores.making import Making, in_process

pytestmark = pytest.mark.stand_in(github.NAME)
SCOPES = {
    "acme/api": "repos/acme/api/actions",
    "acme/api/production": "repos/acme/api/environments/production",
    "acme": "orgs/acme/actions",
}


def made(
    server: GithubStandIn, url: str = "", timeout: timedelta = timedelta(seconds=10), making: Making = in_process
) -> GithubActionsStore:
    """A store whose waiting moves the server's clock; in another process, whose waiting is real, each write does."""
    if making is not in_process:
        server.tick = 1.0
        settings = {"base_url": url or server.url, "auth": {"method": "token", "token": "env:TOKEN"}}
        return making(GithubActionsStore, "ci", settings, lambda _: TOKEN, timeout)
    api = Api(url or server.url, lambda *_: bearer(TOKEN))
    return GithubActionsStore(Secrets(api, "private"), "GitHub", LARGEST, timeout, sleep=server.advance)


class Workflow:
    """A run that reads secrets, and a person on the site."""

    def __init__(self, server: GithubStandIn) -> None:
        self.server = server

    def look(self, ref: str, field: str) -> str | None:
        return self.server.opened(SCOPES[ref], field)

    def edit(self, ref: str, field: str, text: str) -> None:
        self.server.set_by_hand(SCOPES[ref], field, text)


class TestGithubActions(WriteOnlyStoreContract):
    @pytest.fixture
    def server(self) -> Iterator[GithubStandIn]:
        with GithubStandIn() as server:
            yield server

    @pytest.fixture(params=sorted(SCOPES))
    def ref(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def store(self, server: GithubStandIn, making: Making) -> Store:
        return made(server, making=making)

    @pytest.fixture
    def reader(self, server: GithubStandIn) -> Reader:
        return Workflow(server)

    @pytest.fixture(params=[Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
    def loss(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def lose_answer(
        self,
        server: GithubStandIn,
        fault_proxy: Callable[[str, int], FaultProxy],
        loss: Kind,
        making: Making,
    ) -> LoseAnswer:
        proxy = fault_proxy(server.host, server.port)
        timeout = timedelta(seconds=0.5 if loss is Kind.HANG_RESPONSE else 10)
        lossy = made(server, f"http://127.0.0.1:{proxy.port}", timeout, making)

        @contextmanager
        def losing() -> Iterator[Store]:
            proxy.inject(Fault(kind=loss, request=b"PUT /"))
            yield UntilLost(lossy, lambda: proxy.fired > 0)
            assert proxy.fired == 1

        return losing
