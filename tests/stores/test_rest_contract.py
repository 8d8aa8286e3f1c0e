"""The contract of stores that cannot be read over the `rest` store, by the very descriptions of docs/drivers.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar

import pytest

from rotator.adapters.stores.rest import RestStore
from rotator.ports import Store
from rotator.testing.store_contract import LoseAnswer
from rotator.testing.write_only_store_contract import Reader, WriteOnlyStoreContract
from tests.servers import described
from tests.servers.described import TOKEN, CircleCiStandIn, VariablesStandIn, VercelStandIn
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.described import description
from tests.stores.making import Making, in_process


def made(name: str, url: str, timeout: timedelta = timedelta(seconds=10), making: Making = in_process) -> RestStore:
    return making(RestStore, "ci", description(name, url), lambda _: TOKEN, timeout)


class Deployment:
    """What reads variables, and a person on the site."""

    def __init__(self, server: VariablesStandIn) -> None:
        self.server = server

    def look(self, ref: str, field: str) -> str | None:
        return self.server.read_by_a_job(ref, field)

    def edit(self, ref: str, field: str, text: str) -> None:
        self.server.set_by_hand(ref, field, text)


class Described(WriteOnlyStoreContract):
    """What both have."""

    REFUSED: ClassVar[frozenset[str]] = frozenset({"half of a character", "too long"})
    api: ClassVar[str]
    kind: ClassVar[type[VariablesStandIn]]
    writes: ClassVar[bytes]

    @pytest.fixture
    def server(self) -> Iterator[VariablesStandIn]:
        with self.kind() as server:
            yield server

    @pytest.fixture
    def ref(self) -> str:
        (owner,) = self.kind.owners
        return owner

    @pytest.fixture
    def store(self, server: VariablesStandIn, making: Making) -> Store:
        return made(self.api, server.url, making=making)

    @pytest.fixture
    def reader(self, server: VariablesStandIn) -> Reader:
        return Deployment(server)

    @pytest.fixture
    def lose_answer(
        self, server: VariablesStandIn, fault_proxy: Callable[[str, int], FaultProxy], making: Making
    ) -> LoseAnswer:
        proxy = fault_proxy(server.host, server.port)
        lossy = made(self.api, f"http://127.0.0.1:{proxy.port}", making=making)

        @contextmanager
        def losing() -> Iterator[Store]:
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=self.writes))
            yield lossy
            assert proxy.fired == 1

        return losing


@pytest.mark.stand_in(described.CIRCLECI)
class TestCircleCi(Described):
    api, kind, writes = "circleci", CircleCiStandIn, b"PUT /context/"


@pytest.mark.stand_in(described.VERCEL)
class TestVercel(Described):
    api, kind, writes = "vercel", VercelStandIn, b"POST /v10/projects/"
