"""The SDK's HTTP client: what it raises says whether something was done, and shows nothing that was sent."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
import traceback
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.sdk import SettingsError, transport
from rotator.sdk.http import (
    LONGEST_PAUSE,
    MOST_BYTES,
    MOST_TRIES,
    Answer,
    BaseUrl,
    Client,
    Form,
    admin_bearer,
    basic,
    bearer,
    header,
    path,
)
from tests.sdk.canned_server import IN_DROPS, Canned, Reply, in_drops, reply
from tests.servers.process import reserved_port

ADMIN = "admin-secret-0123456789"
CHOSEN = "chosen-value-0123456789"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TIMEOUT = timedelta(seconds=60)


def client(server: Canned, timeout: timedelta = TIMEOUT) -> Client:
    headers = bearer(ADMIN)
    return Client(server.url + "/api", timeout=timeout, headers=headers, permission="keys.write", now=lambda: NOW)


def get(server: Canned, timeout: timedelta = TIMEOUT) -> Answer:
    return client(server, timeout).get("/keys")


def send(server: Canned, timeout: timedelta = TIMEOUT) -> Answer:
    return client(server, timeout).send("DELETE", "/keys/1", expect=(204,))


def mint(server: Canned, timeout: timedelta = TIMEOUT) -> Answer:
    return client(server, timeout).mint("/keys", {"name": "mark", "secret": CHOSEN, "scopes": [CHOSEN]})


def failure(call: Callable[[Canned], Any], *replies: Reply) -> tuple[Failure, int]:
    """How the call fails, and how many requests arrived. Nothing that was sent is in the failure."""
    with Canned(list(replies)) as server, pytest.raises(Failure) as caught:
        call(server)
    failed = caught.value
    shown = "".join(traceback.format_exception(failed)) + repr(vars(failed)) + repr(failed.args)
    assert ADMIN not in shown
    assert CHOSEN not in shown
    assert failed.message.isprintable()
    assert len(failed.message) < 300
    assert failed.__cause__ is None
    return failed, len(server.got)


def timed_out(
    call: Callable[[Canned, timedelta], Any], *replies: Reply, requests: int = 1, tls: ssl.SSLContext | None = None
) -> tuple[Failure, int]:
    """How a call ends by its timeout, and how many requests arrived: it gets ever more time until those have."""
    for seconds in (0.3, 1, 3, 9):
        with Canned(list(replies), tls) as server, pytest.raises(Failure) as caught:
            call(server, timedelta(seconds=seconds))
        if len(server.got) >= requests:
            return caught.value, len(server.got)
    raise AssertionError("the requests never arrived in time")


# -- what goes well ----------------------------------------------------------------------------------------------------


def test_what_is_sent_is_json_with_the_admin_credential_and_what_comes_back_is_read() -> None:
    with Canned([reply(201, {"id": "k1", "secret": "s"})]) as server:
        answer = mint(server)
    assert (answer.status, answer.body) == (201, {"id": "k1", "secret": "s"})
    assert "s" not in repr(answer).replace("status", "").replace("Answer", "")
    (got,) = server.got
    assert (got.method, got.target) == ("POST", "/api/keys")
    assert got.headers["authorization"] == f"Bearer {ADMIN}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "rotator"
    assert got.body == b'{"name": "mark", "secret": "%b", "scopes": ["%b"]}' % (CHOSEN.encode(), CHOSEN.encode())


def test_other_headers_replace_the_admin_credential() -> None:
    with Canned([reply(200, {})]) as server:
        client(server).get("/me", headers=bearer("the-key"))
    assert server.got[0].headers["authorization"] == "Bearer the-key"


@pytest.mark.parametrize("status", [200, 202, 401, 404, 503])
def test_an_expected_status_is_an_answer_with_or_without_a_body(status: int) -> None:
    with Canned([reply(status), reply(status, {"error": "x"})]) as server:
        asking = client(server)
        assert asking.get("/me", expect=(status,)).body is None
        assert asking.get("/me", expect=(status,)).body == {"error": "x"}
        assert server.connections == 1, "a connection is used again"


def test_a_chunked_answer_is_read_whole_and_its_connection_used_again() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n'
    with Canned([chunked]) as server:
        assert [get(server).body, get(server).body] == [{"a": 1}, {"a": 1}]
        assert server.connections == 1


# -- what a status means -----------------------------------------------------------------------------------------------

CALLS = [get, send, mint]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Permanent),
        (401, Denied),
        (403, Denied),
        (404, Permanent),
        (405, Permanent),
        (409, Conflict),
        (422, Permanent),
        (429, Transient),
    ],
)
def test_a_refusal_means_that_nothing_was_done(call: Callable[[Canned], Answer], status: int, kind: type) -> None:
    failed, requests = failure(call, reply(status, {"error": "no"}))
    assert type(failed) is kind
    assert requests == 1, "a refusal is not asked for again"


def test_the_first_failure_is_told_and_not_that_the_last_attempt_had_no_time_left() -> None:
    failed, _ = timed_out(get, reply(200, "<html>sign in"), hold, requests=2)
    assert "answered 200" in failed.message


def test_a_throttle_that_follows_another_failure_is_told_with_its_time() -> None:
    replies: list[Reply] = [reply(503, {}), reply(429, {}, headers={"Retry-After": "7"})]
    with Canned(replies) as server, pytest.raises(Transient) as caught:
        get(server)
    assert (caught.value.throttled, caught.value.retry_after) == (True, timedelta(seconds=7))


@pytest.mark.parametrize(
    "reply_", [reply(500, {}), reply(503, {}), reply(200, "<html>"), reply(201, b"{"), reply(206, {})]
)
def test_what_may_have_been_done_is_ambiguous_for_a_mint_and_transient_otherwise(reply_: bytes) -> None:
    assert [type(each) for each in failure(mint, reply_)[:1]] == [Ambiguous]
    assert failure(mint, reply_)[1] == 1
    failed, requests = failure(send, reply_)
    assert (type(failed), requests) == (Transient, 1)
    if b"HTTP/1.1 201" not in reply_:
        failed, requests = failure(get, reply_)
        assert (type(failed), requests) == (Transient, MOST_TRIES)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_page_of_html_is_a_proxys_and_says_nothing_of_the_credential(status: int) -> None:
    page = reply(status, "<!doctype html><p>checking your browser")
    assert type(failure(send, page)[0]) is Transient
    assert type(failure(get, page)[0]) is Transient
    assert type(failure(mint, page)[0]) is Ambiguous


def test_a_throttle_is_one_even_as_a_page_of_html() -> None:
    for call in CALLS:
        failed, requests = failure(call, reply(429, "<html>", headers={"Retry-After": "7"}))
        assert isinstance(failed, Transient)
        assert (failed.throttled, failed.retry_after, requests) == (True, timedelta(seconds=7), 1)


def test_a_refused_admin_credential_says_so_and_what_it_needs() -> None:
    failed, _ = failure(get, reply(401, {"error": "unauthorized"}))
    assert isinstance(failed, Denied)
    assert failed.message.endswith("refuses the admin credential: 'unauthorized'")
    assert (failed.permission, "keys.write" in failed.hint) == ("keys.write", True)
    failed, _ = failure(get, reply(403, {"error": "forbidden"}))
    assert isinstance(failed, Denied)
    assert failed.permission == "keys.write"
    assert failed.hint == "the admin credential needs keys.write"


def test_an_api_with_words_of_its_own_is_asked_what_they_mean() -> None:
    def meaning(status: int, body: Any) -> Failure | None:
        return CapFull("no room") if (status, body) == (403, {"code": "FULL"}) else None

    def asking(server: Canned) -> Client:
        return Client(server.url, timeout=TIMEOUT, headers=bearer(ADMIN), meaning=meaning)

    for call in (lambda at: asking(at).get("/keys"), lambda at: asking(at).mint("/keys", {})):
        assert type(failure(call, reply(403, {"code": "FULL"}))[0]) is CapFull
        assert type(failure(call, reply(403, {"code": "OTHER"}))[0]) is Denied
        assert type(failure(call, reply(404, {"code": "FULL"}))[0]) is Permanent


def test_no_words_say_that_nothing_was_made_when_something_may_have_been() -> None:
    def never(status: int, body: Any) -> Failure | None:
        raise AssertionError

    def mint_there(server: Canned) -> Answer:
        return Client(server.url, timeout=TIMEOUT, meaning=never).mint("/keys", {})

    for strange in (reply(500, {"code": "FULL"}), reply(403, "<html>"), reply(303, {}), reply(202, {})):
        assert type(failure(mint_there, strange)[0]) is Ambiguous


# -- showing a credential ----------------------------------------------------------------------------------------------


def test_a_mint_may_show_another_credential() -> None:
    with Canned([reply(201, {})]) as server:
        client(server).mint("/keys", {}, headers=header("Api-Key", "the-other"))
    (got,) = server.got
    assert got.headers["api-key"] == "the-other"
    assert "authorization" not in got.headers


def test_a_pair_is_shown_as_rfc_7617_says() -> None:
    assert basic("Aladdin", "open sesame") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


@pytest.mark.parametrize("text", ["", "two\nlines", "value-end ", "\tx", "ü", "nul\x00"])
def test_what_fits_into_no_header_is_permanent_and_not_shown(text: str) -> None:
    shown: list[Callable[[], object]] = [
        lambda: bearer(text),
        lambda: header("Api-Key", text),
        lambda: basic(text, "password"),
        lambda: basic("user", text),
    ]
    for show in shown:
        with pytest.raises(Permanent) as caught:
            show()
        assert not text or text not in caught.value.message + caught.value.hint


def test_a_user_with_a_colon_would_be_another() -> None:
    with pytest.raises(Permanent, match="no header"):
        basic("user:root", "password")


@pytest.mark.parametrize("half", ["pk-user-0123456789", "the-password-0123456789"])
def test_neither_half_of_a_pair_is_in_a_failure_however_the_server_repeats_it(half: str) -> None:
    pair = basic("pk-user-0123456789", "the-password-0123456789")
    with Canned([reply(403, {"error": f"no {half} {pair['Authorization']}"})] * 3) as server:
        asking = Client(server.url, timeout=TIMEOUT, headers=pair)
        with pytest.raises(Denied) as caught:
            asking.get("/keys")
    assert half not in caught.value.message
    assert pair["Authorization"].split()[1] not in caught.value.message
    assert "no <secret>" in caught.value.message


def test_a_header_that_only_looks_like_a_pair_is_left_out_as_it_stands() -> None:
    with Canned([reply(403, {"error": "no //////////"})]) as server:
        asking = Client(server.url, timeout=TIMEOUT, headers={"Authorization": "Basic //////////"})
        with pytest.raises(Denied, match="<secret>"):
            asking.get("/keys")


def test_an_admin_credential_that_fits_into_no_header_is_a_wrong_setting_and_not_shown() -> None:
    assert admin_bearer("acme", "right-one") == {"Authorization": "Bearer right-one"}
    wrong = f"wrong-{1}\n"
    with pytest.raises(SettingsError, match="admin credential of acme") as caught:
        admin_bearer("acme", wrong)
    assert "wrong-1" not in "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert caught.value.hint


# -- Retry-After -------------------------------------------------------------------------------------------------------


def retry_after(status: int = 429, **headers: str) -> timedelta | None:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    failed, _ = failure(send, reply(status, {}, headers=names))
    assert isinstance(failed, Transient)
    return failed.retry_after


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    then = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert retry_after(Retry_After="12") == timedelta(seconds=12)
    assert retry_after(Retry_After=then) == timedelta(seconds=90)
    assert retry_after(503, Retry_After="3") == timedelta(seconds=3)


def test_a_date_counts_from_the_servers_own_clock() -> None:
    there = NOW + timedelta(days=400)
    then = format_datetime(there + timedelta(seconds=5), usegmt=True)
    assert retry_after(Retry_After=then, Date=format_datetime(there, usegmt=True)) == timedelta(seconds=5)


@pytest.mark.parametrize("absurd", ["", "soon", "-5", "1.5", "99999999999", "Mon, 99 Foo 2026", "½"])
def test_what_is_no_time_is_none(absurd: str) -> None:
    assert retry_after(Retry_After=absurd.encode().decode("latin-1")) is None


def test_a_time_is_kept_between_now_and_an_hour() -> None:
    assert retry_after(Retry_After="999999") == LONGEST_PAUSE
    assert retry_after(Retry_After=format_datetime(NOW - timedelta(days=1), usegmt=True)) == timedelta(0)
    assert retry_after(Retry_After="Fri, 31 Dec 9999 23:59:59 GMT") == LONGEST_PAUSE


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_by_name_and_the_credential_goes_nowhere(
    call: Callable[[Canned], Answer], status: int
) -> None:
    with Canned([reply(200, {})]) as thief:
        failed, requests = failure(call, reply(status, {}, headers={"Location": f"{thief.url}/keys"}))
        assert f"127.0.0.1:{thief.port}" in failed.message
    assert type(failed) is Permanent
    assert (requests, thief.got) == (1, [])


def test_see_other_comes_after_the_deed() -> None:
    assert type(failure(mint, reply(303, {}, headers={"Location": "/keys/1"}))[0]) is Ambiguous


def test_a_strange_location_is_bounded_and_printable() -> None:
    failure(get, reply(302, {}, headers={"Location": "http://[::1/\x1b[31m"}))
    failed, _ = failure(get, reply(302, {}, headers={"Location": f"http://{'x' * 5000}\x1b[31m/"}))
    assert len(failed.message) < 200


# -- connections -------------------------------------------------------------------------------------------------------


def test_a_connection_that_breaks_is_ambiguous_for_a_mint_and_is_sent_once() -> None:
    failed, requests = failure(mint, None)
    assert (type(failed), requests) == (Ambiguous, 1)
    failed, requests = failure(send, None)
    assert (type(failed), requests) == (Transient, 1)
    failed, requests = failure(get, None)
    assert (type(failed), requests) == (Transient, MOST_TRIES)


def test_a_reset_and_half_an_answer_likewise() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    half = reply(201, {"id": "k1", "secret": "the-new-value-123"})[:-10]

    def break_off(connection: socket.socket) -> None:
        connection.sendall(half)

    for broken in (reset, break_off):
        failed, requests = failure(mint, broken)
        assert (type(failed), requests) == (Ambiguous, 1)
        assert "the-new-value" not in "".join(traceback.format_exception(failed))
        assert failed.__context__ is None or "the-new-value" not in repr(vars(failed.__context__))


def test_a_connection_that_the_server_closed_while_it_was_idle_costs_nothing() -> None:
    def answer_and_close(connection: socket.socket) -> None:
        connection.sendall(reply(201, {"id": "k"}))

    with Canned([answer_and_close]) as server:
        for _ in range(3):
            assert mint(server).status == 201
            server.settle()
        assert (len(server.got), server.connections) == (3, 3)


def test_nothing_listens_and_no_such_host_mean_that_nothing_was_sent() -> None:
    with reserved_port() as port:
        reasons = {f"http://127.0.0.1:{port}": "refused the connection", "https://nowhere.invalid": "has no address"}
        for nowhere, why in reasons.items():
            asking = Client(nowhere, timeout=TIMEOUT)
            with pytest.raises(Transient) as caught:
                asking.mint("/keys", {})
            assert not caught.value.throttled
            assert caught.value.message.endswith(why)
            assert "base_url" in caught.value.hint
            with pytest.raises(Transient):
                asking.get("/keys")


def hold(connection: socket.socket) -> None:
    """Answer nothing until the caller goes away."""
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    """Answer a byte at a time, for ever."""
    connection.sendall(reply(201).replace(b"Content-Length: 0", b"Content-Length: 100000"))
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


@pytest.mark.parametrize("dripped", IN_DROPS.values(), ids=IN_DROPS)
@pytest.mark.parametrize("encrypted", [False, True])
def test_nobody_waits_for_the_end_of_an_answer_that_comes_in_drops(
    encrypted: bool,
    dripped: tuple[bytes, bytes, bytes],
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport._trusted.cache_clear()
    whole: list[bytes] = []
    try:
        failed, requests = timed_out(mint, in_drops(*dripped, whole), tls=tls if encrypted else None)
    finally:
        transport._trusted.cache_clear()
    assert (type(failed), requests, whole) == (Ambiguous, 1, [])
    assert "in time" in failed.message


@pytest.mark.parametrize(("slow", "call"), [(hold, get), (hold, send), (hold, mint), (drip, mint)])
def test_no_call_takes_longer_than_the_timeout(
    slow: Callable[[socket.socket], None], call: Callable[..., Answer]
) -> None:
    began = time.monotonic()
    failed, requests = timed_out(call, slow)
    assert time.monotonic() - began < 120
    assert (type(failed), requests) == (Ambiguous if call is mint else Transient, 1)


def test_an_answer_that_never_ends_is_cut_off() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(reply(201).replace(b"Content-Length: 0", b"Content-Length: 100000000000"))
        while True:
            connection.sendall(b"x" * 65536)

    failed, _ = failure(mint, pour)
    assert type(failed) is Ambiguous
    assert str(MOST_BYTES) in failed.message


def test_a_deep_or_packed_answer_is_no_json() -> None:
    assert type(failure(get, reply(200, b"[" * 200_000))[0]) is Transient
    assert type(failure(get, reply(200, b"\x1f\x8b\x08\x00rest", headers={"Content-Encoding": "gzip"}))[0]) is Transient


def test_a_look_goes_on_when_the_second_try_goes_well() -> None:
    with Canned([None, reply(500, {}), reply(200, {"keys": []})]) as server:
        assert get(server).body == {"keys": []}
        assert len(server.got) == 3


def test_a_certificate_that_nobody_vouches_for_means_that_nothing_was_sent(tls: ssl.SSLContext) -> None:
    with Canned([reply(201, {})], tls) as server, pytest.raises(Transient, match="certificate"):
        mint(server)
    assert server.got == []


def test_a_certificate_is_vouched_for_by_the_file_that_the_environment_names(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport._trusted.cache_clear()
    try:
        with Canned([reply(201, {"id": "k"})], tls) as server:
            assert [mint(server).body, mint(server).body] == [{"id": "k"}, {"id": "k"}]
            assert server.connections == 1
    finally:
        transport._trusted.cache_clear()


def test_a_handshake_that_hangs_or_fails_means_that_nothing_was_sent() -> None:
    with Canned([reply(201, {})]) as plain:
        asking = Client(plain.url.replace("http:", "https:"), timeout=timedelta(milliseconds=300))
        with pytest.raises(Transient):
            asking.mint("/keys", {})
    assert plain.got == []


def test_a_name_that_is_found_too_late_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    find = socket.getaddrinfo

    def find_late(*args: Any, **more: Any) -> Any:
        time.sleep(0.3)
        return find(*args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find_late)
    for call in (mint, send, get):
        with Canned([reply(201, {})]) as server, pytest.raises(Transient, match="in time"):
            call(server, timedelta(milliseconds=200))
        assert server.got == []


# -- what the server says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"error": f"wrong key {ADMIN} for {CHOSEN}"},
        {"error": {"message": f"{CHOSEN} is taken"}},
        {"message": f"Bearer {ADMIN}"},
        {"detail": f"\x1b[31m{'x' * 20}{ADMIN}\r\n"},
    ],
)
def test_what_a_server_repeats_of_the_request_is_taken_out(body: Any) -> None:
    failed, _ = failure(mint, reply(422, body))
    assert "<secret>" in failed.message
    assert "\x1b" not in failed.message


@pytest.mark.parametrize(
    "body", [None, [], "", {"error": None}, {"error": 7}, {"error": {"error": []}}, {"error": "x" * 9999}]
)
def test_whatever_a_server_says_a_failure_is_one_bounded_line(body: Any) -> None:
    failed, _ = failure(send, reply(400, body))
    assert failed.message.startswith("127.0.0.1:")


# -- what is written into requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nX-Evil: 1", "ключ", "end ", "\x00"])
def test_a_token_that_fits_into_no_header_is_refused_unquoted(text: str) -> None:
    with pytest.raises(Permanent) as caught:
        bearer(text)
    assert not text or text not in str(caught.value)


def test_a_path_cannot_be_left() -> None:
    assert path("principals", "a/b ä@?#%", "keys", after="x&y") == (
        "/principals/a%2Fb%20%C3%A4%40%3F%23%25/keys?after=x%26y"
    )
    for dots in ("", ".", ".."):
        with pytest.raises(Permanent):
            path("principals", dots, "keys")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "https://u:p@host",
        "https://host/?x=1",
        "https://host/#x",
        "https://host:99999999",
        "https://ho st",
        "https://[::1",
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "https://host\n.example",
    ],
)
def test_a_base_url_that_is_none_or_not_encrypted_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        BaseUrl.parse(url)
    assert caught.value.hint
    assert "p@" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"]
)
def test_a_base_url_is_encrypted_or_of_this_machine(url: str) -> None:
    assert BaseUrl.parse(url).text == url.rstrip("/")


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_the_sdk_alone_loads_no_http_client() -> None:
    code = "import sys, rotator.sdk; sys.exit(any(name in sys.modules for name in ('urllib3', 'tenacity', 'ssl')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_process_has_one_pool_manager_and_one_ssl_context() -> None:
    one, other = (BaseUrl.parse(url) for url in ("https://one.example.com", "https://two.example.com"))
    contexts = {transport._pool(each).conn_kw["ssl_context"] for each in (one, other)}
    assert transport._pool(one) is transport._pool(one)
    assert contexts == {transport._trusted()}


def test_a_secret_of_the_query_is_not_repeated() -> None:
    with Canned([reply(404, {"error": f"no key {'AIza' * 8}"})]) as server, pytest.raises(Permanent) as caught:
        client(server).get(path("keys:lookupKey", keyString="AIza" * 8))
    assert "AIza" not in caught.value.message


def test_the_first_of_a_list_of_errors_is_told() -> None:
    refusal = reply(400, {"errors": [{"message": "no such role"}, "more"]})
    with Canned([refusal]) as server, pytest.raises(Permanent, match="no such role"):
        client(server).get("/x")


def test_a_mint_by_put_is_ambiguous_and_sent_once_like_one_by_post() -> None:
    with Canned([None]) as server, pytest.raises(Ambiguous):
        client(server).mint("/users/a", {"secret": CHOSEN}, method="PUT", expect=(201, 204))
    assert [got.method for got in server.got] == ["PUT"]
    with Canned([reply(204)]) as server:
        assert client(server).mint("/users/a", {}, method="PUT", expect=(201, 204)).status == 204


def test_name_and_password_of_basic_authentication_are_taken_out_of_what_a_server_repeats() -> None:
    shown = {"Authorization": "Basic " + b64encode(b"the-admin:Pass:Word-4711").decode()}
    repeated = reply(400, {"error": "the-admin may not with Pass:Word-4711"})
    with Canned([repeated]) as server, pytest.raises(Permanent) as refused:
        client(server).get("/", headers=shown)
    assert "4711" not in refused.value.message
    assert "the-admin" not in refused.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "bad_request", "reason": "no such virtual host"}, "no such virtual host"),
        ({"error": {"code": "x", "message": "that is too much"}, "reason": "for nothing"}, "that is too much"),
        ({"message": "one word suffices", "reason": "NotFound"}, "one word suffices"),
        ({"error": "bad_request"}, "bad_request"),
    ],
)
def test_a_sentence_is_said_rather_than_a_bare_code(body: Any, said: str) -> None:
    failed, _ = failure(get, reply(400, body))
    assert failed.message.endswith(f": {said!r}")


# -- what drivers of unusual APIs need ---------------------------------------------------------------------------------


def test_a_form_is_sent_as_one() -> None:
    with Canned([reply(201, {})]) as canned:
        client(canned).mint("/keys", Form(name="a b", scope=["x", "y"]))
    (got,) = canned.got
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert got.body == b"name=a+b&scope=x&scope=y"


def test_a_mint_may_have_another_method_and_headers_of_its_own() -> None:
    with Canned([reply(201, {})]) as canned:
        client(canned).mint("/keys", None, method="PUT", headers={"X-Api-Key": "other"})
    (got,) = canned.got
    assert (got.method, got.body, got.headers["x-api-key"]) == ("PUT", b"", "other")
    assert "authorization" not in got.headers


def test_an_answer_brings_its_headers_along() -> None:
    with Canned([reply(200, {}, headers={"Location": "/keys/7"})]) as canned:
        assert client(canned).get("/x").headers["location"] == "/keys/7"


def test_what_is_expected_may_depend_on_what_stands_in_the_answer() -> None:
    def fine(answer: Answer) -> bool:
        return bool(answer.body["ok"])

    with Canned([reply(200, {"ok": True}), reply(200, {"ok": False})]) as canned:
        assert client(canned).mint("/keys", {}, expect=fine).body == {"ok": True}
        with pytest.raises(Ambiguous):
            client(canned).mint("/keys", {}, expect=fine)


@pytest.mark.parametrize(
    ("text", "kind", "understood"),
    [
        (b"Unauthorized", "text/plain", True),
        (b"<html>no</html>", "text/plain", False),
        (b"no", "text/html", False),
        (b'{"cut": "of', "text/plain", False),
        (b"[", "text/plain", False),
        (b"no", "application/json", False),
    ],
)
def test_text_that_is_no_json_is_an_answer_only_where_it_is_asked_for_and_nothing_broken(
    text: bytes, kind: str, understood: bool
) -> None:
    head = f"HTTP/1.1 401 x\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
    with Canned([head + text]) as canned:
        plain = Client(canned.url, timeout=TIMEOUT, plain=True)
        if understood:
            assert plain.get("/me", expect=(401,)).body == text.decode()
        else:
            with pytest.raises(Transient):
                plain.send("GET", "/me", expect=(401,))
        with pytest.raises(Transient):
            client(canned).send("GET", "/me", expect=(401,))


def test_a_secret_that_is_told_to_be_hidden_is_in_no_failure_however_it_is_written() -> None:
    with Canned([reply(400, {"error": "what is s/ecret-12345 or s%2Fecret-12345 or constant-1"})]) as canned:
        asking = Client(canned.url, timeout=TIMEOUT, hide=("constant-1",))
        with pytest.raises(Permanent) as caught:
            asking.get("/bot/me", hide=("s/ecret-12345",))
    assert "12345" not in caught.value.message
    assert "constant-1" not in caught.value.message
