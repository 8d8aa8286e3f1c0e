"""Connections of drivers that do not speak HTTP: settings, deadlines, what failures mean."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.settings import Settings, SettingsError
from rotator.sdk.tcp import TcpServer, failure_of_network, reach_of

MINUTE = timedelta(minutes=1)


def server(**settings: object) -> TcpServer:
    return TcpServer.of(Settings({"host": "127.0.0.1", "tls": "off", **settings}), 4711, MINUTE)


def test_the_protocols_own_port_is_the_default() -> None:
    assert server().where == "127.0.0.1:4711"
    assert server(port=12).where == "127.0.0.1:12"


def test_tls_is_on_and_verified_unless_it_is_said_otherwise(certificate: Path) -> None:
    assert TcpServer.of(Settings({"host": "h"}), 1, MINUTE).proven
    assert server(tls="verify-full", ca=str(certificate)).proven
    require = server(tls="require")
    assert require.tls is not None
    assert not require.proven
    assert not server().proven
    assert server().tls is None


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"ca": "/etc/ca.pem"}, "ca"),
        ({"tls": "require", "ca": "/etc/ca.pem"}, "ca"),
        ({"tls": "verify-full", "ca": "/nowhere"}, "ca"),
        ({"tls": "maybe"}, "tls"),
        ({"host": ""}, "host"),
        ({"port": "http"}, "port"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], about: str) -> None:
    with pytest.raises(SettingsError, match=about):
        server(**settings)


def test_what_is_no_certificate_is_refused_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("Secret4711")
    with pytest.raises(SettingsError) as refused:
        server(tls="verify-full", ca=str(tmp_path / "ca"))
    assert "Secret4711" not in f"{refused.value.message} {refused.value.hint}"


def test_it_reaches_its_host_and_the_file_of_its_authority() -> None:
    assert reach_of({"host": "db.internal"}, 3306).hosts == ("db.internal:3306",)
    reach = reach_of({"host": "db.internal", "port": 1, "ca": "/etc/ca.pem", "user": "x"}, 3306)
    assert (reach.hosts, reach.paths, reach.variables) == (("db.internal:1",), ("/etc/ca.pem",), ())
    with pytest.raises(SettingsError, match="absolute"):
        reach_of({"host": "h", "ca": "ca.pem"}, 1)


def test_a_deadline_that_is_over_is_transient() -> None:
    assert 0 < server().deadline().left() <= 60
    with pytest.raises(Transient, match="too long"):
        TcpServer(host="h", port=1, timeout=timedelta(0)).deadline().left()


def test_a_connection_has_the_time_that_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = server(port=listener.getsockname()[1])
        with here.connect(here.deadline()) as made:
            timeout = made.gettimeout()
            assert timeout is not None
            assert 0 < timeout <= 60
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert here.encrypted(made) is made


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ssl.SSLCertVerificationError(), Denied, "not trusted"),
        (ssl.SSLError(1, "wrong version"), Transient, "TLS"),
        (TimeoutError(), Transient, "in time"),
        (ConnectionRefusedError(), Transient, "nobody listens"),
        (socket.gaierror(), Transient, "no address"),
        (ConnectionResetError("Secret4711"), Transient, "broke"),
        (Denied("its own word"), Denied, "its own word"),
    ],
)
def test_what_went_wrong_is_said_without_the_errors_text(error: Exception, kind: type[Failure], says: str) -> None:
    try:
        try:
            raise error
        except Exception as inner:  # as libraries do it
            raise RuntimeError("Secret4711") from inner
    except RuntimeError as outer:
        failure = failure_of_network(outer, "db:1")
    assert type(failure) is kind
    assert says in failure.message
    assert "Secret4711" not in f"{failure.message} {failure.hint}"
