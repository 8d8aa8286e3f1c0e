"""Long-term keys of Amazon Bedrock, on a stand-in: the contract, words of refusal, lifetimes, and what IAM refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rotator_aws import BedrockKeys

from rotator.domain.credential import Principal
from rotator.domain.failures import CapFull, Denied, Permanent, Transient
from rotator.domain.keys import UNMARKED, Disabling, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.bad_input import BadInput, Subject
from tests.servers import bedrock
from tests.servers.bedrock import BedrockServer
from tests.servers.ordering import Ordered
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in(bedrock.NAME)

TIMEOUT = timedelta(seconds=60)
AGENTS = Principal(name="agents", settings={"user": f"bedrock/{bedrock.USER}"}, exclusive=True)
ADMIN = f"{bedrock.KEY_ID}:{bedrock.SECRET}"
WRONG = f"{bedrock.KEY_ID}:wrong/secret+0123456789012345678901234567"
NOW: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")
ACTIONS = {call: f"{word}ServiceSpecificCredential" for call, word in (("mint", "Create"), ("delete", "Delete"))}
ACTIONS["list"] = "ListServiceSpecificCredentials"


@pytest.fixture
def server() -> Iterator[BedrockServer]:
    with BedrockServer() as server:
        yield server


def driver(port: int, timeout: timedelta = TIMEOUT, admin: str = ADMIN, **more: Any) -> BedrockKeys:
    urls = {"base_url": f"http://127.0.0.1:{port}", "bedrock_url": f"http://127.0.0.1:{port}"}
    return BedrockKeys.from_settings("bedrock", {**urls, "region": "eu-west-1", **NOW, **more}, admin, timeout)


@pytest.fixture
def asking(server: BedrockServer) -> BedrockKeys:
    return driver(server.port)


class TestContract(ProviderContract):
    @pytest.fixture
    def proxy(self, server: BedrockServer, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(server.host, server.port)

    @pytest.fixture
    def provider(self, proxy: FaultProxy) -> Provider:
        return driver(proxy.port)

    @pytest.fixture
    def principal(self) -> Principal:
        return AGENTS

    @pytest.fixture
    def wrong_admin(self, server: BedrockServer) -> Provider:
        return driver(server.port, admin=WRONG)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (bedrock.SECRET, WRONG.partition(":")[2])

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
    def subject(self, server: BedrockServer) -> Subject:
        def order(call: str, ordered: Ordered) -> None:
            if call == "verify":
                server.order("GET /foundation-models", ordered)
            else:
                server.ordered[ACTIONS[call]] = ordered

        def refusal(status: int, text: str) -> Ordered:
            code = {400: "ValidationError", 403: "AccessDenied", 500: "ServiceFailure"}[status]
            shown = "".join(each for each in text if each >= " " or each in "\r\n\t")
            return Ordered(status=status, body=bedrock.error(status, code, shown).content or b"")

        made = {"ServiceSpecificCredentialId": "ACCA" + "A" * 16, "ServiceCredentialSecret": "two&#10;lines"}
        inner = "".join(f"<{name}>{text}</{name}>" for name, text in made.items())
        unusable = bedrock.result(ACTIONS["mint"], f"<ServiceSpecificCredential>{inner}</ServiceSpecificCredential>")
        return Subject(
            drive=driver,
            port=server.port,
            principal=AGENTS,
            order=order,
            mints=lambda: server.actions.count(ACTIONS["mint"]),
            mint_of=b"Action=Create",
            refusal=refusal,
            unusable=Ordered(status=200, body=unusable.content or b""),
            secrets=(bedrock.SECRET,),
        )


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_offers_what_iam_has_for_bedrock(asking: BedrockKeys) -> None:
    offers = asking.capabilities(AGENTS)
    assert (offers.strategy, offers.cap, offers.parts, offers.probe) == (UNMARKED, 2, ("secret",), None)
    assert (offers.disabling, offers.expiry, offers.usage) == (Disabling.REVERSIBLE, True, False)
    (rest, create) = json.loads(offers.least_permission)["Statement"]
    assert create["Condition"] == {
        "StringEquals": {"iam:ServiceSpecificCredentialServiceName": "bedrock.amazonaws.com"}
    }
    assert {each["Resource"] for each in (rest, create)} == {"arn:aws:iam::*:user/bedrock/agents"}


def test_it_reaches_iam_and_bedrock_of_the_region() -> None:
    assert BedrockKeys.reach({"region": "eu-west-1"}).hosts == ("iam.amazonaws.com", "bedrock.eu-west-1.amazonaws.com")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"region": None}, "region"),
        ({"bedrock_url": "http://bedrock.example.com"}, "encryption"),
        ({"usage": True}, "usage"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        driver(9, **settings)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("word", ["List", "Update", "Delete"])
def test_an_admin_key_that_lacks_a_permission_is_told_which(
    asking: BedrockKeys, server: BedrockServer, word: str
) -> None:
    asking.check_admin(AGENTS)
    server.lacking = {f"{word}ServiceSpecificCredential{'s' if word == 'List' else ''}"}
    with pytest.raises(Denied) as caught:
        asking.check_admin(AGENTS)
    assert caught.value.permission.startswith(f"iam:{word}ServiceSpecificCredential")


# -- keys and values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime", "days"), [(timedelta(days=30), 30), (timedelta(hours=1), 1), (timedelta(days=1, seconds=1), 2)]
)
def test_a_lifetime_is_in_whole_days(
    asking: BedrockKeys, server: BedrockServer, lifetime: timedelta, days: int
) -> None:
    asking.mint(AGENTS, MintRequest(mark="m", lifetime=lifetime))
    (key,) = asking.keys(AGENTS)
    assert (key.created_at, key.expires_at) == (server.now, server.now + timedelta(days=days))
    asking.mint(AGENTS, MintRequest(mark="m"))
    assert asking.keys(AGENTS)[1].expires_at is None


def test_a_living_key_that_may_not_list_models_is_authentic(asking: BedrockKeys, server: BedrockServer) -> None:
    value = asking.mint(AGENTS, MintRequest(mark="m")).value
    server.service_allowed = False
    assert asking.verify(AGENTS, value) is Verdict.FORBIDDEN


def test_credentials_of_other_services_are_not_listed(asking: BedrockKeys, server: BedrockServer) -> None:
    minted = asking.mint(AGENTS, MintRequest(mark="m"))
    server.credentials["ACCA" + "B" * 16] = {"ServiceName": "codecommit.amazonaws.com", "Status": "Active"}
    assert [key.id for key in asking.keys(AGENTS)] == [minted.key_id]


def test_an_inactive_key_counts_for_the_cap(asking: BedrockKeys) -> None:
    first, _ = (asking.mint(AGENTS, MintRequest(mark="m")) for _ in range(2))
    asking.set_state(AGENTS, first.key_id, KeyState.DISABLED)
    with pytest.raises(CapFull):
        asking.mint(AGENTS, MintRequest(mark="m"))


def test_a_list_of_ten_thousand_is_read_over_all_its_pages(asking: BedrockKeys, server: BedrockServer) -> None:
    row = {"ServiceName": "bedrock.amazonaws.com", "Status": "Inactive"}
    for number in range(10_000):
        key_id = f"ACCA{number:016}"
        server.credentials[key_id] = {**row, "ServiceSpecificCredentialId": key_id}
    assert len({key.id for key in asking.keys(AGENTS)}) == 10_000
    assert server.actions.count(ACTIONS["list"]) == 100


def test_a_list_without_end_is_given_up(asking: BedrockKeys, server: BedrockServer) -> None:
    endless = bedrock.result(ACTIONS["list"], "<IsTruncated>true</IsTruncated><Marker>0</Marker>")
    server.ordered[ACTIONS["list"]] = Ordered(status=200, body=endless.content or b"")
    with pytest.raises(Transient, match="does not end"):
        asking.keys(AGENTS)


def test_the_admin_key_never_goes_to_bedrock(asking: BedrockKeys, server: BedrockServer) -> None:
    value = asking.mint(AGENTS, MintRequest(mark="m")).value
    server.asked.clear()
    asking.verify(AGENTS, value)
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {value.reveal('secret')}"


def test_a_value_that_fits_into_no_header_is_not_called_invalid(asking: BedrockKeys, server: BedrockServer) -> None:
    with pytest.raises(Permanent):
        asking.verify(AGENTS, Secret({"secret": "two\nlines"}))
    assert server.asked == []


def test_an_id_that_cannot_be_one_is_left_alone(asking: BedrockKeys, server: BedrockServer) -> None:
    asking.set_state(AGENTS, "no id\n", KeyState.DELETED)
    assert server.asked == []
