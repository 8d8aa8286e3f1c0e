"""The provider contract of a driver over HTTP, on its stand-in behind a proxy that can lose answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rotator.ports import Provider
from rotator.testing.provider_contract import LoseAnswer
from tests.servers.api import StandIn
from tests.servers.proxy import Fault, FaultProxy, Kind

TIMEOUT = timedelta(seconds=60)
WINDOW = timedelta(seconds=0.3)
AT_ONCE = {"propagation": timedelta(0), "death_window": timedelta(0), "list_lag": timedelta(0)}
SLOWLY = {"propagation": WINDOW, "death_window": 2 * WINDOW, "list_lag": 2 * WINDOW}


class OnStandIn:
    """Needs a fixture `server`, and `drive`, which makes the driver with this admin credential or with its good one."""

    @pytest.fixture
    def server(self) -> Iterator[StandIn]:
        """The stand-in, with the principal that the contract uses and no keys."""
        raise NotImplementedError

    def drive(self, server: StandIn, base_url: str, admin: str | None = None) -> Provider:
        """The driver."""
        raise NotImplementedError

    @pytest.fixture
    def proxy(self, server: StandIn) -> Iterator[FaultProxy]:
        with FaultProxy(server.host, server.port) as proxy:
            yield proxy

    @pytest.fixture
    def provider(self, server: StandIn, proxy: FaultProxy) -> Provider:
        return self.drive(server, f"http://127.0.0.1:{proxy.port}")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing
