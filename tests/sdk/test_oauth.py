"""Tokens of an OAuth endpoint: fetched once, kept, fetched anew near their end, and what the endpoint refuses."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from rotator.domain.failures import Ambiguous, Denied, Transient
from rotator.sdk.http import Client, path
from rotator.sdk.oauth import Tokens
from tests.sdk.canned_server import Canned, reply

TIMEOUT = timedelta(seconds=60)
SECRET = "client-secret-0123456789"
FORM = {"grant_type": "client_credentials", "client_secret": SECRET}


def token(text: str = "token-one", **more: Any) -> bytes:
    return reply(200, {"access_token": text, "expires_in": 3600, **more})


def tokens(server: Canned) -> Tokens:
    return Tokens(Client(server.url, timeout=TIMEOUT), path("token"), lambda: FORM, permission="to write keys")


def test_a_token_is_asked_for_by_a_form_and_kept() -> None:
    with Canned([token()]) as server:
        source = tokens(server)
        assert source.headers() == source.headers() == {"Authorization": "Bearer token-one"}
    (got,) = server.got
    assert (got.method, got.target) == ("POST", "/token")
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(got.body.decode()) == {name: [text] for name, text in FORM.items()}


def test_of_many_threads_one_fetches() -> None:
    with Canned([token()]) as server:
        source, start = tokens(server), threading.Barrier(8)

        def ask(_: int) -> dict[str, str]:
            start.wait()
            return dict(source.headers())

        with ThreadPoolExecutor(8) as threads:
            assert len({tuple(each.items()) for each in threads.map(ask, range(8))}) == 1
    assert len(server.got) == 1


def test_near_its_end_another_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("rotator.sdk.oauth.time.monotonic", lambda: clock[0])
    with Canned([token("one"), token("two")]) as server:
        source = Tokens(Client(server.url, timeout=timedelta(days=1)), path("token"), lambda: FORM)
        seen = []
        for clock[0] in (1000.0, 1000.0 + 3600 - 121, 1000.0 + 3600 - 119):
            seen.append(source.headers()["Authorization"])
    assert seen == ["Bearer one", "Bearer one", "Bearer two"]


@pytest.mark.parametrize(("status", "body"), [(400, {"error": "invalid_grant"}), (401, {"error": SECRET}), (401, {})])
def test_a_refused_credential_is_denied_and_not_shown(status: int, body: Any) -> None:
    with Canned([reply(status, body)]) as server, pytest.raises(Denied) as caught:
        tokens(server).headers()
    assert caught.value.permission == "to write keys"
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "answer", [reply(200, {}), reply(200, {"access_token": 5}), reply(200, "<html>"), reply(502, {})]
)
def test_an_answer_without_a_token_is_transient(answer: bytes) -> None:
    with Canned([answer]) as server, pytest.raises(Transient):
        tokens(server).headers()


def test_a_token_that_the_api_refuses_is_fetched_anew_for_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    with Canned([token("one"), token("two")]) as login, Canned([reply(401, {}), reply(200, {"ok": 1})]) as api:
        source = tokens(login)
        client = Client(api.url, timeout=TIMEOUT, headers=source)
        source.headers()
        monkeypatch.setattr(source, "_fetched_at", source._fetched_at - 5)
        with pytest.raises(Transient):
            client.mint("/keys", {}, expect=(200,))
        assert client.get("/keys").body == {"ok": 1}
    assert [each.headers["authorization"] for each in api.got] == ["Bearer one", "Bearer two"]


def test_a_fresh_token_that_the_api_refuses_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("rotator.sdk.oauth.time.monotonic", lambda: now)
    with Canned([token()]) as login, Canned([reply(401, {})]) as api, pytest.raises(Denied):
        Client(api.url, timeout=TIMEOUT, headers=tokens(login)).get("/keys")


def test_a_mint_without_a_token_was_not_sent() -> None:
    with Canned([reply(502, {})]) as login, Canned([reply(200, {})]) as api:
        client = Client(api.url, timeout=TIMEOUT, headers=tokens(login))
        with pytest.raises(Transient) as caught:
            client.mint("/keys", {})
    assert not isinstance(caught.value, Ambiguous)
    assert api.got == []


def test_it_shows_no_token() -> None:
    with Canned([token()]) as server:
        source = tokens(server)
        source.headers()
        assert "token-one" not in repr(source)
