"""The two keys of an Azure OpenAI account, on a stand-in: the contract, halves of deletions, and what Azure refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rotator_azure_openai import ACTIONS, SLOTS, AzureOpenAi

from rotator.domain.credential import Principal
from rotator.domain.failures import Conflict, Denied, Permanent, Transient
from rotator.domain.keys import TWO_SLOTS, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.provider_contract import LoseAnswer, SlotContract
from tests.providers.bad_input import BadInput, Subject
from tests.servers import azure
from tests.servers.azure import AzureServer
from tests.servers.ordering import Ordered
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in(azure.NAME)

TIMEOUT = timedelta(seconds=60)
CHAT = Principal(name="chat", exclusive=True)
ADMIN = {"tenant": azure.TENANT, "client_id": azure.CLIENT, "client_secret": azure.SECRET}
NOW: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")
ACCOUNT = {"subscription": azure.SUBSCRIPTION, "resource_group": azure.GROUP, "account": azure.ACCOUNT}
SCOPE = "/".join((*azure.SCOPE, azure.ACCOUNT))
LINES = {
    "mint": f"POST /{SCOPE}/regenerateKey",
    "list": f"POST /{SCOPE}/listKeys",
    "delete": f"POST /{SCOPE}/regenerateKey",
    "verify": "GET /openai/models",
}


def driver(port: int, timeout: timedelta = TIMEOUT, admin: Any = None, **settings: Any) -> AzureOpenAi:
    url = f"http://127.0.0.1:{port}"
    given = {"base_url": url, "login_url": url, "endpoint": url, **ACCOUNT, **NOW, **settings}
    return AzureOpenAi.from_settings("azure", given, json.dumps(admin or ADMIN), timeout)


@pytest.fixture
def server() -> Iterator[AzureServer]:
    """An account whose two keys nobody has."""
    with AzureServer() as server:
        asking = driver(server.port)
        for key in asking.keys(CHAT):
            asking.set_state(CHAT, key.id, KeyState.DELETED)
        server.asked.clear()
        yield server


@pytest.fixture
def asking(server: AzureServer) -> AzureOpenAi:
    return driver(server.port)


def fill(asking: AzureOpenAi, slot: str = "key1") -> tuple[str, Secret]:
    (expects,) = [key.id for key in asking.keys(CHAT) if key.slot == slot]
    minted = asking.mint(CHAT, MintRequest(mark="m", slot=slot, expects=expects))
    return minted.key_id, minted.value


class TestContract(SlotContract):
    @pytest.fixture
    def proxy(self, server: AzureServer, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(server.host, server.port)

    @pytest.fixture
    def provider(self, proxy: FaultProxy) -> Provider:
        return driver(proxy.port)

    @pytest.fixture
    def principal(self) -> Principal:
        return CHAT

    @pytest.fixture
    def wrong_admin(self, server: AzureServer) -> Provider:
        return driver(server.port, admin={**ADMIN, "client_secret": "wrong~secret.0123456789"})

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (azure.SECRET, "wrong~secret.0123456789")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            # The look at the tags is a GET, and asked again.
            effects = (b"regenerateKey", b"/openai/models", b"permissions", b"tags/default")
            proxy.inject(*(Fault(kind=Kind.DROP_RESPONSE, request=each) for each in effects))
            yield
            proxy.inject()
            assert proxy.fired > before, "no answer was lost"

        return losing


class TestBadInput(BadInput):
    @pytest.fixture
    def subject(self, server: AzureServer) -> Subject:
        return Subject(
            drive=driver,
            port=server.port,
            principal=CHAT,
            order=lambda call, ordered: server.order(LINES[call], ordered),
            mints=lambda: server.regenerated,
            mint_of=b"/regenerateKey",
            refusal=lambda status, text: Ordered(
                status=status, body=json.dumps({"error": {"code": "Refused", "message": text}}).encode()
            ),
            unusable=Ordered(status=200, body=json.dumps(dict.fromkeys(SLOTS, "two\nlines")).encode()),
            secrets=(azure.SECRET,),
            sent=lambda: server.tokens[-1:],
        )


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_offers_two_slots_and_a_probe(asking: AzureOpenAi, server: AzureServer) -> None:
    offers = asking.capabilities(CHAT)
    assert (offers.strategy, offers.slots, offers.parts) == (TWO_SLOTS, ("key1", "key2"), ("secret",))
    assert (offers.usage, offers.expiry, offers.scopes, offers.identifies) == (False, False, False, True)
    assert offers.probe is not None
    assert offers.probe.url == f"{server.url}/openai/models?api-version=2024-10-21"
    assert offers.probe.header == "api-key"
    assert set(json.loads(offers.least_permission)["Actions"]) == set(ACTIONS)


def test_a_principal_has_no_words_and_never_leads_to_another_account(asking: AzureOpenAi, server: AzureServer) -> None:
    odd, before = Principal(name="x", settings={"account": "another"}), len(server.asked)
    calls: list[Callable[[], object]] = [
        lambda: asking.capabilities(odd),
        lambda: asking.keys(odd),
        lambda: asking.mint(odd, MintRequest(mark="rot-x")),
        lambda: asking.set_state(odd, "key1@x", KeyState.DELETED),
        lambda: asking.check_admin(odd),
    ]
    for call in calls:
        with pytest.raises(Permanent, match="'account' is not known"):
            call()
    assert len(server.asked) == before


def test_it_reaches_three_hosts() -> None:
    hosts = AzureOpenAi.reach({"account": "contoso"}).hosts
    assert hosts == ("management.azure.com", "login.microsoftonline.com", "contoso.openai.azure.com")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"account": None}, "account"),
        ({"account": "x.example/"}, "account"),
        ({"account": "contoso@x.example:8443#"}, "account"),
        ({"account": "ä" * 3}, "account"),
        ({"account": "x" * 65}, "account"),
        ({"subscription": ".."}, "subscription"),
        ({"base_url": "http://management.example.com"}, "encryption"),
        ({"death_window": "soon"}, "death_window"),
        ({"client_secret": "x"}, "client_secret"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        driver(9, **settings)
    assert word in caught.value.message
    assert caught.value.hint


def test_an_account_that_would_be_another_host_is_reached_nowhere() -> None:
    with pytest.raises(SettingsError, match="account is no name"):
        AzureOpenAi.reach({"account": "x.example/"})


@pytest.mark.parametrize("admin", ["", "{", "[]", '{"tenant": "t"}', json.dumps({**ADMIN, "tenant": "a\nb"})])
def test_an_admin_credential_of_another_form_is_refused_and_not_shown(admin: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AzureOpenAi.from_settings("azure", ACCOUNT, admin, TIMEOUT)
    assert azure.SECRET not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("missing", ACTIONS)
def test_a_service_principal_that_lacks_a_right_is_told_which(
    asking: AzureOpenAi, server: AzureServer, missing: str
) -> None:
    server.allowed = [each for each in ACTIONS if each != missing]
    before = dict(server.values)
    with pytest.raises(Denied) as caught:
        asking.check_admin(CHAT)
    assert missing in caught.value.permission
    assert server.values == before
    server.allowed = list(ACTIONS)
    asking.check_admin(CHAT)


def test_the_client_secret_goes_to_the_login_alone(asking: AzureOpenAi, server: AzureServer) -> None:
    fill(asking)
    shown = [each.line for each in server.asked if azure.SECRET in f"{each.headers}{each.body}"]
    assert shown == [f"POST /{azure.TENANT}/oauth2/v2.0/token"]


def test_a_managed_key_goes_to_its_endpoint_alone(asking: AzureOpenAi, server: AzureServer) -> None:
    _, value = fill(asking)
    server.asked.clear()
    asking.verify(CHAT, value)
    (asked,) = server.asked
    assert (asked.line, "authorization" in asked.headers) == ("GET /openai/models", False)


# -- slots -------------------------------------------------------------------------------------------------------------


def test_keys_that_were_there_before_are_alive() -> None:
    with AzureServer() as server:
        assert [key.state for key in driver(server.port).keys(CHAT)] == [KeyState.ENABLED, KeyState.ENABLED]


def test_an_empty_slot_that_a_person_regenerates_is_alive_again(asking: AzureOpenAi, server: AzureServer) -> None:
    server.values["key1"] = "f" * 32
    states = {key.slot: key.state for key in asking.keys(CHAT)}
    assert states == {"key1": KeyState.ENABLED, "key2": KeyState.DELETED}


def test_other_tags_stay(asking: AzureOpenAi, server: AzureServer) -> None:
    key_id, _ = fill(asking)
    asking.set_state(CHAT, key_id, KeyState.DELETED)
    assert server.tags["team"] == "ml"


@pytest.mark.parametrize("lost", [b"PATCH", b"regenerateKey", b"listKeys", b"tags/default"])
def test_a_deletion_that_lost_an_answer_anywhere_is_finished_by_the_next_attempt(
    server: AzureServer, fault_proxy: Callable[[str, int], FaultProxy], lost: bytes
) -> None:
    proxy = fault_proxy(server.host, server.port)
    asking = driver(proxy.port)
    key_id, value = fill(asking)
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=lost))
    try:
        asking.set_state(CHAT, key_id, KeyState.DELETED)
    except Transient:
        asking.set_state(CHAT, key_id, KeyState.DELETED)
    assert proxy.fired == 1
    assert [key.state for key in asking.keys(CHAT)] == [KeyState.DELETED, KeyState.DELETED]
    assert asking.verify(CHAT, value) is Verdict.INVALID


def test_a_deletion_that_died_before_its_last_note_does_not_take_a_later_key_along(
    asking: AzureOpenAi, server: AzureServer
) -> None:
    old, _ = fill(asking)
    server.tags["rotator-key1"] = f"emptying-{old.partition('@')[2]}"
    server.values["key1"] = "e" * 32  # regenerated, and then the process died
    new, value = fill(asking)
    asking.set_state(CHAT, old, KeyState.DELETED)
    assert asking.identify(CHAT, value) == new
    assert asking.verify(CHAT, value) is Verdict.WORKS


def test_a_slot_that_changed_since_it_was_listed_is_a_conflict_and_not_touched(
    asking: AzureOpenAi, server: AzureServer
) -> None:
    expects = asking.keys(CHAT)[0].id
    server.values["key1"] = "d" * 32
    for wrong in (expects, None, "key1"):
        with pytest.raises(Conflict):
            asking.mint(CHAT, MintRequest(mark="m", slot="key1", expects=wrong))
    assert server.regenerated == 0


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_an_account_without_key_authentication_is_permanent_and_says_nothing_of_its_keys(
    asking: AzureOpenAi, server: AzureServer
) -> None:
    _, value = fill(asking)
    server.local_auth = False
    for call in (lambda: asking.keys(CHAT), lambda: fill(asking)):
        with pytest.raises(Permanent, match="disableLocalAuth"):
            call()
    for each in (value, Secret({"secret": "0" * 32})):
        with pytest.raises(Transient, match="for whose key it is"):
            asking.verify(CHAT, each)


def test_a_token_that_azure_forgot_is_fetched_anew(
    asking: AzureOpenAi, server: AzureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.keys(CHAT)
    server.tokens.clear()
    moment = time.monotonic() + 60
    monkeypatch.setattr("rotator.sdk.oauth.time.monotonic", lambda: moment)
    with pytest.raises(Transient):
        asking.keys(CHAT)
    assert len(asking.keys(CHAT)) == 2


def test_a_value_that_fits_into_no_header_is_not_called_invalid(asking: AzureOpenAi, server: AzureServer) -> None:
    with pytest.raises(Permanent):
        asking.verify(CHAT, Secret({"secret": "two\nlines"}))
    assert server.asked == []
