"""Whoever is asked by HTTP holds nobody for longer than the exchange may take, however the answer drips."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError

from rotator import exchanges
from rotator.adapters import probe
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.fetching import fetched
from rotator.adapters.clients.kubernetes.access import Server
from rotator.adapters.clients.kubernetes.answers import Need as KubernetesNeed
from rotator.adapters.clients.kubernetes.client import KubernetesClient, Request
from rotator.adapters.clients.standard_webhooks import Endpoint
from rotator.adapters.stores.aws.imds import Imds
from rotator.adapters.stores.aws.wire import Wire
from rotator.adapters.stores.gcp.rest import asking, new_session
from rotator.adapters.stores.http import Api, Need
from rotator.adapters.stores.vault import VaultStore
from rotator.api import fetching
from rotator.domain.failures import Denied, Failure
from rotator.domain.keys import Probe
from rotator.domain.secret import Secret
from rotator.exchanges import in_time
from tests.sdk.canned_server import IN_DROPS, Canned, in_drops, reply
from tests.servers.certificate import self_signed
from tests.stores.vault_access import CURRENT

SOON = timedelta(milliseconds=300)
GIVEN_UP = (Failure, HTTPError, HTTPException, OSError)


def prove(url: str) -> None:
    probe.HttpProber(SOON).probe(Probe(url=url), Secret({"secret": "live-key-1234567890"}))


def fetch(url: str) -> None:
    with fetched(url, Deadline(SOON), headers={}) as answer:
        answer.read()


class Nobody:
    """Without a token."""

    def __init__(self, url: str) -> None:
        self._url = url

    def server(self) -> Server:
        return Server(address=self._url)

    def token(self, *, anew: bool = False) -> None:
        return None

    def refused(self, need: KubernetesNeed, address: str) -> Denied:
        raise NotImplementedError


def kubernetes(url: str) -> None:
    KubernetesClient(Nobody(url)).ask(Request(need=KubernetesNeed("get", "apps", "key"), method="GET"), Deadline(SOON))


def aws(url: str) -> None:
    wire = Wire("eu-west-1", None)
    wire.ask(wire.client("sts", url, None), "GetCallerIdentity", {}, Deadline(SOON), "sts")


def vault(url: str) -> None:
    auth = {"method": "token", "token": "file:/run/token"}
    VaultStore.from_settings(
        "vault", {"address": url, "mount": "secret", "auth": auth}, lambda _: "hvs.token", SOON
    ).read(CURRENT)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path, "server", "127.0.0.1")


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


ASKED: dict[str, Callable[[str], object]] = {
    "probe": prove,
    "fetching": fetch,
    "store": lambda url: Api(url, lambda *_: {}).ask("GET", "/x", Need("look", "read"), Deadline(SOON)),
    "kubernetes": kubernetes,
    "aws": aws,
    "imds": lambda url: Imds(url).fetch(Deadline(SOON)),
    "gcp": lambda url: asking(new_session(), Deadline(SOON))("GET", url, {}, None),
    "vault": vault,
    "webhook": lambda url: Endpoint(urlsplit(url), None, SOON).post("message", b"{}"),
    "identity": lambda url: fetching.fetched("GET", url, SOON.total_seconds()),
}


@pytest.mark.parametrize("dripped", IN_DROPS.values(), ids=IN_DROPS)
@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_nobody_waits_for_the_end_of_an_answer_that_comes_in_drops(
    ask: Callable[[str], object], dripped: tuple[bytes, bytes, bytes]
) -> None:
    asked_once(ask, dripped)


def asked_once(
    ask: Callable[[str], object], dripped: tuple[bytes, bytes, bytes], tls: ssl.SSLContext | None = None
) -> None:
    """One request is given up before its answer is whole; a busy machine may give it up before it is sent."""
    got = 0
    while not got:
        whole: list[bytes] = []
        with Canned([in_drops(*dripped, whole)], tls) as server, pytest.raises(GIVEN_UP):
            ask(server.url)
        assert whole == []
        got = len(server.got)
    assert got == 1


@pytest.mark.parametrize("ask", [prove, ASKED["webhook"], ASKED["identity"]])
def test_nobody_waits_for_the_end_of_a_handshake_that_comes_in_drops(ask: Callable[[str], object]) -> None:
    with dripping(b"\x16\x03\x03\x40\x00" + bytes(200)) as (url, whole), pytest.raises(GIVEN_UP):
        ask(url)
    assert whole == []


@contextmanager
def dripping(line: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An address whose server lets these bytes drip, whatever it is asked, and what was taken to its end."""
    whole: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError), listening.accept()[0] as connection:
                in_drops(b"", line, b"", whole)(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", whole
        listening.shutdown(socket.SHUT_RDWR)  # whoever was too late to connect at all is waited for no longer
        thread.join()


@pytest.mark.parametrize("dripped", IN_DROPS.values(), ids=IN_DROPS)
def test_an_encrypted_probe_is_given_up_as_well(
    dripped: tuple[bytes, bytes, bytes],
    tls: ssl.SSLContext,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    probe._made.cache_clear()
    try:
        asked_once(prove, dripped, tls)
    finally:
        probe._made.cache_clear()


def test_what_is_sent_is_taken_in_time_or_given_up(tls: ssl.SSLContext, certificate: tuple[Path, Path]) -> None:
    """Whatever a peer takes of it now and then."""
    taken, over = 0, threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)

        def sip() -> None:
            nonlocal taken
            with suppress(OSError), tls.wrap_socket(listening.accept()[0], server_side=True) as connection:
                while (some := connection.recv(16_384)) and not over.is_set():
                    taken += len(some)
                    if taken % (1 << 18) < len(some):
                        over.wait(0.1)

        thread = threading.Thread(target=sip)
        thread.start()
        trusted = ssl.create_default_context(cafile=certificate[0])
        with in_time(PoolManager(ssl_context=trusted)) as manager, pytest.raises(HTTPError):
            manager.request(
                "POST",
                f"https://127.0.0.1:{listening.getsockname()[1]}",
                body=bytes(16 << 20),
                timeout=Timeout(total=0.5),
                retries=False,
            )
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert taken < 8 << 20


def test_silence_ends_an_exchange_that_has_time_left() -> None:
    over = threading.Event()

    def begin(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Fine\r\nContent-Length: 9\r\n\r\n1")
        over.wait(30)

    with Canned([begin]) as server, in_time(PoolManager(), silence=0.2) as manager:
        with pytest.raises(ReadTimeoutError):
            manager.request("GET", server.url, timeout=Timeout(total=600), retries=False)
        over.set()


def test_a_connection_is_used_again_with_the_time_of_its_new_request(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = 0.0
    monkeypatch.setattr(exchanges, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))
    with Canned([reply(200, {})]) as server, in_time(PoolManager()) as manager:
        for _ in range(2):
            assert manager.request("GET", server.url, timeout=Timeout(total=60), retries=False).data == b"{}"
            ahead += 60
        assert server.connections == 1
