"""The listener: whom it answers, and that nobody keeps it from the next one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from rotator.adapters.metrics import serving
from rotator.adapters.metrics.serving import MOST, Listener
from rotator.app.metrics import Metrics
from rotator.config.errors import ConfigError
from rotator.config.values import MetricsConfig

LARGE = b"rotator_large 1\n" * 500_000


def exposition(accept: str) -> tuple[str, bytes]:
    return "text/plain", LARGE if accept == "large" else b"rotator_up 1\n"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener("127.0.0.1", 0, ("rotator.internal",), exposition)) as made:
        yield made


def connected(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=30)


def asked(listener: Listener, text: str) -> str:
    """Everything that is answered until it hangs up."""
    with connected(listener) as client:
        client.sendall(text.encode("latin-1"))
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer.decode()


def hung_up(client: socket.socket) -> bool:
    """Whether the other end did, also on what it never took."""
    with suppress(ConnectionResetError):
        return client.recv(1000) == b""
    return True


def get(listener: Listener, host: str = "localhost", path: str = "/metrics", method: str = "GET") -> str:
    return asked(listener, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")


def test_it_shows_metrics_and_that_nobody_may_keep_or_frame_them(listener: Listener) -> None:
    head, _, body = get(listener).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.0 200 OK")
    assert body == "rotator_up 1\n"
    assert "Cache-Control: no-store" in head
    assert "X-Content-Type-Options: nosniff" in head
    assert "Python" not in head


@pytest.mark.parametrize("host", ["localhost:9464", "127.0.0.1", "[::1]:9464", "10.1.2.3:80", "ROTATOR.internal."])
def test_it_is_asked_by_an_address_or_an_allowed_name(listener: Listener, host: str) -> None:
    assert " 200 " in get(listener, host).splitlines()[0]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9464", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "a" * 999],
)
def test_a_page_that_had_its_own_name_point_here_is_refused(listener: Listener, host: str) -> None:
    answer = get(listener, host)
    assert answer.startswith("HTTP/1.0 421")
    assert "rotator_up" not in answer


def test_without_a_host_nothing_is_told(listener: Listener) -> None:
    assert "421" in asked(listener, "GET /metrics HTTP/1.0\r\n\r\n").splitlines()[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "X"])
def test_only_get_is_answered(listener: Listener, method: str) -> None:
    assert "405" in get(listener, method=method).splitlines()[0]


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../metrics", "//evil.example/metrics", "/favicon.ico"])
def test_there_is_one_page_alone(listener: Listener, path: str) -> None:
    assert "404" in get(listener, path=path).splitlines()[0]


def test_rubbish_a_flood_of_headers_and_an_endless_line_harm_nothing(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in ("\x00\xff\x16\x03\r\n\r\n", "GET\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n", "G" * 70_000 + "\r\n\r\n"):
        assert "rotator_up" not in asked(listener, text)
    many = "".join(f"A{number}: b\r\n" for number in range(500))
    assert "431" in asked(listener, f"GET /metrics HTTP/1.1\r\n{many}\r\n").splitlines()[0]
    assert " 200 " in get(listener)
    assert capfd.readouterr() == ("", "")


def test_who_says_nothing_and_who_takes_nothing_keep_nobody_else_waiting(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as ending:
        for number in range(3 * MOST):
            client = ending.enter_context(connected(listener))
            if number % 2:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: large\r\n\r\n")
        assert " 200 " in get(listener)
        assert " 200 " in get(listener)
    assert " 200 " in get(listener)
    assert capfd.readouterr() == ("", "")


def test_who_takes_too_long_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LONGEST", 0.2)
    with closing(Listener("127.0.0.1", 0, (), exposition)) as listener, connected(listener) as client:
        client.sendall(b"GET /met")
        assert hung_up(client)


def test_it_listens_on_the_newer_kind_of_address_too() -> None:
    with closing(Listener("::1", 0, (), exposition)) as listener:
        client = socket.create_connection(("::1", listener.port), timeout=30)
        client.close()


def test_when_it_is_closed_nobody_listens_and_closing_twice_is_nothing_more(listener: Listener) -> None:
    waiting = connected(listener)
    listener.close()
    listener.close()
    assert hung_up(waiting)
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        connected(listener)


def test_a_port_that_is_taken_is_told_with_the_address(metrics: Metrics, listener: Listener) -> None:
    with pytest.raises(ConfigError) as told:
        metrics.serve(MetricsConfig(port=listener.port))
    assert told.value.message == f"metrics cannot be shown at 127.0.0.1:{listener.port}: address already in use"
    assert "metrics:" in told.value.hint
