"""The fault proxy loses what it says, at the moment it says, and nothing else."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.servers.openbao import OpenBaoServer
from tests.servers.proxy import Fault, FaultProxy, Kind

MakeProxy = Callable[[str, int], FaultProxy]


class Ledger(BaseHTTPRequestHandler):
    """Remembers each request that took effect."""

    protocol_version = "HTTP/1.1"
    effects: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.effects.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def proxy(fault_proxy: MakeProxy) -> Iterator[FaultProxy]:
    Ledger.effects.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ledger)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    proxy = fault_proxy("127.0.0.1", server.server_port)
    yield proxy
    proxy.close()
    server.shutdown()
    thread.join()
    server.server_close()


def post(proxy: FaultProxy, path: str, timeout: float = 60) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
    try:
        connection.request("POST", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_without_a_fault_everything_passes(proxy: FaultProxy) -> None:
    assert post(proxy, "/keys") == b"ok"
    assert Ledger.effects == ["/keys"]
    assert proxy.fired == 0


@pytest.mark.parametrize(
    ("kind", "error", "took_effect"),
    [
        (Kind.RESET, ConnectionError, False),
        (Kind.BLACKHOLE, TimeoutError, False),
        (Kind.DROP_RESPONSE, ConnectionError, True),
        (Kind.HANG_RESPONSE, TimeoutError, True),
    ],
)
def test_each_fault_loses_its_part(proxy: FaultProxy, kind: Kind, error: type[Exception], *, took_effect: bool) -> None:
    for seconds in (1, 4, 16) if error is TimeoutError else (60,):
        Ledger.effects.clear()
        proxy.inject(Fault(kind=kind))
        with pytest.raises(error):
            post(proxy, "/keys", timeout=seconds)
        if proxy.fired:
            break
    assert Ledger.effects == (["/keys"] if took_effect else [])
    assert proxy.fired == 1


def test_a_fault_waits_for_its_request_happens_as_often_as_said_and_is_over(proxy: FaultProxy) -> None:
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"/keys/2", times=2))
    assert post(proxy, "/keys/1") == b"ok"
    for _ in range(2):
        with pytest.raises(ConnectionError):
            post(proxy, "/keys/2")
    assert post(proxy, "/keys/2") == b"ok"
    assert Ledger.effects == ["/keys/1", "/keys/2", "/keys/2", "/keys/2"]


def test_on_a_connection_kept_alive_an_earlier_request_does_not_count(proxy: FaultProxy) -> None:
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"/keys/1", response=b"never said"))
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    connection.request("POST", "/keys/1")
    assert connection.getresponse().read() == b"ok"
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"/keys/1"))
    connection.request("POST", "/keys/2")
    assert connection.getresponse().read() == b"ok"
    connection.close()
    assert proxy.fired == 0


def test_a_write_to_openbao_lands_though_its_answer_is_lost(
    openbao_server: OpenBaoServer, openbao_mount: str, fault_proxy: MakeProxy
) -> None:
    proxy = fault_proxy(openbao_server.host, openbao_server.port)
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"/data/a"))
    through = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    headers = {"X-Vault-Token": openbao_server.token}
    through.request("POST", f"/v1/{openbao_mount}/data/a", body='{"data": {"k": "1"}}', headers=headers)
    with pytest.raises(ConnectionError):
        through.getresponse()
    through.close()
    assert openbao_server.request("GET", f"{openbao_mount}/data/a")["data"]["data"] == {"k": "1"}
