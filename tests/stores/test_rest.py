"""APIs described in the config: what a description may say, and what a value may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.stores.rest import RestStore
from rotator.adapters.stores.rest.templates import BodyTemplate, PathTemplate, pointed
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from rotator.testing.store_contract import secret_free
from tests.servers.api import Asked, Reply, StandIn

TOKEN, HIDDEN = "token-0123456789", "sk-hidden-0123456789"
CURRENT = Place(ref="team/web", kind=PlaceKind.CURRENT, fields=("API_KEY",))


class OneByOne(StandIn):
    """An API whose variables are asked for by name; counts writes as their version."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, Any]] = {}
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("x-api-key") != TOKEN:
            return Reply(401, {"message": f"no: {asked.headers}"})
        name = asked.path[-1]
        if asked.method == "GET":
            found = self.held.get(name)
            return Reply(404) if found is None else Reply(200, {"meta": {"a/b": found[0]}})
        if asked.method == "DELETE":
            return Reply(204 if self.held.pop(name, None) else 404)
        self.held[name] = (self.held.get(name, (0, None))[0] + 1, asked.body)
        return Reply(200, {})


@pytest.fixture
def server() -> Iterator[OneByOne]:
    with OneByOne() as server:
        yield server


SETTINGS: dict[str, Any] = {
    "base_url": "https://api.example.com",
    "auth": {"header": "X-Api-Key", "token": "env:TOKEN"},
    "metadata": {"path": "/{ref1}/{ref2}/{field}", "version": "/meta/a~1b"},
    "write": {"path": "/{ref1}/{ref2}/{field}", "body": '{"data": [{"text": "{value}"}], "name": "{field}"}'},
    "delete": {"path": "/{ref1}/{ref2}/{field}"},
}


def store(url: str = "https://api.example.com", token: str = TOKEN, **settings: Any) -> RestStore:
    given = {**SETTINGS, "base_url": url, **settings}
    return RestStore.from_settings("ci", given, lambda _: token, timedelta(seconds=5))


def test_a_variable_that_is_asked_for_by_name_is_written_removed_and_told_by_its_version(server: OneByOne) -> None:
    writer = store(server.url)
    version = writer.write(CURRENT, {"API_KEY": HIDDEN}, ABSENT)
    assert version == "1"
    assert server.held["API_KEY"][1] == {"data": [{"text": HIDDEN}], "name": "API_KEY"}
    writer.remove(CURRENT, version)
    assert writer.read(CURRENT).version == ABSENT
    assert server.asked[0].path == ("team", "web", "API_KEY")


@pytest.mark.parametrize("text", ['"}, "admin": true, "x": {"', "{field}", "{ref}{value}", "\\u0000\n\0", "]}", "null"])
def test_no_value_becomes_anything_but_text_in_its_place(server: OneByOne, text: str) -> None:
    store(server.url).write(CURRENT, {"API_KEY": text}, ABSENT)
    assert server.held["API_KEY"][1] == {"data": [{"text": text}], "name": "API_KEY"}


def test_names_in_a_path_are_one_segment_each() -> None:
    template = PathTemplate("/p/{ref}/env/{field}?team={ref1}", ("ref", "ref1", "field"), "path")
    assert (
        template.fill({"ref": "a/b?c", "ref1": "ü&x=1", "field": "A#B"}) == "/p/a%2Fb%3Fc/env/A%23B?team=%C3%BC%26x%3D1"
    )


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_no_segment_is_refused(name: str) -> None:
    with pytest.raises(Permanent):
        PathTemplate("/p/{ref2}", ("ref2",), "path").fill({"ref2": name})


def test_a_body_is_filled_in_its_texts_alone() -> None:
    body = BodyTemplate(
        '{"value": "<{value}>", "n": 3, "on": true, "list": ["{field}", null]}', ("value", "field"), "b"
    )
    filled = body.fill({"value": '"', "field": "{value}"})
    assert json.loads(json.dumps(filled)) == {"value": '<">', "n": 3, "on": True, "list": ["{value}", None]}


@pytest.mark.parametrize(
    ("pointer", "found"), [("", {"a": [{"b/c": 1}]}), ("/a/0/b~1c", 1), ("/a/7", None), ("/a/x", None), ("/q/r", None)]
)
def test_a_pointer_finds_what_it_names_or_nothing(pointer: str, found: Any) -> None:
    assert pointed({"a": [{"b/c": 1}]}, pointer) == found


def test_a_version_that_is_not_where_the_description_says_is_named(server: OneByOne) -> None:
    server.held["API_KEY"] = (1, {})
    wrong = {"path": "/{ref1}/{ref2}/{field}", "version": "/updated"}
    with pytest.raises(Permanent, match="tells no version of API_KEY at /updated"):
        store(server.url, metadata=wrong).read(CURRENT)


def test_a_version_that_does_not_move_is_noticed(server: OneByOne) -> None:
    server.fail("GET ", Reply(200, {"meta": {"a/b": 1}}), times=9)
    writer = RestStore(store(server.url)._entries, "the API", 1000, timedelta(seconds=5), sleep=lambda _: None)
    with pytest.raises(Transient, match="does not change by writing"):
        writer.write(CURRENT, {"API_KEY": HIDDEN}, "1")


@pytest.mark.parametrize("reply", [Reply(403, {}), Reply(400, {})])
def test_a_refusal_behind_the_first_field_does_not_say_that_nothing_was_changed(server: OneByOne, reply: Reply) -> None:
    place, writer = Place(ref="team/web", kind=PlaceKind.CURRENT, fields=("API_KEY", "USER")), store(server.url)
    server.fail("PUT /team/web/USER", reply)
    with pytest.raises(Transient, match="API_KEY was changed, and then") as caught:
        writer.write(place, {"API_KEY": HIDDEN, "USER": "me"}, ABSENT)
    assert secret_free(caught.value, HIDDEN)
    version = writer.write(place, {"API_KEY": HIDDEN, "USER": "me"}, writer.read(place).version)
    server.fail("DELETE /team/web/USER", reply)
    with pytest.raises(Transient, match="API_KEY was changed, and then"):
        writer.remove(place, version)
    server.fail("PUT /team/web/API_KEY", reply)
    with pytest.raises((Denied, Permanent)):
        writer.write(place, {"API_KEY": HIDDEN, "USER": "me"}, writer.read(place).version)


def test_a_refusal_behind_a_whole_write_does_not_say_that_nothing_was_changed(server: OneByOne) -> None:
    writer = RestStore(store(server.url)._entries, "the API", 1000, timedelta(seconds=5), sleep=lambda _: None)
    version = writer.write(CURRENT, {"API_KEY": HIDDEN}, ABSENT)
    looks = [Reply(200, {"meta": {"a/b": 1}}), Reply(200, {"meta": {"a/b": 1}})]
    for reply in looks:
        server.fail("GET ", reply)
    server.answer = refusing_the_second(server.answer)  # type: ignore[method-assign,assignment]
    with pytest.raises(Transient, match="team/web was changed, and then"):
        writer.write(CURRENT, {"API_KEY": HIDDEN}, version)


def refusing_the_second(answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """Answers until the second PUT."""
    puts = []

    def answered(asked: Asked) -> Reply:
        puts.extend([asked] if asked.method == "PUT" else [])
        return Reply(403, {}) if len(puts) > 1 else answer(asked)

    return answered


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(403, {"echo": HIDDEN}), Denied),
        (Reply(429, None, {"Retry-After": "3"}), Transient),
        (Reply(400, {"echo": HIDDEN}), Permanent),
        (Reply(500, {"echo": HIDDEN}), Transient),
        (Reply(302, None, {"Location": "http://127.0.0.1:1/"}), Permanent),
        (Reply(200, content=b"<html>"), Transient),
    ],
)
def test_every_refusal_has_its_meaning_and_repeats_nothing(server: OneByOne, reply: Reply, kind: type[Failure]) -> None:
    server.fail("PUT ", reply)
    with pytest.raises(Failure) as caught:
        store(server.url).write(CURRENT, {"API_KEY": HIDDEN}, ABSENT)
    assert type(caught.value) is kind
    assert secret_free(caught.value, HIDDEN)
    assert secret_free(caught.value, TOKEN)


def test_a_token_that_is_refused_is_denied(server: OneByOne) -> None:
    with pytest.raises(Denied) as caught:
        store(server.url, token="wrong-0123456789").read(CURRENT)
    assert secret_free(caught.value, "wrong-0123456789")


def test_a_value_beyond_what_the_description_allows_is_refused(server: OneByOne) -> None:
    with pytest.raises(Permanent):
        store(server.url, max_bytes=4).write(CURRENT, {"API_KEY": "12345"}, ABSENT)
    assert server.asked == []


GOOD = SETTINGS["write"]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"auth": {"token": "sk-0123456789"}}, "auth.token"),
        ({"auth": {"header": "X: y", "token": "env:T"}}, "auth"),
        ({"auth": {"format": "Bearer", "token": "env:T"}}, "auth"),
        ({"metadata": {"path": "/x/{value}", "version": "/v"}}, "metadata.path"),
        ({"metadata": {"path": "/x/{field}", "version": "v"}}, "metadata.version"),
        ({"metadata": {"path": "/x/{field}", "version": "/v", "items": "/i"}}, "metadata.path"),
        ({"metadata": {"path": "https://evil.example/{field}", "version": "/v"}}, "metadata.path"),
        ({"metadata": {"path": "//evil.example/{field}", "version": "/v"}}, "metadata.path"),
        ({"write": {**GOOD, "path": "/x/{value}"}}, "write.path"),
        ({"write": {**GOOD, "path": "/x/{env}"}}, "write.path"),
        ({"write": {**GOOD, "path": "/../x"}}, "write.path"),
        ({"write": {**GOOD, "body": '{"value": {value}}'}}, "write.body"),
        ({"write": {**GOOD, "body": '{"value": "fixed"}'}}, "write.body"),
        ({"write": {**GOOD, "body": '{"value": "{value}", "x": "{0.__class__}"}'}}, "write.body"),
        ({"write": {"path": "/x"}}, "write.body"),
        ({"write": {**GOOD, "method": "TRACE"}}, "write.method"),
        ({"write": {**GOOD, "success": ["404"]}}, "write.success"),
        ({"delete": {"path": "/x/{id}"}}, "delete.path"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"base_url": "http://api.example.com"}, "base_url"),
        ({"follow": True}, "follow"),
    ],
)
def test_a_description_that_cannot_be_used_is_named(settings: Mapping[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        store(**settings) if "base_url" not in settings else store(settings["base_url"])
    assert wrong in caught.value.message
    assert "sk-0123456789" not in caught.value.message + caught.value.hint
