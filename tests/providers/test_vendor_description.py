"""What holds drivers against their vendors' descriptions: here against one that is small enough to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.failures import Permanent
from rotator.sdk.http import Client, bearer, path
from tests.servers import Unavailable, vendor_description
from tests.servers.api import Asked, Reply
from tests.servers.vendor_description import DescribedStandIn, Description

KEY: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "ends": {"type": ["string", "null"]}},
    "required": ["id"],
}
ACME: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "acme", "version": "1"},
    "servers": [{"url": "https://api.acme.example/v1"}],
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/keys/{id}": {
            "get": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "from", "in": "query", "schema": {"type": ["integer", "null"]}},
                ],
                "responses": {"200": {"description": "a key", "content": {"application/json": {"schema": KEY}}}},
            }
        },
        "/keys": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": KEY}}},
                "responses": {"201": {"description": "made"}},
            }
        },
    },
}
ENDS = {"paths": {"/keys/{id}": {"delete": {"responses": {"200": {"description": "gone"}}}}}}


@pytest.fixture(autouse=True)
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(vendor_description.SPECS, str(tmp_path))
    (tmp_path / "acme.json").write_text(json.dumps(ACME))
    return tmp_path


class Acme(DescribedStandIn):
    """Answers whatever it was told to."""

    def __init__(self, description: Description) -> None:
        self.description = description  # type: ignore[misc]
        self.reply = Reply(200, {"id": "k"})
        super().__init__()

    def respond(self, asked: Asked) -> Reply:
        return self.reply


@pytest.fixture
def acme() -> Iterator[Acme]:
    standing = Acme(Description("acme.json", base="/v1"))
    try:
        yield standing
    finally:
        standing.unaccepted.clear()
        standing.close()


def client(acme: Acme, **headers: str) -> Client:
    return Client(f"{acme.url}/v1", timeout=timedelta(seconds=60), headers=headers or bearer("the-admin-key"))


def test_what_the_description_knows_reaches_the_stand_in(acme: Acme) -> None:
    assert client(acme).get(path("keys", "a/b", **{"from": "5"})).body == {"id": "k"}
    assert client(acme).mint(path("keys"), {"id": "k", "ends": None}, expect=(200,)).status == 200
    assert acme.unaccepted == []
    assert acme.asked[0].path == ("v1", "keys", "a/b")


def test_it_is_read_before_a_request_that_would_have_to_wait_for_it(acme: Acme, specs: Path) -> None:
    (specs / "acme.json").unlink()
    with pytest.raises(Permanent):
        client(acme).get("/kees")
    acme.reply = Reply(200, {"ends": "x"})
    client(acme).get("/keys/k")
    refused, answered = acme.unaccepted
    assert "Path not found" in refused
    assert "'id' is a required" in answered


@pytest.mark.parametrize(
    ("method", "target", "body", "word"),
    [
        ("GET", "/keys", None, "get not found"),
        ("GET", "/kees", None, "Path not found"),
        ("DELETE", "/keys/k", None, "delete not found"),
        ("GET", "/keys/k?from=soon", None, "from"),
        ("GET", "/keys/k?form=5", None, "form"),
        ("POST", "/keys", None, "request body"),
        ("POST", "/keys", {"ends": "x"}, "'id' is a required"),
        ("POST", "/keys", {"id": 5}, "not of type 'string'"),
        ("POST", "/keys", {"id": "k", "end": "x"}, "'end' was unexpected"),
    ],
)
def test_what_the_description_does_not_know_is_refused_and_fails_the_test(
    acme: Acme, method: str, target: str, body: Any, word: str
) -> None:
    with pytest.raises(Permanent):
        client(acme).send(method, target, body)
    assert len(acme.asked) == 1
    with pytest.raises(AssertionError, match="against the vendor's description") as caught:
        acme.close()
    assert word in str(caught.value)
    acme.close()


def test_a_request_without_the_credential_that_is_described_is_refused(acme: Acme) -> None:
    with pytest.raises(Permanent, match="Security"):
        client(acme, Other="x").get("/keys/k")
    assert acme.unaccepted


def test_an_answer_that_the_vendor_would_not_give_fails_the_test(acme: Acme) -> None:
    acme.reply = Reply(200, {"ends": "x"})
    client(acme).get("/keys/k")
    with pytest.raises(AssertionError, match="'id' is a required"):
        acme.close()


def test_faults_and_answers_of_undescribed_statuses_are_held_against_nothing(acme: Acme) -> None:
    acme.fail("GET", Reply(200, {}))
    client(acme).get("/keys/k")
    acme.reply = Reply(404, {"odd": True})
    client(acme).get("/keys/k", expect=(404,))
    assert acme.unaccepted == []


def test_an_addition_is_part_of_the_description_until_the_description_has_it(specs: Path) -> None:
    with Acme(Description("acme.json", base="/v1", additions=ENDS)) as acme:
        client(acme).send("DELETE", "/keys/k")
    newer = json.loads(json.dumps(ACME))
    newer["paths"]["/keys/{id}"] |= ENDS["paths"]["/keys/{id}"]
    (specs / "acme.json").write_text(json.dumps(newer))
    newest = Description("acme.json", additions=ENDS)
    with pytest.raises(AssertionError, match="take the addition out"):
        newest.refuses(Asked(method="GET", path=("keys",), query={}, headers={}, body=None))


def test_without_its_description_a_stand_in_works_and_says_so() -> None:
    missing = Description("other.json")
    with Acme(missing) as acme:
        client(acme).send("PUT", "/anything")
    with pytest.raises(Unavailable, match=r"other\.json"):
        missing.required()
    Description("acme.json").required()
