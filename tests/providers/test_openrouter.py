"""OpenRouter's driver: its settings, what it sends, and what it makes of what it is told; and its stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import openai as sdk
import pytest
from rotator_openrouter import CONSOLE, PERMISSION, OpenRouter

from rotator.adapters.probe import HttpProber
from rotator.domain.credential import Principal
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.domain.keys import OVERLAP, Disabling, KeyState, MintRequest, Probe, Verdict
from rotator.domain.secret import Secret
from rotator.sdk import Reach, SettingsError
from tests.servers import Unavailable, openrouter
from tests.servers.api import Reply
from tests.servers.openrouter import OTHER, OpenRouterStandIn

pytestmark = pytest.mark.stand_in(openrouter.NAME)
DEFAULT = Principal(name="default")
TIMEOUT = timedelta(seconds=60)


@pytest.fixture
def server() -> Iterator[OpenRouterStandIn]:
    with OpenRouterStandIn() as server:
        yield server


def of(server: OpenRouterStandIn, admin: str | None = None, **settings: Any) -> OpenRouter:
    given = {"base_url": f"{server.url}/api/v1", **settings}
    return OpenRouter.from_settings("openrouter", given, admin or server.admin, TIMEOUT)


def secret(key: dict[str, Any]) -> Secret:
    return Secret({"secret": key["value"]})


# -- settings ----------------------------------------------------------------------------------------------------------


def test_without_settings_it_is_the_vendors_own_api() -> None:
    offers = OpenRouter.from_settings("openrouter", {}, "sk-or-v1-x", TIMEOUT).capabilities(DEFAULT)
    assert offers.strategy is OVERLAP
    assert (offers.disabling, offers.expiry, offers.scopes) == (Disabling.REVERSIBLE, True, False)
    assert (offers.usage, offers.identifies, offers.cap) == (False, True, None)
    assert offers.probe == Probe(url="https://openrouter.ai/api/v1/key")
    assert (offers.least_permission, offers.console_url) == (PERMISSION, CONSOLE)
    assert OpenRouter.reach({}) == Reach(hosts=("openrouter.ai",))
    assert OpenRouter.reach({"base_url": "https://gateway.example:444/api/v1"}) == Reach(hosts=("gateway.example:444",))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "http://openrouter.ai/api/v1"}, "encryption"),
        ({"usage": "yes"}, "usage"),
        ({"list_lag": "soon"}, "list_lag"),
        ({"workspace": OTHER}, "workspace"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        OpenRouter.from_settings("openrouter", settings, "sk-or-v1-x", TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"limit": "much"}, "limit is no amount"),
        ({"limit": "-1"}, "limit is no amount"),
        ({"limit": "nan"}, "limit is no amount"),
        ({"limit": "inf"}, "limit is no amount"),
        ({"limit": "5", "limit_reset": "yearly"}, "limit_reset"),
        ({"workspaces": OTHER}, "workspaces"),
    ],
)
def test_a_principal_in_other_words_is_refused_and_nothing_is_sent(
    server: OpenRouterStandIn, words: dict[str, str], said: str
) -> None:
    with pytest.raises(Permanent, match=said):
        of(server).mint(Principal(name="x", settings=words), MintRequest(mark="m"))
    assert server.asked == []


# -- minting -----------------------------------------------------------------------------------------------------------


def test_a_mint_asks_for_what_the_principal_may_spend_where_it_lives_and_how_long(server: OpenRouterStandIn) -> None:
    driver = of(server)
    driver.mint(DEFAULT, MintRequest(mark="rot-1"))
    assert server.asked[-1].body == {"name": "rot-1"}
    elsewhere = Principal(name="x", settings={"workspace": OTHER, "limit": "12.5", "limit_reset": "monthly"})
    before = datetime.now(UTC)
    minted = driver.mint(elsewhere, MintRequest(mark="rot-2", lifetime=timedelta(days=30), scopes=("ignored",)))
    body = dict(server.asked[-1].body)
    assert body.pop("expires_at").endswith("Z")
    assert body == {"name": "rot-2", "workspace_id": OTHER, "limit": 12.5, "limit_reset": "monthly"}
    (key,) = driver.keys(elsewhere)
    assert (key.id, key.mark) == (minted.key_id, "rot-2")
    assert key.expires_at is not None
    assert abs(key.expires_at - before - timedelta(days=30)) < timedelta(minutes=1)
    assert key.hint.startswith("sk-or-v1")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_is_of_one_workspace_with_the_disabled_keys(server: OpenRouterStandIn) -> None:
    off, here = server.seed("off", disabled=True)["hash"], server.seed("here")["hash"]
    there = server.seed("there", workspace_id=OTHER)["hash"]
    driver = of(server)
    assert {key.id: key.state for key in driver.keys(DEFAULT)} == {off: KeyState.DISABLED, here: KeyState.ENABLED}
    assert [key.id for key in driver.keys(Principal(name="x", settings={"workspace": OTHER}))] == [there]


def test_a_key_that_ended_is_not_enabled_and_still_there(server: OpenRouterStandIn) -> None:
    server.seed("old", expires_at="2026-01-01T00:00:00Z")
    (key,) = of(server).keys(DEFAULT)
    assert (key.state, key.live) == (KeyState.DISABLED, True)


def test_a_key_that_moved_between_two_pages_is_listed_once(server: OpenRouterStandIn) -> None:
    key = server.seed("one")
    page = Reply(200, {"data": [server._shown(key)]})
    server.fail("GET /api/v1/keys", page, times=2)
    server.fail("GET /api/v1/keys", Reply(200, {"data": []}))
    assert [each.id for each in of(server).keys(DEFAULT)] == [key["hash"]]


def test_last_use_is_told_where_the_list_has_it(server: OpenRouterStandIn) -> None:
    server.seed("used", last_used_at="2026-11-24T08:00:00Z")
    for usage in (True, False):
        (key,) = of(server, usage=usage).keys(DEFAULT)
        assert key.last_used_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert of(server, usage=True).capabilities(DEFAULT).usage


def test_a_list_that_does_not_tell_last_use_is_no_list_of_unused_keys(server: OpenRouterStandIn) -> None:
    server.seed("used")
    server.tells_use = False
    (key,) = of(server).keys(DEFAULT)
    assert key.last_used_at is None
    with pytest.raises(Transient, match="last used") as caught:
        of(server, usage=True).keys(DEFAULT)
    assert "usage: false" in caught.value.hint


# -- using and changing ------------------------------------------------------------------------------------------------


def test_driver_and_probe_agree_on_a_key(server: OpenRouterStandIn) -> None:
    key, driver, prober = server.seed("one"), of(server), HttpProber(TIMEOUT)
    probe = driver.capabilities(DEFAULT).probe
    assert probe is not None
    assert (driver.verify(DEFAULT, secret(key)), prober.probe(probe, secret(key))) == (Verdict.WORKS, Verdict.WORKS)
    driver.set_state(DEFAULT, key["hash"], KeyState.DELETED)
    assert (driver.verify(DEFAULT, secret(key)), prober.probe(probe, secret(key))) == (Verdict.INVALID, Verdict.INVALID)


def test_a_key_is_identified_only_if_its_hash_is_what_it_is_thought_to_be(server: OpenRouterStandIn) -> None:
    key = server.seed("one")
    assert of(server).identify(DEFAULT, secret(key)) == key["hash"]
    with OpenRouterStandIn(hashes=lambda value: f"another-{value[-8:]}") as other:
        assert of(other).identify(DEFAULT, secret(other.seed("one"))) is None


def test_a_deletion_that_was_not_one_is_done_again(server: OpenRouterStandIn) -> None:
    key = server.seed("one")
    server.fail("DELETE", Reply(200, {"deleted": False}))
    with pytest.raises(Transient, match="did not delete"):
        of(server).set_state(DEFAULT, key["hash"], KeyState.DELETED)


def test_a_consumers_key_is_no_admin_credential(server: OpenRouterStandIn) -> None:
    key = server.seed("one")
    with pytest.raises(Denied) as caught:
        of(server, admin=key["value"]).check_admin(DEFAULT)
    assert caught.value.permission == PERMISSION
    assert key["value"] not in str(caught.value)


# -- the stand-in ------------------------------------------------------------------------------------------------------


def test_the_stand_in_serves_openais_client_as_openrouter_does(server: OpenRouterStandIn) -> None:
    def client(key: str) -> sdk.OpenAI:
        return sdk.OpenAI(api_key=key, base_url=f"{server.url}/api/v1", max_retries=0)

    with client(server.admin) as admin:
        made = admin.post("/keys", body={"name": "one", "limit": 5}, cast_to=dict[str, Any])
        with client(made["key"]) as consumer:
            assert [model.id for model in consumer.models.list()] == ["acme/model"]
            assert consumer.get("/key", cast_to=dict[str, Any])["data"]["limit"] == 5
            off = admin.patch(f"/keys/{made['data']['hash']}", body={"disabled": True}, cast_to=dict[str, Any])
            assert off["data"]["disabled"] is True
            with pytest.raises(sdk.AuthenticationError, match="User not found"):
                consumer.models.list()
        assert admin.delete(f"/keys/{made['data']['hash']}", cast_to=dict[str, Any]) == {"deleted": True}
        with pytest.raises(sdk.NotFoundError):
            admin.get(f"/keys/{made['data']['hash']}", cast_to=dict[str, Any])


def test_every_request_is_held_against_the_vendors_description(server: OpenRouterStandIn) -> None:
    try:
        server.description.required()
    except Unavailable as missing:
        pytest.skip(str(missing))
    with pytest.raises(Permanent, match="uuid"):
        of(server).keys(Principal(name="x", settings={"workspace": "no-uuid"}))
    assert len(server.unaccepted) == 1
    server.unaccepted.clear()
