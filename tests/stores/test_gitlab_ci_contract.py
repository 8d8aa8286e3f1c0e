"""The contract of stores that cannot be read over the GitLab CI store and a stand-in for GitLab's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar

import pytest

from rotator.adapters.stores.gitlab_ci import GitlabCiStore
from rotator.ports import Store
from rotator.testing.store_contract import LoseAnswer
from rotator.testing.write_only_store_contract import Reader, WriteOnlyStoreContract
from tests.servers import gitlab
from tests.servers.gitlab import TOKEN, GitlabStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.losing import UntilLost
from tests.stores.making import Making, in_process

pytestmark = pytest.mark.stand_in(gitlab.NAME)


def made(url: str, timeout: timedelta = timedelta(seconds=10), making: Making = in_process) -> GitlabCiStore:
    settings = {"base_url": f"{url}/api/v4", "token": "env:TOKEN", "masked": False}
    return making(GitlabCiStore, "ci", settings, lambda _: TOKEN, timeout)


class Job:
    """A job that reads variables, and a maintainer on the site."""

    def __init__(self, server: GitlabStandIn) -> None:
        self.server = server

    def look(self, ref: str, field: str) -> str | None:
        return self.server.read_by_a_job(ref, field)

    def edit(self, ref: str, field: str, text: str) -> None:
        self.server.set_by_hand(ref, field, text)


class TestGitlabCi(WriteOnlyStoreContract):
    REFUSED: ClassVar[frozenset[str]] = frozenset({"half of a character", "too long", "long"})

    @pytest.fixture
    def server(self) -> Iterator[GitlabStandIn]:
        with GitlabStandIn() as server:
            yield server

    @pytest.fixture(params=["projects/acme/api", "groups/acme"])
    def ref(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def store(self, server: GitlabStandIn, making: Making) -> Store:
        return made(server.url, making=making)

    @pytest.fixture
    def reader(self, server: GitlabStandIn) -> Reader:
        return Job(server)

    @pytest.fixture(params=[Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
    def loss(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def lose_answer(
        self,
        server: GitlabStandIn,
        fault_proxy: Callable[[str, int], FaultProxy],
        loss: Kind,
        making: Making,
    ) -> LoseAnswer:
        proxy = fault_proxy(server.host, server.port)
        timeout = timedelta(seconds=0.5 if loss is Kind.HANG_RESPONSE else 10)
        lossy = made(f"http://127.0.0.1:{proxy.port}", timeout, making)

        @contextmanager
        def losing() -> Iterator[Store]:
            proxy.inject(Fault(kind=loss, request=b"PUT /"))
            yield UntilLost(lossy, lambda: proxy.fired > 0)
            assert proxy.fired == 1

        return losing
