"""The engine's own look at a key: what it sends, and that only a status in its lists decides."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import timedelta
from socket import socket

import pytest

from rotator.adapters.probe import HttpProber
from rotator.domain.failures import Permanent, Transient
from rotator.domain.keys import Probe, Verdict
from rotator.domain.secret import Secret
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.sdk.canned_server import Canned, Reply, reply

KEY = Secret({"secret": "live-key-1234567890", "user": "svc"})
PROBER = HttpProber(timedelta(seconds=5))


@pytest.fixture
def server() -> Iterator[Keyserver]:
    with Keyserver() as server:
        yield server


def ask(*replies: Reply, probe: Probe | None = None, value: Secret = KEY) -> tuple[Verdict | str, Canned]:
    """The verdict, or what the probe says went wrong, and the server that answered it."""
    with Canned(list(replies)) as server:
        asked = probe or Probe(url=f"{server.url}/v1/me?x=1")
        try:
            return PROBER.probe(asked, value), server
        except Transient as transient:
            failure = transient
    assert value.reveal("secret") not in "".join(traceback.format_exception(failure)) + repr(vars(failure))
    return failure.message, server


def test_a_living_key_works_and_a_dead_one_is_invalid(server: Keyserver) -> None:
    key_id, text = server.seed_key("svc")
    probe, value = Probe(url=f"{server.url}/resource"), Secret({"secret": text})
    assert [PROBER.probe(probe, value), PROBER.probe(probe, value)] == [Verdict.WORKS, Verdict.WORKS]
    server.delete_key("svc", key_id)
    assert [PROBER.probe(probe, value), PROBER.probe(probe, value)] == [Verdict.INVALID, Verdict.INVALID]


@pytest.mark.parametrize(
    "kind", [FaultKind.FORBIDDEN, FaultKind.ERROR_BEFORE, FaultKind.HTML, FaultKind.LOSE_REQUEST, FaultKind.THROTTLED]
)
def test_what_is_neither_works_nor_no_such_key_says_nothing(server: Keyserver, kind: FaultKind) -> None:
    _, text = server.seed_key("svc")
    server.fail(Operation.RESOURCE, kind, calls=None)
    with pytest.raises(Transient):
        PROBER.probe(Probe(url=f"{server.url}/resource"), Secret({"secret": text}))
    assert len(server.log) == 1, "a probe is sent once"


@pytest.mark.parametrize("status", [200, 401])
def test_a_page_of_html_decides_nothing_whatever_its_status(status: int) -> None:
    assert "HTML" in str(ask(reply(status, "<!doctype html><p>sign in"))[0])
    assert "HTML" in str(ask(reply(status, b"  \n<html>"))[0])
    assert "HTML" in str(ask(reply(status, "sign in first"))[0])


@pytest.mark.parametrize("status", [201, 204, 302, 307, 400, 403, 404, 407, 429, 500, 503])
def test_other_statuses_are_transient(status: int) -> None:
    said, server = ask(reply(status, {"ok": True}, headers={"Location": "/elsewhere", "Retry-After": "0"}))
    assert f"status {status}" in str(said)
    assert len(server.got) == 1, "neither a redirect nor a throttle is followed"


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (401, {"error": {"code": "no_such_key"}}, Verdict.INVALID),
        (401, {"error": {"message": "missing scopes: read"}}, Verdict.FORBIDDEN),
        (403, {"error": {"message": "missing scopes: read"}}, Verdict.FORBIDDEN),
        (401, {"error": {"message": "missing scopes: read", "code": "no_such_key"}}, Verdict.FORBIDDEN),
        (401, {"error": {"code": "address_not_allowed"}}, None),
        (401, None, None),
        (403, {"error": {"code": "no_such_key"}}, None),
        (500, {"error": {"message": "missing scopes: read"}}, None),
        (200, {"message": "missing scopes, no_such_key"}, Verdict.WORKS),
    ],
)
def test_where_a_status_means_more_than_one_thing_a_word_of_the_body_decides(
    status: int, body: object, verdict: Verdict | None
) -> None:
    with Canned([reply(status, body)]) as server:
        probe = Probe(url=server.url, invalid_word="no_such_key", forbidden_word="missing scopes")
        if verdict is not None:
            assert PROBER.probe(probe, KEY) is verdict
            return
        with pytest.raises(Transient, match="says nothing of the key"):
            PROBER.probe(probe, KEY)


def test_the_lists_of_the_probe_decide() -> None:
    with Canned([reply(403, {}), reply(204), reply(403, {})]) as server:
        probe = Probe(url=server.url, works=(204,), invalid=(401, 403))
        assert [PROBER.probe(probe, KEY) for _ in range(3)] == [Verdict.INVALID, Verdict.WORKS, Verdict.INVALID]
        assert server.connections == 1, "a connection is used again"


def test_the_header_is_the_template_with_the_parts_of_the_value() -> None:
    with Canned([reply(200, {})]) as server:
        probe = Probe(url=f"{server.url}/v1/me?x=1", header="X-Api-Key", template="{user}:{secret}!")
        assert PROBER.probe(probe, KEY) is Verdict.WORKS
    (got,) = server.got
    assert (got.method, got.target, got.body) == ("GET", "/v1/me?x=1", b"")
    assert got.headers["x-api-key"] == "svc:live-key-1234567890!"
    assert got.headers["user-agent"] == "rotator"
    assert "authorization" not in got.headers


@pytest.mark.parametrize("text", ["two\r\nX-Lines: yes", "ends in a break\n", "ключ", "\x00", " "])
def test_a_value_that_fits_into_no_header_is_not_sent(text: str) -> None:
    with Canned([reply(200, {})]) as server:
        with pytest.raises(Permanent) as caught:
            PROBER.probe(Probe(url=server.url, template="{secret}"), Secret({"secret": text}))
        with pytest.raises(Permanent):
            PROBER.probe(Probe(url=server.url, template="{password}"), KEY)
    assert (server.got, server.connections) == ([], 0)
    shown = "".join(traceback.format_exception(caught.value))
    assert text == " " or (text not in shown and repr(text)[1:-1] not in shown)


def test_a_server_that_is_not_there_or_too_slow_is_transient() -> None:
    with Canned([None]) as server:
        url = server.url
    with pytest.raises(Transient):
        PROBER.probe(Probe(url=url), KEY)
    with Canned([hold]) as slow, pytest.raises(Transient):
        HttpProber(timedelta(milliseconds=100)).probe(Probe(url=slow.url), KEY)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    assert ask(pour)[0] is Verdict.WORKS


def hold(connection: socket) -> None:
    """Answer nothing until the caller goes away."""
    connection.recv(1)


def pour(connection: socket) -> None:
    """Answer for as long as the caller reads."""
    connection.sendall(reply(200, b"").replace(b"Content-Length: 0", b"Content-Length: 100000000000"))
    while True:
        connection.sendall(b"x" * 65536)
