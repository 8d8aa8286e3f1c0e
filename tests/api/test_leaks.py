"""GitHub tells the API of leaked keys: believed by its signature, taken in once, nothing else is told."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rotator.api.limits import MIB, Limits
from tests.api.conftest import MINE, Api, served
from tests.cli.scene import Scene

SECRET = "It's a Secret to Everybody"


@pytest.fixture
def listening(two_owners: Scene) -> Iterator[Api]:
    two_owners.say("adopt", MINE)
    (two_owners.folder / "hook").touch(mode=0o600)
    (two_owners.folder / "hook").write_text(SECRET)
    two_owners.rewrite(leaks={"github": {"secret": "file:hook"}})
    with served(two_owners, limits=Limits(failed_logins=3)) as running:
        yield running


def leak(api: Api, **more: str) -> bytes:
    return json.dumps(
        [{"source": "commit", "token": api.scene.published(MINE), "type": "x", "url": "u", **more}]
    ).encode()


def tell(api: Api, body: bytes, secret: str = SECRET, **headers: str) -> Any:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    named = {"Content-Type": "application/json", "X-Hub-Signature-256": signature, **headers}
    return api.call("POST", "/v1/leaks/github", None, body=body, headers=named)


def test_a_signed_leak_opens_an_incident_without_any_token_and_once(listening: Api) -> None:
    body = leak(listening)
    assert (tell(listening, body).status, tell(listening, body).json()) == (200, {"taken": False})
    (incident,) = listening.get("/v1/incidents")["incidents"]
    assert incident["credentials"] == [MINE]
    assert not listening.assembly.journal.rotations()


def test_the_answer_holds_nothing_of_the_leak(listening: Api) -> None:
    assert tell(listening, leak(listening)).json() == {"taken": True}


def test_what_is_not_signed_opens_nothing_and_keeps_nothing_that_is_signed_away(listening: Api) -> None:
    statuses = [tell(listening, leak(listening), "another secret").status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert listening.get("/v1/incidents")["incidents"] == []
    assert tell(listening, leak(listening)).json() == {"taken": True}


def test_what_could_not_be_taken_in_is_news_again(listening: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise LookupError

    with monkeypatch.context() as broken:
        broken.setattr("rotator.api.leaking.take", away)
        broke = tell(listening, leak(listening))
    assert (broke.status, broke.headers["Connection"]) == (500, "close")
    assert tell(listening, leak(listening)).json() == {"taken": True}


def test_bad_messages_are_refused(listening: Api) -> None:
    assert tell(listening, b"no json").status == 400
    assert tell(listening, json.dumps({"action": "resolved"}).encode()).json() == {"taken": False}
    assert tell(listening, b" " * (4 * MIB + 1)).status == 413
    assert tell(listening, b"{}", **{"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    assert tell(listening, b'{"zen": "x"}').status == 200  # a webhook's first message
    assert listening.get("/v1/incidents")["incidents"] == []


def test_without_leaks_in_the_config_there_is_nobody(api: Api) -> None:
    assert tell(api, leak(api)).status == 404
