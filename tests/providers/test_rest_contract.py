"""The provider contract over the `rest` driver: a keyserver on a real socket, described in YAML as it behaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from rotator_rest import Rest

from rotator.domain.credential import Principal
from rotator.ports import Provider
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.described import TIMEOUT, changed, description

SLOW = Behaviour(propagation=0.2, death=0.3, list_lag=0.2, flapping=0.5)
SLOWLY = {name: timedelta(seconds=0.4) for name in ("propagation", "death_window", "list_lag")}


class OnKeyserver(ProviderContract):
    """What the contract needs, for a keyserver that behaves so; `changes` to its description, None takes a part out."""

    behaviour: ClassVar[Behaviour] = Behaviour()
    changes: ClassVar[Mapping[str, Any]] = {}
    more: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def server(self) -> Iterator[Keyserver]:
        with Keyserver(self.behaviour) as server:
            yield server

    @pytest.fixture
    def drive(self, server: Keyserver) -> Callable[[str], Rest]:
        table = changed(description("keyserver"), self.changes)
        settings = {"description": table, "base_url": server.url, **self.more}
        return lambda admin: Rest.from_settings("keyserver", settings, admin, TIMEOUT)

    @pytest.fixture
    def provider(self, drive: Callable[[str], Rest], server: Keyserver) -> Provider:
        return drive(server.admin)

    @pytest.fixture
    def wrong_admin(self, drive: Callable[[str], Rest]) -> Provider:
        return drive("wrong-admin-secret")

    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="svc", exclusive=True, settings={"principal": "svc/ä one"})

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


class TestAsDescribed(OnKeyserver):
    pass


class TestSlowly(OnKeyserver):
    behaviour = SLOW
    more: ClassVar = SLOWLY


class TestThePoorest(OnKeyserver):
    """A small cap, pages of one key, and nothing that is optional."""

    behaviour = Behaviour(cap=2, page_size=1, disable=False, expiry=False, last_used=False, identify=False)
    changes: ClassVar = {
        "disable": None,
        "enable": None,
        "identify": None,
        "list.last_used": None,
        "mint.json": {"mark": "{mark}"},
        "cap": 2,
    }


class TestUnmarked(OnKeyserver):
    behaviour = Behaviour(marks=False)
    changes: ClassVar = {"list.mark": None, "mint.json": {"scopes": "{scopes}"}}


class TestChosenValue(OnKeyserver):
    changes: ClassVar = {
        "mint.json": {"mark": "{mark}", "secret": "{secret}"},
        "mint.forms": {"secret": "ks_{value}"},
        "mint.secret": None,
    }


class TestDisabledForGood(OnKeyserver):
    changes: ClassVar = {"enable": None}
