"""The provider contract over the keyserver's driver and a keyserver on a real socket, in every strategy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from rotator_keyserver import Keyserver as Driver

from rotator.domain.credential import Principal
from rotator.domain.failures import Permanent
from rotator.domain.keys import UNMARKED, Minted, MintRequest
from rotator.ports import Provider
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver
from rotator.testing.provider_contract import LoseAnswer, ProviderContract, SlotContract

TIMEOUT = timedelta(seconds=60)
SLOW = Behaviour(propagation=0.2, death=0.3, list_lag=0.2, flapping=0.5)
SLOWLY = {name: timedelta(seconds=0.4) for name in ("propagation", "death_window", "list_lag")}


class OnKeyserver:
    """What the contract needs, for a keyserver that behaves so and is described so."""

    behaviour: ClassVar[Behaviour] = Behaviour()
    described: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def server(self) -> Iterator[Keyserver]:
        with Keyserver(self.behaviour) as server:
            yield server

    @pytest.fixture
    def drive(self, server: Keyserver) -> Callable[[str], Driver]:
        settings = {"base_url": server.url, **self.described}
        return lambda admin: Driver.from_settings("keyserver", settings, admin, TIMEOUT)

    @pytest.fixture
    def provider(self, drive: Callable[[str], Driver], server: Keyserver) -> Provider:
        return drive(server.admin)

    @pytest.fixture
    def wrong_admin(self, drive: Callable[[str], Driver]) -> Provider:
        return drive("wrong-admin-secret")

    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="svc/ä one", exclusive=True)

    @pytest.fixture
    def admin_secrets(self, server: Keyserver) -> Collection[str]:
        return (server.admin, "wrong-admin-secret")

    @pytest.fixture
    def lose_answer(self, server: Keyserver) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = len([record for record in server.log if record.fault is FaultKind.LOSE_RESPONSE])
            server.fail(None, FaultKind.LOSE_RESPONSE)
            yield
            lost = [record for record in server.log if record.fault is FaultKind.LOSE_RESPONSE]
            assert len(lost) == before + 1, "no answer was lost"

        return losing


class TestOverlap(OnKeyserver, ProviderContract):
    pass


class TestOverlapWithWindows(OnKeyserver, ProviderContract):
    behaviour = SLOW
    described = SLOWLY


class TestOverlapOfThePoorestKeyserver(OnKeyserver, ProviderContract):
    """A small cap, pages of one key, and nothing that is optional."""

    behaviour = Behaviour(cap=2, page_size=1, disable=False, expiry=False, last_used=False, identify=False)
    described: ClassVar = {"cap": 2, "disable": False, "expiry": False, "usage": False, "identifies": False}


class TestUnmarked(OnKeyserver, ProviderContract):
    behaviour = Behaviour(marks=False)
    described: ClassVar = {"strategy": "unmarked"}


class TestTwoSlots(OnKeyserver, SlotContract):
    behaviour = Behaviour(slots=("one", "two"), marks=False)
    described: ClassVar = {"strategy": "two-slots", "slots": ["one", "two"]}


class TestTwoSlotsWithWindows(OnKeyserver, SlotContract):
    behaviour = replace(SLOW, slots=("one", "two"), marks=False)
    described: ClassVar = {"strategy": "two-slots", "slots": ["one", "two"], **SLOWLY}


class TestDual(OnKeyserver, SlotContract):
    behaviour = Behaviour(slots=("app_a", "app_b"))
    described: ClassVar = {"strategy": "dual", "slots": ["app_a", "app_b"]}


class TestInPlace(OnKeyserver, SlotContract):
    behaviour = Behaviour(slots=("only",), marks=False)
    described: ClassVar = {"strategy": "in-place", "slots": ["only"]}


class Console(Driver):
    """The driver of a keyserver whose keys a person makes, with that person in it: what is minted is made by hand."""

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        return Driver(self._client, replace(self._offers, strategy=UNMARKED)).mint(principal, request)


class TestByHand(OnKeyserver, ProviderContract):
    behaviour = Behaviour(marks=False)
    described: ClassVar = {"strategy": "by-hand", "console": "https://keys.example.com"}

    @pytest.fixture
    def drive(self, server: Keyserver) -> Callable[[str], Driver]:
        settings = {"base_url": server.url, **self.described}
        return lambda admin: Console.from_settings("keyserver", settings, admin, TIMEOUT)

    def test_the_driver_itself_mints_nothing_and_sends_nothing(self, server: Keyserver, principal: Principal) -> None:
        driver = Driver.from_settings("keyserver", {"base_url": server.url, **self.described}, server.admin, TIMEOUT)
        with pytest.raises(Permanent, match="a person"):
            driver.mint(principal, MintRequest(mark="rot-x"))
        assert len(server.log) == 0
