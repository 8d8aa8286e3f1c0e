"""The driver of the Claude API against a stand-in on a real socket: what it sends, what it makes of strange answers.

The vendor's own SDK speaks to the same stand-in, so that the two agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from anthropic import Anthropic as VendorsClient
from anthropic import APIStatusError
from rotator_anthropic import Anthropic

from rotator.adapters.probe import HttpProber
from rotator.sdk import (
    Denied,
    Failure,
    KeyState,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    SettingsError,
    Transient,
    Verdict,
)
from tests.servers.anthropic import ADMIN, NAME, POOR, WORKSPACE, AnthropicStandIn
from tests.servers.api import Reply
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

pytestmark = pytest.mark.stand_in(NAME)
TIMEOUT = timedelta(seconds=60)
AGENTS = Principal(name="agents", exclusive=True, settings={"workspace": WORKSPACE})
KEYS = "/v1/organizations/api_keys"
STRANGE = "rm -rf / <script>alert(1)</script> \x1b[31m\n\x00"


@pytest.fixture
def server() -> Iterator[AnthropicStandIn]:
    with AnthropicStandIn() as server:
        yield server


def driver(
    server: AnthropicStandIn, admin: str = ADMIN, port: int | None = None, timeout: timedelta = TIMEOUT, **settings: Any
) -> Anthropic:
    given = {"base_url": f"http://127.0.0.1:{port or server.port}", **settings}
    return Anthropic.from_settings("anthropic", given, admin, timeout)


def value(text: str) -> Secret:
    return Secret({"secret": text})


# -- the vendor's own client -------------------------------------------------------------------------------------------


@pytest.fixture
def vendors(server: AnthropicStandIn) -> Iterator[VendorsClient]:
    with VendorsClient(api_key=ADMIN, base_url=server.url, max_retries=0) as client:
        yield client


def test_the_vendors_client_lists_what_the_driver_lists(server: AnthropicStandIn, vendors: VendorsClient) -> None:
    made = [server.make()[0] for _ in range(3)]
    server.make("wrkspc_of_others")
    theirs = [key.id for key in vendors.organization.api_keys.list(workspace_id=WORKSPACE, limit=2)]
    assert theirs == [key.id for key in driver(server).keys(AGENTS)] == made


def test_the_vendors_client_sees_what_the_driver_did(server: AnthropicStandIn, vendors: VendorsClient) -> None:
    key_id, _ = server.make()
    ours, theirs = driver(server), vendors.organization
    for state, status in (
        (KeyState.DISABLED, "inactive"),
        (KeyState.ENABLED, "active"),
        (KeyState.DELETED, "archived"),
    ):
        ours.set_state(AGENTS, key_id, state)
        assert theirs.api_keys.retrieve(key_id).status == status
    assert theirs.retrieve().id == "org-1"


def test_the_driver_sees_what_the_vendors_client_did(server: AnthropicStandIn, vendors: VendorsClient) -> None:
    key_id, text = server.make()
    vendors.organization.api_keys.update(key_id, status="inactive")
    (listed,) = driver(server).keys(AGENTS)
    assert listed.state is KeyState.DISABLED
    assert driver(server).verify(AGENTS, value(text)) is Verdict.INVALID


def test_the_vendors_client_is_refused_as_the_driver_is(server: AnthropicStandIn, vendors: VendorsClient) -> None:
    _, text = server.make()
    assert not vendors.with_options(api_key=text).models.list().data
    with pytest.raises(APIStatusError) as refused:
        vendors.with_options(api_key="sk-ant-api03-of-nobody").models.list()
    assert refused.value.status_code == 401
    assert driver(server).verify(AGENTS, value("sk-ant-api03-of-nobody")) is Verdict.INVALID


# -- what it says ------------------------------------------------------------------------------------------------------


def test_it_never_mints_and_sends_nothing_for_it(server: AnthropicStandIn) -> None:
    with pytest.raises(Permanent, match="a person makes"):
        driver(server).mint(AGENTS, MintRequest(mark="rot-x"))
    assert server.asked == []


def test_making_it_sends_nothing_and_a_strange_setting_is_refused(server: AnthropicStandIn) -> None:
    driver(server)
    assert server.asked == []
    with pytest.raises(SettingsError, match="not known"):
        driver(server, wrkspace="x")
    with pytest.raises(SettingsError, match="fits into no header"):
        driver(server, "two\nlines")


def test_it_reaches_the_vendors_host_or_the_one_that_is_named() -> None:
    assert Anthropic.reach({}) == Reach(hosts=("api.anthropic.com",))
    assert Anthropic.reach({"base_url": "https://gateway.internal:8443/claude"}).hosts == ("gateway.internal:8443",)


def test_a_principal_without_a_workspace_is_refused_because_all_keys_are_nobodys(server: AnthropicStandIn) -> None:
    with pytest.raises(Permanent, match="names no workspace"):
        driver(server).keys(Principal(name="all", exclusive=True))
    assert server.asked == []
    server.make()
    assert len(driver(server, workspace=WORKSPACE).keys(Principal(name="all", exclusive=True))) == 1


@pytest.mark.parametrize("words", [{"workspce": WORKSPACE}, {"workspace": ""}, {"workspace": ("a", "b")}])
def test_a_principal_in_other_words_is_not_the_providers_workspace(
    server: AnthropicStandIn, words: dict[str, Any]
) -> None:
    ours, odd = driver(server, workspace=WORKSPACE), Principal(name="x", settings=words)
    for call in (ours.keys, ours.check_admin, lambda whose: ours.set_state(whose, "apikey_1", KeyState.DELETED)):
        with pytest.raises(Permanent, match="principal: "):
            call(odd)
    assert server.asked == []


def test_keys_of_another_workspace_or_of_none_are_not_listed(server: AnthropicStandIn) -> None:
    server.make("wrkspc_of_others")
    server.make(scope={"type": "organization"})
    assert driver(server).keys(AGENTS) == ()


def test_what_the_filter_lets_through_by_mistake_is_left_out(server: AnthropicStandIn) -> None:
    server.make("wrkspc_of_others")
    row = server.held[0]
    server.fail(f"GET {KEYS}", Reply(200, {"data": [row], "has_more": False, "last_id": row["id"]}))
    assert driver(server).keys(AGENTS) == ()


@pytest.mark.parametrize("ends", [{}, {"has_more": None}, {"has_more": "true"}, {"has_more": 0}])
def test_a_page_that_does_not_say_whether_it_is_the_last_is_no_list(
    server: AnthropicStandIn, ends: dict[str, Any]
) -> None:
    server.make()
    row = server.held[0]
    server.fail(f"GET {KEYS}", Reply(200, {"data": [row], "last_id": row["id"], **ends}))
    with pytest.raises(Transient, match="another form"):
        driver(server).keys(AGENTS)


@pytest.mark.parametrize("scope", [{}, {"scope": None}, {"scope": {"type": "workspace"}}, {"scope": "workspace"}])
def test_a_key_that_does_not_say_whose_it_is_is_neither_ours_nor_anothers(
    server: AnthropicStandIn, scope: dict[str, Any]
) -> None:
    server.make()
    row = {name: each for name, each in server.held[0].items() if name != "scope"} | scope
    server.fail(f"GET {KEYS}", Reply(200, {"data": [row], "has_more": False, "last_id": row["id"]}))
    with pytest.raises(Transient, match="whose workspace"):
        driver(server).keys(AGENTS)


@pytest.mark.parametrize("place", [{"scope": {"type": "workspace", "workspace_id": None}}, {"workspace_id": None}])
def test_a_key_of_the_default_workspace_is_not_ours(server: AnthropicStandIn, place: dict[str, Any]) -> None:
    server.make()
    row = {name: each for name, each in server.held[0].items() if name != "scope"} | place
    server.fail(f"GET {KEYS}", Reply(200, {"data": [row], "has_more": False, "last_id": row["id"]}))
    assert driver(server).keys(AGENTS) == ()


def test_a_key_is_listed_with_its_hint_and_its_end(server: AnthropicStandIn) -> None:
    server.make(expires_at="2027-01-01T00:00:00Z", name="agents, prod")
    server.make(status="expired")
    ours, expired = driver(server).keys(AGENTS)
    assert (ours.hint, ours.expires_at and ours.expires_at.year) == ("agents, prod sk-ant-api03-001...igAA", 2027)
    assert (ours.last_used_at, ours.grant, ours.mark) == (None, None, None)
    assert not expired.live


def test_a_key_that_may_not_list_models_lives(server: AnthropicStandIn) -> None:
    _, text = server.make()
    server.restricted.add(text)
    ours = driver(server)
    assert ours.verify(AGENTS, value(text)) is Verdict.FORBIDDEN
    probe = ours.capabilities(AGENTS).probe
    assert probe is not None
    assert HttpProber(TIMEOUT).probe(probe, value(text)) is Verdict.FORBIDDEN


@pytest.mark.parametrize("body", [{"error": {"type": "forbidden", "message": "Request not allowed"}}, {}, []])
def test_a_403_that_does_not_speak_of_permissions_says_nothing_of_a_key(server: AnthropicStandIn, body: Any) -> None:
    """As a gateway answers, or the vendor where the caller's address or country is what is refused."""
    ours, prober = driver(server), HttpProber(TIMEOUT)
    server.fail("GET", Reply(403, body), times=2)
    with pytest.raises(Transient, match="say nothing of the key"):
        ours.verify(AGENTS, value("sk-ant-api03-of-nobody"))
    probe = ours.capabilities(AGENTS).probe
    assert probe is not None
    server.faults[:] = [("GET", Reply(403, body))]
    with pytest.raises(Transient):
        prober.probe(probe, value("sk-ant-api03-of-nobody"))


def test_the_engines_own_probe_tells_the_living_from_the_dead(server: AnthropicStandIn) -> None:
    key_id, text = server.make()
    ours, prober = driver(server), HttpProber(TIMEOUT)
    probe = ours.capabilities(AGENTS).probe
    assert probe is not None
    assert prober.probe(probe, value(text)) is Verdict.WORKS
    ours.set_state(AGENTS, key_id, KeyState.DELETED)
    assert prober.probe(probe, value(text)) is Verdict.INVALID


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_an_admin_key_without_the_permission_is_denied_and_the_permission_named(server: AnthropicStandIn) -> None:
    key_id, _ = server.make()
    poor = driver(server, POOR)
    calls: tuple[Callable[[], object], ...] = (
        lambda: poor.check_admin(AGENTS),
        lambda: poor.keys(AGENTS),
        lambda: poor.set_state(AGENTS, key_id, KeyState.DELETED),
    )
    for call in calls:
        with pytest.raises(Denied) as denied:
            call()
        assert "Admin API key" in denied.value.permission
        assert POOR not in f"{denied.value}{denied.value.hint}"
    assert server.row(key_id)["status"] == "active"


def test_a_limit_on_keys_is_no_success(server: AnthropicStandIn) -> None:
    key_id, _ = server.make(status="inactive")
    server.most_active = 0
    with pytest.raises(Permanent, match="does not make"):
        driver(server).set_state(AGENTS, key_id, KeyState.ENABLED)
    assert server.row(key_id)["status"] == "inactive"


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(429, {}, {"Retry-After": "7"}), Transient),
        (Reply(429, {}), Transient),
        (Reply(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), Transient),
        (Reply(500, {}), Transient),
        (Reply(200, content=b"<html>maintenance</html>"), Transient),
        (Reply(200, {"data": "none"}), Transient),
        (Reply(200, {"data": [{"id": "a"}], "has_more": False}), Transient),
        (Reply(302, {}, {"Location": "http://127.0.0.1:9/elsewhere"}), Permanent),
    ],
)
def test_an_answer_that_is_no_list_is_no_empty_list(
    server: AnthropicStandIn, reply: Reply, failure: type[Failure]
) -> None:
    row = {"scope": {"workspace_id": WORKSPACE}}
    if isinstance(reply.body, dict) and isinstance(reply.body.get("data"), list):
        reply.body["data"][0].update(row)
    server.fail(f"GET {KEYS}", reply, times=5)
    with pytest.raises(failure) as failed:
        driver(server).keys(AGENTS)
    if reply.headers.get("Retry-After"):
        assert isinstance(failed.value, Transient)
        assert failed.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [429, 500, 529, 418])
def test_only_a_refusal_of_the_key_says_that_it_is_dead(server: AnthropicStandIn, status: int) -> None:
    _, text = server.make()
    server.fail("GET /v1/models", Reply(status, {"error": {"type": "x", "message": f"key {text}"}}), times=5)
    with pytest.raises(Failure) as failed:
        driver(server).verify(AGENTS, value(text))
    assert text not in f"{failed.value}{failed.value.hint}"


def test_a_redirect_takes_no_credential_with_it(server: AnthropicStandIn) -> None:
    with AnthropicStandIn() as elsewhere:
        server.fail("GET", Reply(307, {}, {"Location": f"{elsewhere.url}{KEYS}"}))
        with pytest.raises(Permanent):
            driver(server).check_admin(AGENTS)
        assert elsewhere.asked == []


def test_ten_thousand_keys_come_over_pages(server: AnthropicStandIn) -> None:
    for _ in range(10_050):
        server.make()
    assert len({key.id for key in driver(server).keys(AGENTS)}) == 10_050
    assert len(server.asked) == 11


def test_a_list_that_does_not_end_is_given_up(server: AnthropicStandIn) -> None:
    key_id, _ = server.make()
    page = Reply(200, {"data": [server.row(key_id)], "has_more": True, "last_id": key_id})
    server.fail(f"GET {KEYS}", page, times=200)
    with pytest.raises(Transient, match="does not end"):
        driver(server).keys(AGENTS)


def test_names_are_data_bounded_and_without_control_characters(server: AnthropicStandIn) -> None:
    server.make(name=STRANGE * 50, partial_key_hint="\x1b[2J")
    (listed,) = driver(server).keys(AGENTS)
    assert listed.hint.isprintable()
    assert len(listed.hint) <= 401


def test_an_id_that_is_no_text_is_never_taken(server: AnthropicStandIn) -> None:
    server.make(id="two\nlines")
    with pytest.raises(Transient, match="without id"):
        driver(server).keys(AGENTS)


def test_a_value_that_fits_into_no_header_is_never_sent(server: AnthropicStandIn) -> None:
    with pytest.raises(Permanent, match="fits into no header"):
        driver(server).verify(AGENTS, value("two\r\nx-api-key: lines"))
    assert server.asked == []


@pytest.mark.parametrize("kind", list(Kind))
def test_a_change_whose_answer_is_lost_is_one_request_and_transient(server: AnthropicStandIn, kind: Kind) -> None:
    key_id, _ = server.make()

    def disable(proxy: FaultProxy, timeout: timedelta) -> int:
        before = len(server.asked)
        with pytest.raises(Transient):
            driver(server, port=proxy.port, timeout=timeout).set_state(AGENTS, key_id, KeyState.DISABLED)
        return before

    before = met(server.host, server.port, Fault(kind=kind, request=b"POST"), disable)
    assert len(server.asked) - before == (0 if kind in LOSES_THE_REQUEST else 1)
    driver(server).set_state(AGENTS, key_id, KeyState.DISABLED)
    assert server.row(key_id)["status"] == "inactive"
