"""OpenAI's driver: its settings, what it sends, and what it makes of answers that mean two things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rotator_openai import ADMIN_CONSOLE, CONSOLE, PERMISSION, OpenAi

from rotator.adapters.probe import HttpProber
from rotator.domain.credential import Principal
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.domain.keys import OVERLAP, Disabling, KeyState, MintRequest, Probe, Verdict
from rotator.domain.secret import Secret
from rotator.sdk import Reach, SettingsError
from tests.servers import openai
from tests.servers.api import Reply
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn, complaint, lacks

pytestmark = pytest.mark.stand_in(openai.NAME)
SVC = Principal(name="svc", settings={"project": PROJECT, "service_account": ACCOUNT})
ADMIN = Principal(name="admin", settings={"kind": "admin"})
TIMEOUT = timedelta(seconds=60)
KEYS = f"/v1/organization/projects/{PROJECT}/api_keys"


@pytest.fixture
def server() -> Iterator[OpenAiStandIn]:
    with OpenAiStandIn() as server:
        yield server


def of(server: OpenAiStandIn, admin: str | None = None, **settings: Any) -> OpenAi:
    given = {"base_url": f"{server.url}/v1", **settings}
    return OpenAi.from_settings("openai", given, admin or server.admin, TIMEOUT)


def secret(key: dict[str, Any]) -> Secret:
    return Secret({"secret": key["value"]})


# -- settings ----------------------------------------------------------------------------------------------------------


def test_without_settings_it_is_the_vendors_own_api_and_careful_windows() -> None:
    driver = OpenAi.from_settings("openai", {}, "sk-admin-x", TIMEOUT)
    offers = driver.capabilities(SVC)
    assert offers.strategy is OVERLAP
    assert (offers.disabling, offers.expiry, offers.scopes, offers.usage) == (Disabling.EXPIRY, True, True, True)
    assert (offers.cap, offers.identifies, offers.least_permission) == (None, False, PERMISSION)
    assert offers.probe == Probe(
        url="https://api.openai.com/v1/models", invalid_word="invalid_api_key", forbidden_word="Missing scopes"
    )
    assert (offers.propagation, offers.death_window) == (timedelta(minutes=2), timedelta(minutes=5))
    assert offers.console_url == CONSOLE
    assert OpenAi.reach({}) == Reach(hosts=("api.openai.com",))
    assert OpenAi.reach({"base_url": "https://eu.api.openai.com:8443/v1"}) == Reach(hosts=("eu.api.openai.com:8443",))


def test_admin_keys_cannot_be_disabled_and_take_no_scopes() -> None:
    offers = OpenAi.from_settings("openai", {}, "sk-admin-x", TIMEOUT).capabilities(ADMIN)
    assert (offers.disabling, offers.expiry, offers.scopes) == (Disabling.NONE, True, False)
    assert offers.probe is not None
    assert offers.probe.url == "https://api.openai.com/v1/organization/admin_api_keys?limit=1"
    assert offers.console_url == ADMIN_CONSOLE


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "http://api.openai.com/v1"}, "encryption"),
        ({"death_window": "soon"}, "death_window"),
        ({"project": ["a"]}, "project"),
        ({"projects": "a"}, "projects"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        OpenAi.from_settings("openai", settings, "sk-admin-x", TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"service_account": ACCOUNT}, "project is missing"),
        ({"project": PROJECT}, "service_account is missing"),
        ({"project": PROJECT, "service_account": ACCOUNT, "kin": "admin"}, "kin"),
        ({"kind": "admin", "service_account": ACCOUNT}, "service_account"),
        ({"kind": "user"}, "kind"),
        ({"project": PROJECT, "service_account": ".."}, "dots"),
    ],
)
def test_a_principal_in_other_words_is_refused_and_nothing_is_sent(
    server: OpenAiStandIn, words: dict[str, str], said: str
) -> None:
    principal, driver = Principal(name="x", settings=words), of(server)
    for call in (driver.check_admin, lambda each: driver.mint(each, MintRequest(mark="m"))):
        with pytest.raises(Permanent) as caught:
            call(principal)
        assert said in caught.value.message
    assert server.asked == []


def test_the_entrys_project_is_the_principals_unless_it_says_another(server: OpenAiStandIn) -> None:
    made = server.seed()
    assert [
        key.id for key in of(server, project=PROJECT).keys(Principal(name="s", settings={"service_account": ACCOUNT}))
    ] == [made["id"]]
    assert [key.id for key in of(server, project="proj_other").keys(SVC)] == [made["id"]]


# -- minting -----------------------------------------------------------------------------------------------------------


def test_a_mint_asks_for_scopes_and_an_end_and_never_for_an_empty_list_of_scopes(server: OpenAiStandIn) -> None:
    driver = of(server)
    driver.mint(SVC, MintRequest(mark="rot-1"))
    assert server.asked[-1].body == {"name": "rot-1"}
    wish = MintRequest(mark="rot-2", scopes=("api.model.request", "api.model.read"), lifetime=timedelta(days=30))
    minted = driver.mint(SVC, wish)
    assert server.asked[-1].body == {
        "name": "rot-2",
        "scopes": ["api.model.request", "api.model.read"],
        "expires_in_seconds": 30 * 86_400,
    }
    key = next(key for key in driver.keys(SVC) if key.id == minted.key_id)
    assert key.expires_at is not None
    assert abs(key.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    assert (key.mark, key.grant, key.created_at) == ("rot-2", None, minted.created_at)
    assert key.hint.startswith("sk-")


def test_an_admin_key_is_minted_with_an_end_and_without_scopes(server: OpenAiStandIn) -> None:
    of(server).mint(ADMIN, MintRequest(mark="rot-1", scopes=("api.model.read",), lifetime=timedelta(hours=1)))
    assert server.asked[-1].body == {"name": "rot-1", "expires_in_seconds": 3600}


@pytest.mark.parametrize("lifetime", [timedelta(days=366), timedelta(milliseconds=1)])
def test_a_life_that_openai_does_not_grant_is_refused_and_nothing_is_sent(
    server: OpenAiStandIn, lifetime: timedelta
) -> None:
    with pytest.raises(Permanent, match="so long") as caught:
        of(server).mint(SVC, MintRequest(mark="m", lifetime=lifetime))
    assert "needs.expires" in caught.value.hint
    assert server.asked == []


# -- the list ----------------------------------------------------------------------------------------------------------


def test_keys_of_owners_in_every_state_are_listed_and_only_the_accounts_own(server: OpenAiStandIn) -> None:
    server.without_access = {ACCOUNT}
    made = server.seed()
    for other in ("svc_acct_two", "user-1"):
        server.seed(other)
    assert [key.id for key in of(server).keys(SVC)] == [made["id"]]
    assert server.asked[-1].query == {"limit": "100", "owner_project_access": "any"}


def test_what_a_key_was_used_for_last_is_told(server: OpenAiStandIn) -> None:
    made, driver = server.seed(), of(server)
    assert driver.keys(SVC)[0].last_used_at is None
    assert driver.verify(SVC, secret(made)) is Verdict.WORKS
    used = driver.keys(SVC)[0].last_used_at
    assert used is not None
    assert abs(used - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_key_that_ended_is_not_enabled_and_still_there(server: OpenAiStandIn) -> None:
    server.seed(expires_in_seconds=-1)
    (key,) = of(server).keys(SVC)
    assert (key.state, key.live) == (KeyState.DISABLED, True)


# -- using -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_living_key_that_lacks_a_scope_is_forbidden_to_driver_and_probe_alike(
    server: OpenAiStandIn, status: int
) -> None:
    made = server.seed(scopes=["api.files.read"])
    driver, prober = of(server), HttpProber(TIMEOUT)
    probe = driver.capabilities(SVC).probe
    assert probe is not None
    if status == 403:
        server.fail("GET /v1/models", lacks("api.model.read", 403), times=2)
    assert driver.verify(SVC, secret(made)) is Verdict.FORBIDDEN
    assert prober.probe(probe, secret(made)) is Verdict.FORBIDDEN
    del server.project_keys[made["id"]]
    assert driver.verify(SVC, secret(made)) is Verdict.INVALID
    assert prober.probe(probe, secret(made)) is Verdict.INVALID


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (complaint(401, "Your IP is not authorized.", "ip_not_authorized"), None),
        (complaint(401, "You must be a member of an organization.", None), None),
        (complaint(403, "Country not supported.", "unsupported_country_region_territory"), None),
        (Reply(401, {}), None),
        (Reply(401, []), None),
        (Reply(401, {"error": "Missing scopes: api.model.read"}), Verdict.FORBIDDEN),
        (complaint(403, "No.", None), Verdict.FORBIDDEN),
        (complaint(401, "Incorrect API key provided", "invalid_api_key"), Verdict.INVALID),
    ],
    ids=["address", "organisation", "country", "nothing", "list", "scopes in a text", "forbidden", "no such key"],
)
def test_only_no_such_key_is_a_death(server: OpenAiStandIn, answer: Reply, verdict: Verdict | None) -> None:
    made = server.seed()
    server.fail("GET /v1/models", answer)
    if verdict is not None:
        assert of(server).verify(SVC, secret(made)) is verdict
        return
    with pytest.raises(Transient, match="nothing of the key"):
        of(server).verify(SVC, secret(made))


def test_a_key_of_an_account_is_forbidden_where_an_admin_key_is_asked_for(server: OpenAiStandIn) -> None:
    assert of(server).verify(ADMIN, secret(server.seed())) is Verdict.FORBIDDEN
    assert of(server).verify(ADMIN, secret(server.seed_admin())) is Verdict.WORKS


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_disabled_key_ends_by_itself_even_if_nobody_comes_back(server: OpenAiStandIn) -> None:
    made, driver = server.seed(), of(server)
    driver.set_state(SVC, made["id"], KeyState.DISABLED)
    assert server.asked[-1].body == {"expires_in_seconds": 1}
    deadline = time.monotonic() + 60
    while driver.verify(SVC, secret(made)) is Verdict.WORKS:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert driver.verify(SVC, secret(made)) is Verdict.INVALID


def test_disabling_a_key_that_ended_already_or_is_gone_is_done(server: OpenAiStandIn) -> None:
    ended, driver = server.seed(expires_in_seconds=-5), of(server)
    driver.set_state(SVC, ended["id"], KeyState.DISABLED)
    driver.set_state(SVC, "key_of_nobody", KeyState.DISABLED)
    assert [line.split()[0] for line in server.lines()] == ["POST", "GET", "POST", "GET"]


@pytest.mark.parametrize("answer", [complaint(400, "not this kind of key"), complaint(404, "no such page")])
def test_a_key_whose_end_cannot_be_brought_near_is_not_called_disabled(server: OpenAiStandIn, answer: Reply) -> None:
    made = server.seed()
    server.fail("POST", answer)
    with pytest.raises(Permanent, match="no"):
        of(server).set_state(SVC, made["id"], KeyState.DISABLED)


def test_nothing_brings_an_ended_key_back(server: OpenAiStandIn) -> None:
    made = server.seed()
    with pytest.raises(Permanent, match="cannot enable"):
        of(server).set_state(SVC, made["id"], KeyState.ENABLED)
    assert server.lines() == [f"GET {KEYS}/{made['id']}"]


def test_a_deletion_that_was_not_one_is_done_again(server: OpenAiStandIn) -> None:
    made = server.seed()
    kept = {"object": "organization.project.api_key.deleted", "id": made["id"], "deleted": False}
    server.fail("DELETE", Reply(200, kept))
    with pytest.raises(Transient, match="did not delete"):
        of(server).set_state(SVC, made["id"], KeyState.DELETED)
    assert made["id"] in server.project_keys


# -- the admin credential ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "said"), [("svc_acct_idle", "no role in the project"), ("svc_acct_none", "Not found")]
)
def test_an_account_that_is_not_there_or_may_do_nothing_is_found_in_peacetime(
    server: OpenAiStandIn, account: str, said: str
) -> None:
    idle = Principal(name="idle", settings={"project": PROJECT, "service_account": account})
    with pytest.raises(Permanent, match=said):
        of(server).check_admin(idle)


def test_a_key_of_an_account_is_no_admin_credential_and_is_told_why(server: OpenAiStandIn) -> None:
    made = server.seed()
    with pytest.raises(Denied, match="insufficient permissions") as caught:
        of(server, admin=made["value"]).check_admin(SVC)
    assert caught.value.permission == PERMISSION
    assert made["value"] not in caught.value.message
