"""The provider contract for a driver of an HTTP API and its stand-in, with a proxy between them that loses answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import pytest

from rotator.ports import Provider
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.servers.proxy import Fault, FaultProxy, Kind

QUICK = {"propagation": timedelta(0), "death_window": timedelta(seconds=0.2), "list_lag": timedelta(0)}
"""Windows as stand-ins keep them."""
TIMEOUT = timedelta(seconds=60)
WRONG = "wrong-admin-credential"


class Standing(Protocol):
    """A stand-in with an admin credential."""

    admin: str

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class HttpContract(ProviderContract):
    """A subclass brings `server`, `principal` and `drive`."""

    @pytest.fixture
    def server(self) -> Iterator[Standing]:
        """A fresh stand-in."""
        raise NotImplementedError

    def drive(self, origin: str, admin: str) -> Provider:
        """The driver at this origin (`http://host:port`) with this admin credential."""
        raise NotImplementedError

    @pytest.fixture
    def proxy(self, server: Standing) -> Iterator[FaultProxy]:
        with FaultProxy(server.host, server.port) as proxy:
            yield proxy

    @pytest.fixture
    def driven(self, proxy: FaultProxy) -> Callable[[str], Provider]:
        return lambda admin: self.drive(f"http://127.0.0.1:{proxy.port}", admin)

    @pytest.fixture
    def provider(self, driven: Callable[[str], Provider], server: Standing) -> Provider:
        return driven(server.admin)

    @pytest.fixture
    def wrong_admin(self, driven: Callable[[str], Provider]) -> Provider:
        return driven(WRONG)

    @pytest.fixture
    def admin_secrets(self, server: Standing) -> Collection[str]:
        return (server.admin, WRONG)

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing
