"""A description is read strictly: what is wrong is said with its place, and the admin credential has one place."""

from __future__ import annotations

import re
from typing import Any

import pytest
import rotator_rest
from rotator_rest import Rest
from rotator_rest.description import KNOWN

from rotator.config.document import parse_document
from rotator.domain.credential import Principal
from rotator.domain.failures import Permanent
from rotator.domain.keys import BY_HAND, CHOSEN_VALUE, OVERLAP, UNMARKED, Disabling, MintRequest, Probe
from rotator.sdk import SettingsError
from tests.providers.described import TIMEOUT, changed, description

ADMIN = "admin-secret-0123456789"
SVC = Principal(name="svc", settings={"principal": "svc"})


def made(changes: dict[str, Any] | None = None, admin: str = ADMIN, **settings: Any) -> Rest:
    table = changed(description("keyserver"), changes or {})
    return Rest.from_settings("mine", {"description": table, **settings}, admin, TIMEOUT)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    # what is changed, how the complaint begins, a word of it or of its hint
    ({"mnt": {}}, "description.'mnt' is not known", "did you mean mint?"),
    ({"mint.pth": "/x"}, "description.mint.'pth' is not known", "did you mean path?"),
    ({"list.state.enable": [1]}, "description.list.state.'enable' is not known", "did you mean enabled?"),
    ({"mint.path": None}, "description.mint.path is missing", "add path"),
    ({"delete": None}, "description.delete is not a table", "path"),
    ({"verify": None}, "description.verify is not a table", "path"),
    ({"list.id": None}, "description.list.id is missing", "add id"),
    ({"mint.id": None}, "description.mint.id is missing", "add id"),
    ({"mint.id": "id"}, "description.mint.id is no JSON pointer", "/data/id"),
    ({"mint.id": "/a~2b"}, "description.mint.id is no JSON pointer", "/data/id"),
    ({"list.items": "keys"}, "description.list.items is no JSON pointer", "/data/id"),
    ({"list.mark": "name"}, "description.list.mark is no JSON pointer", "/data/id"),
    ({"error_code": "error"}, "description.error_code is no JSON pointer", "/data/id"),
    ({"mint.method": "MAKE"}, "description.mint.method is none of the known ones", "PATCH"),
    ({"mint.json.mark": "{marc}"}, "description.mint.json.mark: {marc} is not known there", "{mark}"),
    ({"mint.json.mark": "{"}, "description.mint.json.mark has a brace", "placeholder"),
    ({"mint.json": {"deep": [{"x": "{id}"}]}}, "description.mint.json.deep.0.x: {id} is not known there", "{scopes}"),
    ({"mint.json.mark": "{principal}"}, "description.mint.json.mark: {principal} is not known", "{principal.…}"),
    ({"mint.form": {"x": "y"}}, "description.mint has two bodies", "json: or form:"),
    ({"mint.json": None, "mint.form": ["x"]}, "description.mint.form is no table", "form:"),
    ({"mint.success": []}, "description.mint.success is no list", "[409, 'quota']"),
    ({"mint.success": [99]}, "description.mint.success holds", "100 to 599"),
    ({"mint.success": [{}]}, "description.mint.success holds", "100 to 599"),
    ({"error_code": None}, "description.mint.cap holds a code", "error_code"),
    ({"mint.secret": None}, "description.mint says not where the value is", "secret: /key"),
    ({"mint.value": {"a": "/a"}}, "description.mint says not where the value is", "secret: /key"),
    ({"mint.secret": None, "mint.value": {"A-B": "/a"}}, "description.mint.value has a strange name", "small letters"),
    ({"mint.forms": {"secret": "sk-"}, "mint.secret": None}, "description.mint.forms has no {value}", "sk-{value}"),
    ({"mint.forms": {"secret": "{value}"}}, "description.mint sends not all of forms:", "{secret}"),
    (
        {"mint.forms": {"secret": "{value}"}, "mint.secret": None, "mint.path": "/k/{secret}"},
        "description.mint.path shows the chosen value",
        "json: or form:",
    ),
    ({"mint.id": "mark", "mint.json": {}}, "description.mint.id is the mark, which is not sent", "{mark}"),
    ({"secret_part": "password"}, "description.secret_part is no part of the value", "secret"),
    ({"disable": None}, "description.enable has no disable", "both"),
    ({"delete.path": "/keys"}, "description.delete says not which key", "{id}"),
    ({"delete.path": "keys/{id}"}, "description.delete.path is no path", "begin it with /"),
    ({"delete.path": "//evil.example.com/{id}"}, "description.delete.path is no path", "begin it with /"),
    ({"delete.path": "/a/../{id}"}, "description.delete.path is no path", "begin it with /"),
    ({"delete.path": "/keys/{id}\n"}, "description.delete.path is not text", "one line"),
    ({"delete.path": "https://evil.example.com/{id}"}, "description.delete.path is no path", "begin it with /"),
    ({"verify.auth": "both"}, "description.verify.auth is none of the known ones", "admin"),
    ({"verify.auth": "admin"}, "description.verify shows no part of the key", "{secret}"),
    ({"verify.auth": {"format": "Bearer x"}}, "description.verify.auth.format does not show {secret}", "{secret}"),
    ({"list.next": {}}, "description.list.next names not exactly one way", "cursor"),
    ({"list.next": {"link": True, "page": "p"}}, "description.list.next names not exactly one way", "cursor"),
    ({"list.next": {"cursor": "/after"}}, "description.list.next.parameter is missing", "parameter"),
    ({"list.next": {"page": "a&b"}}, "description.list.next.page is no parameter", "page_token"),
    ({"list.next": {"page": "p", "parameter": "q"}}, "description.list.next.parameter does not belong here", "first"),
    ({"list.state": {"at": "/s"}}, "description.list.state names no value", "enabled"),
    ({"list.state.disabled": ["enabled"]}, "description.list.state.disabled is strange, or stands twice", "enabled"),
    ({"list.only": {"owner": "x"}}, "description.list.only is no JSON pointer", "/data/id"),
    ({"list.detail": "/keys/{mark}"}, "description.list.detail.path: {mark} is not known there", "{id}"),
    ({"list.times": "gmt"}, "description.list.times is none of the known ones", "utc"),
    ({"propagation": "soon"}, "description.propagation is not a duration", "90s"),
    ({"cap": 0}, "description.cap is no such number", "1"),
    ({"probe": True, "verify.method": "POST"}, "description.probe cannot be", "leave probe out"),
]
ABOUT_THE_ADMIN_CREDENTIAL: list[tuple[dict[str, Any], str]] = [
    ({"mint.json.mark": "{admin}"}, "description.mint.json.mark: {admin} is not known there"),
    ({"list.path": "/keys/{admin}"}, "description.list.path: {admin} is not known there"),
    ({"list.path": "/keys?key={admin}"}, "description.list.path: {admin} is not known there"),
    ({"headers": {"X-Copy": "{admin}"}}, "description.headers.X-Copy: {admin} is not known there"),
    ({"verify.auth": {"format": "{secret}{admin}"}}, "description.verify.auth.format: {admin} is not known there"),
    ({"verify.headers": {"X-Copy": "{admin}"}}, "description.verify.headers.X-Copy: {admin} is not known there"),
    ({"list.only": {"/x": "{admin}"}}, "description.list.only: {admin} is not known there"),
    ({"headers": {"authorization": "Bearer x"}}, "description.headers writes the header of the admin credential"),
    ({"mint.headers": {"Authorization": "x"}}, "description.mint.headers writes the header of the admin credential"),
    ({"headers": {"Host": "evil.example.com"}}, "description.headers names a header that is not"),
    ({"headers": {"Content-Length": "0"}}, "description.headers names a header that is not"),
    ({"headers": {"X: y": "0"}}, "description.headers names a header that is not"),
    ({"headers": {"X-A": 5}}, "description.headers is no table of texts"),
    ({"auth": {"header": "Host"}}, "description.auth.header is no header for a credential"),
    ({"auth": {"header": "X-A\r\nX-B"}}, "description.auth.header is not text"),
    ({"auth": {"format": "Bearer"}}, "description.auth.format does not show {admin}"),
    ({"auth": {"format": "{admin}{principal.x}"}}, "description.auth.format: {principal.x} is not known there"),
    ({"auth": {"basic": "u:{admin}", "header": "X-A"}}, "description.auth says both basic and a header"),
]


@pytest.mark.parametrize(("changes", "begins", "word"), WRONG, ids=lambda each: str(each)[:60])
def test_what_is_wrong_is_said_with_its_place_and_how_it_is_written(
    changes: dict[str, Any], begins: str, word: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        made(changes)
    assert caught.value.message.startswith(begins)
    assert word in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    assert not caught.value.message.endswith(".")


@pytest.mark.parametrize(("changes", "begins"), ABOUT_THE_ADMIN_CREDENTIAL, ids=str)
def test_the_admin_credential_goes_into_its_header_and_nowhere_else(changes: dict[str, Any], begins: str) -> None:
    with pytest.raises(SettingsError) as caught:
        made(changes)
    assert caught.value.message.startswith(begins)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "http://keys.example.com"}, "encryption"),
        ({"use_url": "http://keys.example.com"}, "encryption"),
        ({"descriptions": "x"}, "descriptions"),
        ({"death_window": "soon"}, "death_window"),
        ({"cap": 0}, "cap"),
    ],
)
def test_the_providers_own_settings_are_read_as_strictly(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        made(**settings)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("table", [None, "keyserver", [], 5])
def test_what_is_no_table_is_no_description(table: Any) -> None:
    with pytest.raises(SettingsError, match="description is no table"):
        Rest.from_settings("mine", {"description": table}, ADMIN, TIMEOUT)


def test_without_a_base_url_anywhere_there_is_nobody_to_ask() -> None:
    with pytest.raises(SettingsError, match="base_url is missing"):
        made({"base_url": None})


def test_an_admin_credential_that_fits_into_no_header_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        made(admin="two\nlines-0123456789")
    assert "lines-0123" not in repr(vars(caught.value)) + str(caught.value.__context__)


def test_settings_that_a_description_mentions_must_be_there_and_no_others() -> None:
    changes = {"mint.path": "/t/{settings.team}/keys"}
    with pytest.raises(SettingsError, match="team is missing"):
        made(changes)
    assert made(changes, team="t1").capabilities(SVC).strategy is OVERLAP
    with pytest.raises(SettingsError, match="team"):
        made(team="t1")
    assert made({"list.only": {"/team": "{settings.team}"}}, team="t1").capabilities(SVC).strategy is OVERLAP
    with pytest.raises(SettingsError, match=re.escape("{settings.base_url}")):
        made({"mint.path": "/t/{settings.base_url}/keys"})


def test_a_principal_must_say_every_word_that_the_description_mentions() -> None:
    with pytest.raises(Permanent) as caught:
        made().capabilities(Principal(name="svc"))
    assert caught.value.message == "the principal says no principal"
    assert "principal: {principal: …}" in caught.value.hint


def test_what_is_described_is_what_is_offered() -> None:
    offers = made(cap=7, death_window="3m").capabilities(SVC)
    assert (offers.strategy, offers.disabling, offers.cap) == (OVERLAP, Disabling.REVERSIBLE, 7)
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (True, True, True, True)
    assert offers.death_window.total_seconds() == 180
    assert offers.probe == Probe(url="http://127.0.0.1:8080/resource")
    assert offers.least_permission == "the keyserver's admin secret"


@pytest.mark.parametrize(
    ("changes", "strategy"),
    [
        ({"list.mark": None}, UNMARKED),
        ({"mint.json": {"scopes": "{scopes}"}}, UNMARKED),
        ({"mint": None}, BY_HAND),
        ({"mint.json.secret": "{secret}", "mint.forms": {"secret": "{value}"}, "mint.secret": None}, CHOSEN_VALUE),
    ],
)
def test_the_strategy_follows_from_what_is_sent_and_listed(changes: dict[str, Any], strategy: object) -> None:
    assert made(changes).capabilities(SVC).strategy is strategy


def test_without_mint_a_person_makes_the_keys_and_nothing_is_sent() -> None:
    driver = made({"mint": None, "console_url": "https://keys.example.com"})
    assert driver.capabilities(SVC).console_url == "https://keys.example.com"
    with pytest.raises(Permanent, match="a person"):
        driver.mint(SVC, MintRequest(mark="m"))


@pytest.mark.parametrize(
    "changes",
    [
        {"verify.method": "POST"},
        {"verify.headers": {"X-Version": "1"}},
        {"verify.auth": {"basic": "{secret}:"}},
        {"verify.path": "/resource?key={secret}"},
        {"verify.works": ["ok"], "verify.code": "/status"},
        {"probe": False},
    ],
    ids=str,
)
def test_a_probe_is_offered_only_where_the_engine_can_send_it(changes: dict[str, Any]) -> None:
    assert made({"probe": None, **changes}).capabilities(SVC).probe is None


def test_where_bodies_tell_what_went_wrong_no_probe_is_offered_unless_somebody_vouches() -> None:
    assert made({"probe": None}).capabilities(SVC).probe is None
    plain = made({"probe": None, "error_code": None, "mint.cap": None, "mint.conflict": None})
    assert plain.capabilities(SVC).probe is not None


def test_its_hosts_are_those_of_its_addresses() -> None:
    table = description("keyserver")
    assert Rest.reach({"description": table}).hosts == ("127.0.0.1:8080",)
    assert Rest.reach({"description": table, "base_url": "https://keys.example.com"}).hosts == ("keys.example.com",)


def test_the_page_that_explains_a_description_is_a_description() -> None:
    """What stands in the docstring as the schema can be read, comments and all."""
    page = (rotator_rest.__doc__ or "").partition("offers:\n")[2].partition("\nPlaceholders")[0]
    table = parse_document(page.encode(), "page").value
    assert set(table) == set(KNOWN)
    with pytest.raises(SettingsError, match="sends not all of forms"):  # it is instead of secret
        Rest.from_settings("page", {"description": table}, ADMIN, TIMEOUT)
    driver = Rest.from_settings("page", {"description": changed(table, {"mint.forms": None})}, ADMIN, TIMEOUT)
    offers = driver.capabilities(Principal(name="p", settings={"project": "p1", "owner": "o1"}))
    assert (offers.strategy, offers.cap, offers.disabling) == (OVERLAP, 100, Disabling.REVERSIBLE)
