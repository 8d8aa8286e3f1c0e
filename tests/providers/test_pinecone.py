"""The driver for Pinecone: its settings, its access tokens, and the API's ways that it has to know."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rotator_pinecone import Pinecone

from rotator.adapters.probe import HttpProber
from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Denied, Permanent, Transient
from rotator.domain.keys import OVERLAP, Disabling, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.sdk import Reach, SettingsError
from tests.sdk.canned_server import Canned, reply
from tests.servers import pinecone
from tests.servers.api import Reply
from tests.servers.pinecone import CLIENT_ID, CLIENT_SECRET, PROJECT, TOKEN, VIEWER, PineconeStandIn, error

TIMEOUT = timedelta(seconds=60)
VECTORS = Principal(name="vectors", settings={"project": PROJECT})
ASKED = MintRequest(mark="rot-tests-r1-1-abc")

pytestmark = pytest.mark.stand_in(pinecone.NAME)


@pytest.fixture
def server() -> Iterator[PineconeStandIn]:
    with PineconeStandIn() as server:
        yield server


def ready(url: str, admin: str = TOKEN, **settings: Any) -> Pinecone:
    """With a token that somebody else asked for."""
    return Pinecone.from_settings("vectors", {"base_url": url, **settings}, admin, TIMEOUT)


def asking(server: PineconeStandIn, admin: str = CLIENT_SECRET) -> Pinecone:
    """With client credentials."""
    return ready(server.url, admin, client_id=CLIENT_ID, login_url=server.login.url)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_it_offers_what_pinecone_can_do() -> None:
    offers = Pinecone.from_settings("v", {}, TOKEN, TIMEOUT).capabilities(VECTORS)
    assert offers.strategy is OVERLAP
    assert (offers.disabling, offers.cap) == (Disabling.NONE, None)
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (False, True, False, False)
    assert offers.death_window == timedelta(minutes=5)
    assert offers.probe is not None
    assert offers.probe.url == "https://api.pinecone.io/indexes"
    assert "service account" in offers.least_permission


def test_with_client_credentials_it_reaches_two_hosts_and_with_a_token_one() -> None:
    assert Pinecone.reach({}) == Reach(hosts=("api.pinecone.io",))
    assert Pinecone.reach({"client_id": "x"}) == Reach(hosts=("api.pinecone.io", "login.pinecone.io"))
    own = {"client_id": "x", "base_url": "https://a.internal:8443", "login_url": "https://a.internal:8443/login"}
    assert Pinecone.reach(own) == Reach(hosts=("a.internal:8443",))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "http://pinecone.example"}, "encryption"),
        ({"login_url": "http://pinecone.example"}, "encryption"),
        ({"client_id": ["x"]}, "client_id"),
        ({"death_window": "soon"}, "death_window"),
        ({"project": PROJECT}, "project"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Pinecone.from_settings("v", settings, TOKEN, TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("settings", [{}, {"client_id": CLIENT_ID}])
def test_an_admin_credential_with_a_line_break_is_refused_and_not_shown(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        Pinecone.from_settings("v", settings, f"{CLIENT_SECRET}\n", TIMEOUT)
    assert CLIENT_SECRET not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize(
    "settings", [{}, {"project": ""}, {"project": ("a", "b")}, {"project": PROJECT, "service_account": "sa"}]
)
def test_a_principal_in_other_words_is_refused_and_nothing_is_sent(settings: dict[str, Any]) -> None:
    with Canned([reply(200, {})]) as canned:
        for call in (ready(canned.url).keys, lambda whose: ready(canned.url).mint(whose, ASKED)):
            with pytest.raises(Permanent):
                call(Principal(name="x", settings=settings))
        assert canned.got == []


# -- access tokens -----------------------------------------------------------------------------------------------------


def test_an_access_token_is_asked_for_once_and_used_by_all(server: PineconeStandIn) -> None:
    driver = asking(server)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: driver.keys(VECTORS), range(16)))
    assert server.login.lines() == ["POST /oauth/token"]
    assert server.login.asked[0].body["audience"] == "https://api.pinecone.io/"
    assert CLIENT_SECRET not in "".join(f"{each.headers}{each.body}" for each in server.asked)


def test_a_token_in_its_last_minute_is_not_used_again(server: PineconeStandIn) -> None:
    server.login.lifetime = 60
    driver = asking(server)
    driver.keys(VECTORS)
    driver.keys(VECTORS)
    assert len(server.login.asked) == 2
    server.login.lifetime = 70
    driver.keys(VECTORS)
    driver.keys(VECTORS)
    assert len(server.login.asked) == 3


def test_a_token_that_was_revoked_is_transient_and_the_next_one_is_fresh(server: PineconeStandIn) -> None:
    driver = asking(server)
    driver.keys(VECTORS)
    server.login.given.clear()
    with pytest.raises(Transient, match="took before"):
        driver.mint(VECTORS, ASKED)
    assert server.keys == {}
    driver.mint(VECTORS, ASKED)
    assert len(server.keys) == 1
    assert len([line for line in server.lines() if line.startswith("POST")]) == 2, "one a mint"


def test_a_fresh_token_that_is_refused_is_denied(server: PineconeStandIn) -> None:
    driver = asking(server)
    for _ in range(2):
        server.login.fail("POST", Reply(200, {"access_token": "of-somebody-else", "expires_in": 600}))
        with pytest.raises(Denied) as caught:
            driver.keys(VECTORS)
        assert "service account" in caught.value.permission


def test_a_ready_token_that_ended_is_denied_although_it_was_taken_before(server: PineconeStandIn) -> None:
    driver = ready(server.url)
    driver.keys(VECTORS)
    server.fail("GET", error(401, "UNAUTHENTICATED"))
    with pytest.raises(Denied):
        driver.keys(VECTORS)


def test_a_wrong_client_secret_is_denied_and_never_leaves_the_login(server: PineconeStandIn) -> None:
    driver = asking(server, admin="wrong-secret-0123456789")
    with pytest.raises(Denied) as caught:
        driver.check_admin(VECTORS)
    assert "wrong-secret" not in caught.value.message + caught.value.hint
    assert server.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, {}),
        Reply(200, {"access_token": "two\nlines", "expires_in": 600}),
        Reply(200, {"access_token": "x", "expires_in": "600"}),
        Reply(200, content=b"<html>"),
        Reply(500, {}),
        Reply(429, {}, {"Retry-After": "3"}),
    ],
    ids=str,
)
def test_a_login_in_trouble_is_transient_for_a_mint_too_for_nothing_was_made(
    server: PineconeStandIn, answer: Reply
) -> None:
    server.login.fail("POST", answer)
    with pytest.raises(Transient):
        asking(server).mint(VECTORS, ASKED)
    assert server.asked == []


def test_a_login_that_redirects_or_repeats_the_secret_shows_it_to_nobody(server: PineconeStandIn) -> None:
    with Canned([reply(200, {})]) as elsewhere:
        server.login.fail("POST", Reply(307, {}, {"Location": elsewhere.url}))
        with pytest.raises(Permanent, match="redirects"):
            asking(server).keys(VECTORS)
        assert elsewhere.connections == 0
    server.login.fail("POST", Reply(400, {"error": {"message": f"bad {CLIENT_SECRET}"}}))
    with pytest.raises(Permanent) as caught:
        asking(server).keys(VECTORS)
    assert CLIENT_SECRET not in "".join(traceback.format_exception(caught.value))


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_mint_asks_for_the_roles_and_the_list_tells_them(server: PineconeStandIn) -> None:
    driver = ready(server.url)
    driver.mint(VECTORS, replace(ASKED, scopes=("DataPlaneViewer", "ControlPlaneViewer")))
    assert server.asked[0].body == {"name": ASKED.mark, "roles": ["DataPlaneViewer", "ControlPlaneViewer"]}
    assert server.asked[0].headers["x-pinecone-api-version"] == "2026-04"
    (key,) = driver.keys(VECTORS)
    assert key.grant == ("DataPlaneViewer", "ControlPlaneViewer")
    assert (key.created_at, key.last_used_at, key.expires_at) == (None, None, None)


def test_a_role_that_there_is_not_is_permanent(server: PineconeStandIn) -> None:
    with pytest.raises(Permanent, match="400"):
        ready(server.url).mint(VECTORS, replace(ASKED, scopes=("Root",)))
    assert server.keys == {}


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("code", ["QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"])
def test_a_full_quota_is_told_from_a_missing_permission_and_a_throttle(
    server: PineconeStandIn, status: int, code: str
) -> None:
    driver = ready(server.url)
    server.quota, server.full = 1, error(status, code)
    driver.mint(VECTORS, ASKED)
    with pytest.raises(CapFull):
        driver.mint(VECTORS, replace(ASKED, mark="m2"))
    assert len(server.keys) == 1
    server.fail("POST", error(429, "UNAVAILABLE"))
    with pytest.raises(Transient) as caught:
        driver.mint(VECTORS, ASKED)
    assert caught.value.throttled


def test_one_who_may_only_look_passes_the_check_and_is_denied_the_rest(server: PineconeStandIn) -> None:
    key_id = server.add("a")
    viewer = ready(server.url, VIEWER)
    viewer.check_admin(VECTORS)
    for call in (
        lambda: viewer.mint(VECTORS, ASKED),
        lambda: viewer.set_state(VECTORS, key_id, KeyState.DELETED),
    ):
        with pytest.raises(Denied) as caught:
            call()
        assert "service account" in caught.value.permission
    assert list(server.keys) == [key_id]


@pytest.mark.parametrize("key_id", ["1", "not-a-uuid", "00000000-0000-0000-0000-00000000000g"])
def test_a_key_that_no_deletion_would_look_for_is_no_row_of_a_list(key_id: str) -> None:
    page = {"data": [{"id": key_id, "name": "x", "roles": []}]}
    with Canned([reply(200, page)]) as canned, pytest.raises(Transient, match="strange id"):
        ready(canned.url).keys(VECTORS)


def test_a_key_without_a_name_is_listed_without_a_mark(server: PineconeStandIn) -> None:
    server.fail(
        "GET",
        Reply(
            200,
            {
                "data": [
                    {"id": "8b7c2d3e-0000-4000-8000-000000000001", "name": None, "project_id": PROJECT, "roles": []}
                ]
            },
        ),
    )
    (key,) = ready(server.url).keys(VECTORS)
    assert (key.mark, key.grant) == (None, ())


def test_a_key_without_the_role_for_it_is_alive_to_the_probe_too(server: PineconeStandIn) -> None:
    driver = ready(server.url)
    minted = driver.mint(VECTORS, replace(ASKED, scopes=("DataPlaneViewer",)))
    plain = driver.capabilities(VECTORS).probe
    assert plain is not None
    assert driver.verify(VECTORS, minted.value) is Verdict.FORBIDDEN
    assert HttpProber(TIMEOUT).probe(plain, minted.value).authentic
    driver.set_state(VECTORS, minted.key_id, KeyState.DELETED)
    assert driver.verify(VECTORS, minted.value) is Verdict.INVALID
    assert HttpProber(TIMEOUT).probe(plain, minted.value) is Verdict.INVALID


@pytest.mark.parametrize("body", [{}, {"message": "Forbidden"}, {"error": {"code": "UNAUTHENTICATED", "message": "x"}}])
def test_a_403_that_is_not_pinecones_word_for_a_lacking_role_says_nothing_of_the_key(
    server: PineconeStandIn, body: dict[str, Any]
) -> None:
    driver = ready(server.url)
    server.fail("GET", Reply(403, body), times=2)
    with pytest.raises(Transient):
        driver.verify(VECTORS, Secret({"secret": "pckey_0123456789"}))
    plain = driver.capabilities(VECTORS).probe
    assert plain is not None
    with pytest.raises(Transient):
        HttpProber(TIMEOUT).probe(plain, Secret({"secret": "pckey_0123456789"}))


def test_what_is_no_id_is_not_asked_for(server: PineconeStandIn) -> None:
    for other in ("", "..", "k/../x", "pckey_x_secret", f"{PROJECT}x"):
        ready(server.url).set_state(VECTORS, other, KeyState.DELETED)
    assert server.asked == []


def test_a_key_cannot_be_disabled_and_nothing_is_sent(server: PineconeStandIn) -> None:
    for state in (KeyState.DISABLED, KeyState.ENABLED):
        with pytest.raises(Permanent):
            ready(server.url).set_state(VECTORS, PROJECT, state)
    assert server.asked == []


def test_a_mint_that_is_accepted_for_later_may_make_a_key(server: PineconeStandIn) -> None:
    server.fail("POST", Reply(202))
    with pytest.raises(Ambiguous):
        ready(server.url).mint(VECTORS, ASKED)


def test_a_driver_shows_no_secret(server: PineconeStandIn) -> None:
    driver = asking(server)
    driver.keys(VECTORS)
    (token,) = server.login.given
    assert token not in repr(vars(driver._access))
    assert CLIENT_SECRET not in f"{driver!r}{driver._access!r}{driver._client!r}"
