"""A child that dies in the middle of a write, servers that answer nothing or without end: the next call works."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from rotator.app.isolating import SANDBOX
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Transient
from tests.isolation.stores_apart import Apart, apart, needs_sandbox, pid_of, stopped
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.test_kubernetes_contract import Somebody

pytestmark = needs_sandbox
TOKEN = {"method": "token", "token": "env:T"}
STATIC = {"method": "static", "access_key_id": "AKIA", "secret_access_key": "env:T"}
REST = {
    "auth": {"token": "env:T"},
    "metadata": {"path": "/x/{ref1}/{field}", "version": "/v"},
    "write": {"path": "/x/{ref1}/{field}", "body": '{"value": "{value}"}'},
    "delete": {"path": "/x/{ref1}/{field}"},
}
AT: Mapping[str, tuple[str, dict[str, Any]]] = {
    "vault": ("address", {"mount": "kv", "auth": TOKEN}),
    "aws": ("endpoint_url", {"region": "eu-west-1", "auth": STATIC}),
    "gcp": ("endpoint", {"project": "acme-prod", "auth": {"method": "access_token", "token": "env:T"}}),
    "kubernetes": ("address", {"auth": TOKEN}),
    "github_actions": ("base_url", {"auth": TOKEN}),
    "gitlab_ci": ("base_url", {"token": "env:T"}),
    "rest": ("base_url", REST),
}
"""Where each store's settings name its server, and the rest of them."""
SECONDS = 2.0
"""Of one call."""
PLACES = {"gitlab_ci": "projects/acme/api", "kubernetes": "team/app"}


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Apart]:
    with apart(SANDBOX) as making:
        yield making


def place_in(driver: str) -> Place:
    return Place(ref=PLACES.get(driver, "acme/api"), kind=PlaceKind.CURRENT, fields=("API_KEY",))


@contextmanager
def answering(act: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """The address of a server whose every connection is served by that, until it is over."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads = ThreadPoolExecutor(16)

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            act(connection, over)

    def listen() -> None:
        with suppress(OSError, RuntimeError):
            while True:
                threads.submit(serve, listener.accept()[0])

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        threads.shutdown()


def nothing(_: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def without_end(connection: socket.socket, over: threading.Event) -> None:
    """Some megabytes a second, more than any answer may have."""
    _go_on(connection, over, b" " * 131_072)


def in_drops(connection: socket.socket, over: threading.Event) -> None:
    """So little that a read never waits long."""
    _go_on(connection, over, b" ")


def _go_on(connection: socket.socket, over: threading.Event, piece: bytes) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    while not over.wait(0.01):
        connection.sendall(piece)


@pytest.mark.parametrize("driver", AT)
@pytest.mark.parametrize("act", [nothing, without_end, in_drops])
def test_a_server_whose_answer_never_ends_costs_the_call_s_time(
    driver: str, act: Callable[[socket.socket, threading.Event], None], sandboxes: Apart
) -> None:
    key, settings = AT[driver]
    with answering(act) as address:
        store = sandboxes.store(driver, {**settings, key: address}, timeout=timedelta(seconds=SECONDS))
        with stopped(store):
            with pytest.raises(Transient) as caught:
                store.read(place_in(driver))
            assert "the driver of" not in caught.value.message, "it gave up by itself, and not its parent with it"
            assert store.capabilities().max_bytes != 0, "the next call is answered"


@pytest.mark.stand_in(kubernetes.NAME)
def test_a_child_killed_in_the_middle_of_a_write_is_transient_and_the_next_call_has_another(
    sandboxes: Apart, kubernetes_server: KubernetesServer, fault_proxy: Callable[[str, int], FaultProxy]
) -> None:
    host, _, port = kubernetes_server.plain_address.removeprefix("http://").partition(":")
    proxy = fault_proxy(host, int(port))
    settings = {"address": f"http://127.0.0.1:{proxy.port}", "auth": TOKEN}
    place = place_in("kubernetes")
    with stopped(sandboxes.store("kubernetes", settings, lambda _: kubernetes_server.admin)) as store:
        version, first = store.write(place, {"API_KEY": "one"}, ""), pid_of(store)
        proxy.inject(Fault(kind=Kind.HANG_RESPONSE, request=b"PATCH /api/"))
        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(store.write, place, {"API_KEY": "two"}, version)
            while not proxy.fired:
                time.sleep(0.01)
            os.kill(first, signal.SIGKILL)
            with pytest.raises(Transient, match="ended before it answered"):
                writing.result()
        found = store.read(place)
        assert found.fields == {"API_KEY": "two"}, "it had landed"
        assert pid_of(store) != first
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        store.write(place, {"API_KEY": "three"}, found.version)
        assert Somebody(kubernetes_server).look(place.ref) == {"API_KEY": "three"}
