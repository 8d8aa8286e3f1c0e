"""The vault store through a standby of a real OpenBao cluster, which reads by itself and so lags behind."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from rotator.domain.failures import Failure, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract
from tests.servers.openbao import Pair, start_pair
from tests.servers.proxy import FaultProxy
from tests.stores.test_vault_contract import Somebody, losing, made
from tests.stores.vault_access import CURRENT, PENDING, PUBLISHED, Vault, approle

NUMBERS = count()


@pytest.fixture(scope="module")
def mount(openbao_pair: Pair) -> Iterator[str]:
    """One engine for all tests, which the standby knows of, too: to mount one takes a second."""
    with openbao_pair.active.kv_mount() as mount:
        openbao_pair.standby._kept.wait_until(lambda: openbao_pair.standby._succeeds("GET", f"{mount}/config"))
        yield mount


@pytest.mark.slow
class TestVaultThroughAStandby(StoreContract):
    """What others write at the active server, the standby is told of milliseconds later: `colleague` waits for it."""

    @pytest.fixture
    def ref(self) -> str:
        return f"team{next(NUMBERS)}/service"

    @pytest.fixture
    def store(self, openbao_pair: Pair, mount: str) -> Store:
        return made(openbao_pair.standby, mount)

    @pytest.fixture
    def colleague(self, openbao_pair: Pair, mount: str) -> Colleague:
        return Patient(openbao_pair, mount)

    @pytest.fixture
    def lose_answer(self, openbao_pair: Pair, mount: str, fault_proxy: Callable[[str, int], FaultProxy]) -> LoseAnswer:
        losing_once = losing(openbao_pair.standby, mount, fault_proxy)

        @contextmanager
        def once() -> Iterator[Store]:
            with losing_once() as lossy:
                yield lossy
            caught_up(
                openbao_pair, mount
            )  # with the answer its index was lost, and nobody can ask for what is behind it

        return once


def caught_up(pair: Pair, mount: str) -> None:
    """Wait until the standby knows all that was written so far, by a mark that is written last."""
    mark = f"{mount}/data/mark{next(NUMBERS)}"
    pair.active.request("POST", mark, {"data": {"x": "y"}})
    pair.standby._kept.wait_until(lambda: pair.standby._succeeds("GET", mark))


class Patient(Somebody):
    """Somebody who writes at the active server and waits until the standby knows of it."""

    def __init__(self, pair: Pair, mount: str) -> None:
        super().__init__(pair.active, mount)
        self._behind = pair.standby

    def edit(self, ref: str, field: str, text: str) -> None:
        super().edit(ref, field, text)
        wanted = self.look(ref)
        self._behind._kept.wait_until(lambda: Somebody(self._behind, self.mount).look(ref) == wanted)


def test_what_we_wrote_through_a_standby_is_read_back_and_written_over_at_once(openbao_pair: Pair, mount: str) -> None:
    store = made(openbao_pair.standby, mount)
    version = store.read(CURRENT).version
    for number in range(60):
        version = store.write(CURRENT, {"api_key": str(number)}, version)
        stored = store.read(CURRENT)
        assert (stored.version, stored.fields) == (version, {"api_key": str(number)})
        pending = store.write(PENDING, {"value.secret": "x"}, ABSENT)
        assert store.places("ai/openai") == (PENDING,)
        store.remove(PENDING, pending)
        assert store.places("ai/openai") == ()


def test_without_telling_what_we_wrote_a_standby_answers_what_is_past(openbao_pair: Pair, mount: str) -> None:
    """Why `indexes` is there: a plain client is refused by a version that is no longer so, or reads an old value."""
    wrong, version = 0, 0
    for number in range(300):
        status, answer = plainly(openbao_pair, "POST", mount, {"data": {"n": number}, "options": {"cas": version}})
        if status != 200:
            wrong += 1
            time.sleep(0.02)
            continue
        version = answer["data"]["version"]
        wrong += plainly(openbao_pair, "GET", mount)[1].get("data", {}).get("metadata", {}).get("version") != version
    assert wrong > 0


def plainly(pair: Pair, method: str, mount: str, body: object = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(pair.standby.host, pair.standby.port, timeout=10)
    try:
        headers = {"X-Vault-Token": pair.standby.token}
        connection.request(method, f"/v1/{mount}/data/plain", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_token_of_a_login_through_a_standby_works_there_at_once(openbao_pair: Pair, mount: str) -> None:
    vault = Vault(openbao_pair.standby, mount)
    active = Vault(openbao_pair.active, mount)
    with approle(active, active.store().least_policy([PUBLISHED.ref])) as role:
        openbao_pair.standby._kept.wait_until(
            lambda: openbao_pair.standby._succeeds("GET", f"auth/{role.mount}/role/rotator/role-id")
        )
        stores = [role.store(vault) for _ in range(10)]
        openbao_pair.standby._kept.wait_until(
            lambda: openbao_pair.standby._succeeds("GET", f"sys/policies/acl/{role.mount}")
        )
        caught_up(openbao_pair, mount)  # policies and secret ids reach the standby like everything else
        for store in stores:
            assert store.places("ai/openai") == ()


@contextmanager
def writing(store: Store, versions: list[str], trouble: list[Failure]) -> Iterator[None]:
    """Somebody who writes again and again, each time on what was written last; only what is transient may happen."""
    stop = threading.Event()

    def run() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                versions.append(store.write(CURRENT, {"api_key": str(number)}, versions[-1]))
            except Transient as failure:
                trouble.append(failure)
                stop.wait(0.1)
                look(number)
            except Failure as failure:
                trouble.append(failure)
                return
            stop.wait(0.02)

    def look(number: int) -> None:
        """As the engine does: whether what was sent has arrived."""
        try:
            stored = store.read(CURRENT)
        except Transient:
            return
        if stored.fields == {"api_key": str(number)}:
            versions.append(stored.version)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def own_pair() -> Iterator[Pair]:
    """A pair that the test may disturb."""
    pair = start_pair()
    try:
        yield pair
    finally:
        pair.stop()


@pytest.mark.slow
@pytest.mark.real("OpenBao")
def test_when_the_active_server_resigns_work_stops_for_some_seconds_and_nothing_is_torn(own_pair: Pair) -> None:
    with own_pair.active.kv_mount() as mount:
        store = made(own_pair.active, mount)
        versions = [store.write(CURRENT, {"api_key": "first"}, ABSENT)]
        trouble: list[Failure] = []
        with writing(store, versions, trouble):
            time.sleep(0.3)
            before = len(versions)
            own_pair.step_down()
            after = len(versions)
            time.sleep(1)
        assert before > 1
        assert len(versions) > after
        assert trouble
        assert [each for each in trouble if not isinstance(each, Transient)] == []
        assert all("sends us elsewhere" in each.message or "standby" in each.message for each in trouble)
        assert [int(version) for version in versions] == list(range(1, len(versions) + 1))
        assert store.read(CURRENT).version == versions[-1]
