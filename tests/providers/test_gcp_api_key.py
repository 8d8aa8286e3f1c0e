"""API keys of Google Cloud, on a stand-in: the contract, operations, assertions, and what Google refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rotator_gcp_api_key import PERMISSIONS, ApiKeys

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import OVERLAP, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.bad_input import UGLY, BadInput, Subject
from tests.servers import google_keys
from tests.servers.google_keys import GoogleServer
from tests.servers.ordering import Ordered
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in(google_keys.NAME)

TIMEOUT = timedelta(seconds=60)
GEMINI = Principal(name="gemini", exclusive=True)
NOW: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")
KEYS = "/".join(google_keys.KEYS)
WRONG = "ya29.wrong-token-0123456789"


@pytest.fixture
def server() -> Iterator[GoogleServer]:
    with GoogleServer() as server:
        yield server


def driver(server: GoogleServer, port: int, timeout: timedelta = TIMEOUT, admin: str = "", **settings: Any) -> ApiKeys:
    urls = dict.fromkeys(("base_url", "rights_url", "verify_url"), f"http://127.0.0.1:{port}")
    given = {**urls, "token_url": f"{server.url}/token", "project": google_keys.PROJECT, **NOW, **settings}
    return ApiKeys.from_settings("gcp", given, admin or server.service_account, timeout)


@pytest.fixture
def asking(server: GoogleServer) -> ApiKeys:
    return driver(server, server.port)


class TestContract(ProviderContract):
    @pytest.fixture
    def proxy(self, server: GoogleServer, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(server.host, server.port)

    @pytest.fixture
    def provider(self, server: GoogleServer, proxy: FaultProxy) -> Provider:
        return driver(server, proxy.port)

    @pytest.fixture
    def principal(self) -> Principal:
        return GEMINI

    @pytest.fixture
    def wrong_admin(self, server: GoogleServer) -> Provider:
        return driver(server, server.port, admin=WRONG)

    @pytest.fixture
    def admin_secrets(self, server: GoogleServer) -> Collection[str]:
        return (WRONG, json.loads(server.service_account)["private_key"])

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing


class TestBadInput(BadInput):
    @pytest.fixture
    def subject(self, server: GoogleServer) -> Subject:
        server.polls = 0

        def order(call: str, ordered: Ordered) -> None:
            lines = {"mint": [f"POST /{KEYS}"], "list": [f"GET /{KEYS}"], "verify": ["GET /v1beta/models"]}
            for line in lines.get(call, [f"DELETE /{KEYS}/{each}" for each in server.keys]):
                server.order(line, ordered)

        def refusal(status: int, text: str) -> Ordered:
            body = {"error": {"code": status, "message": text, "status": "REFUSED"}}
            return Ordered(status=status, body=json.dumps(body).encode())

        return Subject(
            drive=lambda port, timeout: driver(server, port, timeout * 3),
            port=server.port,
            principal=GEMINI,
            order=order,
            mints=lambda: server.lines().count(f"POST /{KEYS}"),
            mint_of=b"keyId=",
            refusal=refusal,
            unusable=Ordered(status=200, body=b'{"name": "no\\noperation"}'),
            sent=lambda: server.tokens[-1:],
        )


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_offers_what_google_has(asking: ApiKeys) -> None:
    offers = asking.capabilities(GEMINI)
    assert (offers.strategy, offers.cap, offers.scopes, offers.identifies) == (OVERLAP, None, True, True)
    assert (offers.usage, offers.expiry, offers.probe) == (False, False, None)
    assert "undelete" not in offers.least_permission
    assert all(each in offers.least_permission for each in PERMISSIONS)


def test_a_principal_has_no_words_and_never_leads_to_another_project(asking: ApiKeys, server: GoogleServer) -> None:
    odd, before = Principal(name="x", settings={"project": "another"}), len(server.asked)
    calls: list[Callable[[], object]] = [
        lambda: asking.capabilities(odd),
        lambda: asking.keys(odd),
        lambda: asking.mint(odd, MintRequest(mark="rot-x")),
        lambda: asking.set_state(odd, "key1@x", KeyState.DELETED),
        lambda: asking.check_admin(odd),
    ]
    for call in calls:
        with pytest.raises(Permanent, match="'project' is not known"):
            call()
    assert len(server.asked) == before


def test_it_reaches_four_hosts() -> None:
    hosts = ApiKeys.reach({"project": "my-project"}).hosts
    assert [each.partition(".")[0] for each in hosts] == [
        "apikeys",
        "oauth2",
        "cloudresourcemanager",
        "generativelanguage",
    ]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"project": "My Project"}, "project"),
        ({"base_url": "http://apikeys.example.com"}, "encryption"),
        ({"services": "all"}, "services"),
        ({"death_window": "soon"}, "death_window"),
        ({"location": "global"}, "location"),
    ],
)
def test_a_wrong_setting_is_refused(server: GoogleServer, settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        driver(server, 9, **settings)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("admin", ["a\nb", "{", '{"client_email": "x"}', '{"private_key": "pem-0123456789"}'])
def test_an_admin_credential_of_another_form_is_refused_and_not_shown(server: GoogleServer, admin: str) -> None:
    with pytest.raises(SettingsError) as caught:
        driver(server, 9, admin=admin)
    assert "pem" not in caught.value.message + caught.value.hint
    assert caught.value.__context__ is None or "pem" not in repr(vars(caught.value.__context__))


@pytest.mark.parametrize("missing", PERMISSIONS)
def test_a_credential_that_lacks_a_permission_is_told_which(
    asking: ApiKeys, server: GoogleServer, missing: str
) -> None:
    asking.check_admin(GEMINI)
    server.lacking = {missing}
    with pytest.raises(Denied) as caught:
        asking.check_admin(GEMINI)
    assert caught.value.permission == missing


def test_a_service_account_whose_key_was_deleted_is_denied(server: GoogleServer) -> None:
    stale = GoogleServer()
    try:
        asking = driver(server, server.port, admin=stale.service_account)
    finally:
        stale.close()
    with pytest.raises(Denied, match="invalid_grant"):
        asking.keys(GEMINI)


def test_an_access_token_will_do(asking: ApiKeys, server: GoogleServer) -> None:
    asking.keys(GEMINI)
    assert driver(server, server.port, admin=server.tokens[0]).keys(GEMINI) == ()


# -- minting -----------------------------------------------------------------------------------------------------------


def test_the_mark_is_the_id_and_scopes_are_what_the_key_is_for(asking: ApiKeys, server: GoogleServer) -> None:
    minted = asking.mint(GEMINI, MintRequest(mark="rot-a-b-1-c", scopes=("maps.googleapis.com",)))
    assert minted.key_id == "rot-a-b-1-c"
    (key,) = asking.keys(GEMINI)
    assert (key.mark, key.grant) == ("rot-a-b-1-c", ("maps.googleapis.com",))
    assert asking.verify(GEMINI, minted.value) is Verdict.FORBIDDEN


def test_without_scopes_it_is_for_the_services_of_the_settings_and_never_for_all(asking: ApiKeys) -> None:
    asking.mint(GEMINI, MintRequest(mark="rot-1"))
    assert asking.keys(GEMINI)[0].grant == ("generativelanguage.googleapis.com",)


def test_an_id_that_was_used_before_is_a_conflict(asking: ApiKeys) -> None:
    minted = asking.mint(GEMINI, MintRequest(mark="rot-1"))
    asking.set_state(GEMINI, minted.key_id, KeyState.DELETED)
    with pytest.raises(Conflict):
        asking.mint(GEMINI, MintRequest(mark="rot-1"))


@pytest.mark.parametrize("mark", ["", "Rot", "rot-", "rot_1", "r" * 64])
def test_a_mark_that_is_no_id_is_refused_and_nothing_is_sent(asking: ApiKeys, server: GoogleServer, mark: str) -> None:
    with pytest.raises(Permanent):
        asking.mint(GEMINI, MintRequest(mark=mark))
    assert server.asked == []


@pytest.mark.parametrize(
    ("code", "failure"), [(7, Denied), (8, CapFull), (9, Permanent), (3, Permanent), (13, Ambiguous), (None, Ambiguous)]
)
def test_an_operation_that_fails_says_why(
    asking: ApiKeys, server: GoogleServer, code: int | None, failure: type[Failure]
) -> None:
    server.error = {"code": code, "message": UGLY}
    with pytest.raises(Failure) as caught:
        asking.mint(GEMINI, MintRequest(mark="rot-1"))
    assert type(caught.value) is failure
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_an_operation_that_takes_too_long_is_ambiguous_and_its_key_is_found_by_its_mark(server: GoogleServer) -> None:
    server.polls = 1_000_000
    asking, failures = driver(server, server.port), []
    for seconds in (1, 4, 16):
        with pytest.raises(Failure) as caught:
            driver(server, server.port, timedelta(seconds=seconds)).mint(GEMINI, MintRequest(mark="rot-1"))
        failures.append(caught.value)
        if server.operations:  # else the request itself came too late
            break
    assert type(failures[-1]) is Ambiguous
    assert [key.mark for key in asking.keys(GEMINI)] == ["rot-1"]
    server.polls = 0
    asking.set_state(GEMINI, "rot-1", KeyState.DELETED)
    assert asking.keys(GEMINI) == ()


@pytest.mark.parametrize("value", ["", "two\nlines", 5, None])
def test_a_value_that_cannot_be_used_is_never_a_key(asking: ApiKeys, server: GoogleServer, value: Any) -> None:
    body = json.dumps({"keyString": value}).encode()
    server.order(f"GET /{KEYS}/rot-1/keyString", Ordered(status=200, body=body))
    with pytest.raises(Ambiguous):
        asking.mint(GEMINI, MintRequest(mark="rot-1"))


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_value_that_cannot_be_read_leaves_open_what_was_made(
    asking: ApiKeys, server: GoogleServer, status: int
) -> None:
    server.order(f"GET /{KEYS}/rot-1/keyString", Ordered(status=status, body=b"{}"))
    with pytest.raises(Ambiguous):
        asking.mint(GEMINI, MintRequest(mark="rot-1"))


@pytest.mark.parametrize("reason", ["CONSUMER_SUSPENDED", "SERVICE_DISABLED", "CREDENTIALS_MISSING", None])
def test_a_403_for_another_reason_than_the_keys_restrictions_says_nothing_of_it(
    asking: ApiKeys, server: GoogleServer, reason: str | None
) -> None:
    details = [] if reason is None else [{"reason": reason}]
    body = {"error": {"code": 403, "message": "Your API key was reported as leaked.", "details": details}}
    server.order("GET /v1beta/models", Ordered(status=403, body=json.dumps(body).encode()))
    with pytest.raises(Permanent, match="not whether the key lives"):
        asking.verify(GEMINI, Secret({"secret": "AIzaSy0123456789"}))


# -- the list, values --------------------------------------------------------------------------------------------------


def test_a_list_of_ten_thousand_keys_is_read_over_all_its_pages(asking: ApiKeys, server: GoogleServer) -> None:
    for number in range(10_000):
        server.keys[f"k{number}"] = {"name": f"x/k{number}", "displayName": UGLY}
    keys = asking.keys(GEMINI)
    assert len({key.id for key in keys}) == 10_000
    assert server.lines().count(f"GET /{KEYS}") == 34
    assert all(key.hint.isprintable() and len(key.hint) < 200 for key in keys)


def test_a_list_without_end_is_given_up(asking: ApiKeys, server: GoogleServer) -> None:
    server.order(f"GET /{KEYS}", Ordered(status=200, body=b'{"keys": [], "nextPageToken": "again"}'))
    with pytest.raises(Transient, match="does not end"):
        asking.keys(GEMINI)


def test_another_400_proves_no_death(asking: ApiKeys, server: GoogleServer) -> None:
    minted = asking.mint(GEMINI, MintRequest(mark="rot-1"))
    body = b'{"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "User location is not supported"}}'
    server.order("GET /v1beta/models", Ordered(status=400, body=body))
    with pytest.raises(Permanent):
        asking.verify(GEMINI, minted.value)


def test_a_deleted_key_that_somebody_brings_back_works_again_as_the_page_says(
    asking: ApiKeys, server: GoogleServer
) -> None:
    minted = asking.mint(GEMINI, MintRequest(mark="rot-1"))
    asking.set_state(GEMINI, minted.key_id, KeyState.DELETED)
    assert asking.verify(GEMINI, minted.value) is Verdict.INVALID
    del server.keys["rot-1"]["deleteTime"]
    assert asking.verify(GEMINI, minted.value) is Verdict.WORKS


def test_a_managed_key_goes_to_where_it_is_tried_and_looked_up(asking: ApiKeys, server: GoogleServer) -> None:
    value = asking.mint(GEMINI, MintRequest(mark="rot-1")).value
    server.asked.clear()
    asking.verify(GEMINI, value)
    asking.identify(GEMINI, value)
    text = value.reveal("secret")
    shown = [each.line for each in server.asked if text in f"{each.headers}{each.query}"]
    assert shown == ["GET /v1beta/models", "GET /v2/keys:lookupKey"]
    assert "authorization" not in server.asked[0].headers


def test_a_value_that_fits_into_no_header_is_not_called_invalid(asking: ApiKeys, server: GoogleServer) -> None:
    with pytest.raises(Permanent):
        asking.verify(GEMINI, Secret({"secret": "two\nlines"}))
    assert server.asked == []
