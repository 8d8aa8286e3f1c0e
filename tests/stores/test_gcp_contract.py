"""The store contract over the gcp store and a Secret Manager on the official wire format, on both transports."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from rotator.ports import Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract
from tests.servers import secret_manager
from tests.servers.secret_manager.service import LostError, Moment, RefusedError
from tests.stores.gcp_access import PARENT, Gcp, serving
from tests.stores.losing import UntilLost
from tests.stores.making import Making


class Somebody:
    """Somebody with gcloud, who reads `latest` and adds versions, or reads the alias and moves it as well."""

    def __init__(self, gcp: Gcp, reads: str) -> None:
        self.gcp = gcp
        self.reads = reads

    def edit(self, ref: str, field: str, text: str) -> None:
        document = {**self.look(ref), field: text}
        number = self.gcp.add(document, self.secret(ref))
        if self.reads != "latest":
            self.gcp.move_alias(number, self.secret(ref))

    def look(self, ref: str) -> Mapping[str, str]:
        try:
            return self.gcp.document(self.reads, self.secret(ref))
        except RefusedError:
            return {}

    def secret(self, ref: str) -> str:
        return f"{PARENT}/secrets/{ref.replace('/', '--')}"


class Last:
    """A hook that loses the answer to what ends a change: the update that moves the alias, or the deletion."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = threading.Event()
        self.fired = 0

    def __call__(self, moment: Moment, method: str, request: Any) -> None:
        moves = method == "UpdateSecret" and "rotator-writing" not in dict(request.secret.annotations)
        if moment == "after" and (moves or method == "DeleteSecret") and not self.fired:
            self.fired += 1
            self.over.wait(self.seconds)
            raise LostError


class Contract(StoreContract):
    """On one transport."""

    TRANSPORT: ClassVar[str]

    @pytest.fixture
    def gcp(self) -> Iterator[Gcp]:
        with serving(self.TRANSPORT) as gcp:
            yield gcp

    @pytest.fixture
    def store(self, gcp: Gcp, making: Making) -> Store:
        gcp.making = making
        return gcp.store()

    @pytest.fixture(params=[0.0, 5.0], ids=["broken off", "no answer"])
    def silence(self, request: pytest.FixtureRequest) -> float:
        seconds: float = request.param
        return seconds

    @pytest.fixture
    def lose_answer(self, gcp: Gcp, silence: float, making: Making) -> LoseAnswer:
        gcp.making = making
        lossy = gcp.store(timeout=timedelta(seconds=1 if silence else 10))

        @contextmanager
        def losing() -> Iterator[Store]:
            last = Last(silence)
            gcp.service.hooks.append(last)
            yield UntilLost(lossy, lambda: last.fired > 0, gcp.service.undoing())
            last.over.set()
            gcp.service.hooks.remove(last)
            assert last.fired == 1

        return losing


@pytest.mark.stand_in(secret_manager.NAME)
class TestRest(Contract):
    TRANSPORT: ClassVar[str] = "rest"

    @pytest.fixture
    def colleague(self, gcp: Gcp) -> Colleague:
        return Somebody(gcp, "latest")


@pytest.mark.stand_in(secret_manager.NAME)
class TestGrpcBesideReadersOfTheAlias(Contract):
    TRANSPORT: ClassVar[str] = "grpc"

    @pytest.fixture
    def colleague(self, gcp: Gcp) -> Colleague:
        return Somebody(gcp, "current")
