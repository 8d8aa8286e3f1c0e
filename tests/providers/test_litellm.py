"""The driver for LiteLLM: its settings, what it asks for, and the proxy's ways that it has to know."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rotator_litellm import PAGE, LiteLlm

from rotator.adapters.probe import HttpProber
from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Conflict, Denied, Permanent, Transient
from rotator.domain.keys import CHOSEN_VALUE, Disabling, KeyState, MintRequest, Probe, Verdict
from rotator.domain.secret import Secret
from rotator.sdk import Reach, SettingsError
from tests.sdk.canned_server import Canned, reply
from tests.servers import litellm
from tests.servers.api import Asked, Reply
from tests.servers.litellm import ADMIN, MEMBER, VIEWER, LiteLlmStandIn, error, hash_of

TIMEOUT = timedelta(seconds=60)
URL = "https://litellm.internal:4000"
TEAM = Principal(name="agents", settings={"team": "team-ml"})
VALUE = "sk-" + "Chosen0123456789" * 2
ASKED = MintRequest(mark="rot-tests-r1-1-abc", chosen=Secret({"secret": VALUE}))

pytestmark = pytest.mark.stand_in(litellm.NAME)


@pytest.fixture
def server() -> Iterator[LiteLlmStandIn]:
    with LiteLlmStandIn() as server:
        yield server


def driver(url: str = URL, admin: str = ADMIN, **settings: Any) -> LiteLlm:
    return LiteLlm.from_settings("gateway", {"base_url": url, **settings}, admin, TIMEOUT)


def probe(asking: LiteLlm, value: str) -> Verdict:
    """As the engine asks, past the driver."""
    plain = asking.capabilities(TEAM).probe
    assert isinstance(plain, Probe)
    return HttpProber(TIMEOUT).probe(plain, Secret({"secret": value}))


# -- settings ----------------------------------------------------------------------------------------------------------


def test_it_offers_what_the_proxy_can_do() -> None:
    offers = driver().capabilities(TEAM)
    assert offers.strategy is CHOSEN_VALUE
    assert offers.forms == {"secret": "sk-{value}"}
    assert (offers.disabling, offers.cap) == (Disabling.REVERSIBLE, None)
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (True,) * 4
    assert offers.death_window == timedelta(seconds=120)
    assert offers.probe is not None
    assert offers.probe.url == f"{URL}/v1/models"
    assert "management" in offers.least_permission
    assert offers.console_url == f"{URL}/ui"


def test_windows_and_the_type_of_keys_are_the_settings() -> None:
    offers = driver(key_type="management", propagation="1s", death_window="2s", list_lag="3s").capabilities(TEAM)
    assert [offers.propagation, offers.death_window, offers.list_lag] == [timedelta(seconds=each) for each in (1, 2, 3)]
    assert offers.probe is not None
    assert offers.probe.url == f"{URL}/key/info"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://litellm.internal"}, "encryption"),
        ({"key_type": "admin"}, "key_type"),
        ({"death_window": "soon"}, "death_window"),
        ({"team": "team-ml"}, "team"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        LiteLlm.from_settings("gateway", {"base_url": URL, **settings}, ADMIN, TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


def test_an_admin_credential_with_a_line_break_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        driver(admin=f"{ADMIN}\n")
    assert ADMIN not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "neither a team nor a user"),
        ({"team": ""}, "team is not text"),
        ({"team": ("a", "b")}, "team is not text"),
        ({"project": "p"}, "'project' is not known"),
        ({"team": "team-ml", "usr": "svc"}, "'usr' is not known"),
    ],
)
def test_a_principal_in_other_words_would_be_more_than_is_meant(settings: dict[str, Any], said: str) -> None:
    with Canned([reply(200, {})]) as canned:
        asking = driver(canned.url)
        for call in (asking.keys, asking.check_admin, lambda whose: asking.mint(whose, ASKED)):
            with pytest.raises(Permanent, match=said):
                call(Principal(name="x", settings=settings))
        assert canned.got == []


def test_it_reaches_the_proxy_and_nothing_else() -> None:
    assert LiteLlm.reach({"base_url": URL}) == Reach(hosts=("litellm.internal:4000",))


# -- minting -----------------------------------------------------------------------------------------------------------


def test_a_mint_asks_for_all_that_was_declared(server: LiteLlmStandIn) -> None:
    wish = replace(ASKED, scopes=("gpt-4", "my model"), lifetime=timedelta(days=2, seconds=1.5))
    both = Principal(name="x", settings={"team": "team-ml", "user": "svc"})
    minted = driver(server.url).mint(both, wish)
    assert minted.key_id == hash_of(VALUE)
    assert minted.created_at == server.now
    (asked,) = server.asked
    assert asked.body == {
        "key": VALUE,
        "key_alias": "rot-tests-r1-1-abc",
        "key_type": "llm_api",
        "team_id": "team-ml",
        "user_id": "svc",
        "models": ["gpt-4", "my model"],
        "duration": "172801s",
    }
    assert asked.headers["litellm-changed-by"] == "rotator"
    (key,) = driver(server.url).keys(both)
    assert key.grant == ("gpt-4", "my model")
    assert key.expires_at == server.now + timedelta(seconds=172_801)
    assert (key.mark, key.hint) == ("rot-tests-r1-1-abc", f"sk-...{VALUE[-4:]}")


def test_a_key_of_no_models_may_call_all_of_them_and_is_said_to(server: LiteLlmStandIn) -> None:
    driver(server.url).mint(TEAM, ASKED)
    (key,) = driver(server.url).keys(TEAM)
    assert key.grant == ("all models",)


def test_an_alias_that_exists_already_is_a_conflict_and_nothing_is_made(server: LiteLlmStandIn) -> None:
    server.add("sk-somebody-elses-0123", key_alias=ASKED.mark)
    with pytest.raises(Conflict):
        driver(server.url).mint(TEAM, ASKED)
    assert len(server.keys) == 1


def test_a_proxy_that_takes_no_chosen_values_is_permanent_and_says_which_setting(server: LiteLlmStandIn) -> None:
    server.custom_keys = False
    with pytest.raises(Permanent) as caught:
        driver(server.url).mint(TEAM, ASKED)
    assert "disable_custom_api_keys" in caught.value.hint
    assert server.keys == {}


def test_a_policy_that_wants_shorter_lives_is_permanent(server: LiteLlmStandIn) -> None:
    server.longest = timedelta(days=30)
    for lifetime in (None, timedelta(days=31)):
        with pytest.raises(Permanent, match="duration"):
            driver(server.url).mint(TEAM, replace(ASKED, lifetime=lifetime))
    driver(server.url).mint(TEAM, replace(ASKED, lifetime=timedelta(days=30)))


@pytest.mark.parametrize("other", [{"key": "sk-another-0123456789"}, {"token": "0" * 64}])
def test_a_key_that_is_not_ours_is_never_returned(server: LiteLlmStandIn, other: dict[str, str]) -> None:
    server.fail("POST", Reply(200, {"key": VALUE, "token": hash_of(VALUE), **other}))
    with pytest.raises(Ambiguous, match="another key"):
        driver(server.url).mint(TEAM, ASKED)


def test_without_a_chosen_value_nothing_is_sent(server: LiteLlmStandIn) -> None:
    with pytest.raises(Permanent):
        driver(server.url).mint(TEAM, MintRequest(mark="m"))
    assert server.asked == []


# -- the admin credential ----------------------------------------------------------------------------------------------


def test_somebody_who_sees_his_own_keys_alone_is_no_admin(server: LiteLlmStandIn) -> None:
    server.add("sk-of-the-team-0123456", team_id="team-ml")
    member = driver(server.url, MEMBER)
    assert member.keys(TEAM) == (), "the proxy hides the others without a word"
    with pytest.raises(Denied) as caught:
        member.check_admin(TEAM)
    assert "proxy_admin" in caught.value.permission


def test_an_admin_who_may_only_look_passes_the_check_and_fails_at_the_mint(server: LiteLlmStandIn) -> None:
    viewer = driver(server.url, VIEWER)
    viewer.check_admin(TEAM)
    with pytest.raises(Denied) as caught:
        viewer.mint(TEAM, ASKED)
    assert "proxy_admin" in caught.value.permission
    assert server.keys == {}


# -- looking -----------------------------------------------------------------------------------------------------------


def test_a_value_is_never_part_of_a_target(server: LiteLlmStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TEAM, ASKED)
    asking.verify(TEAM, minted.value)
    assert asking.identify(TEAM, minted.value) == minted.key_id
    asking.set_state(TEAM, VALUE, KeyState.DELETED)
    asking.set_state(TEAM, VALUE, KeyState.DISABLED)
    assert len(server.keys) == 1, "a value is no id"
    assert VALUE not in "".join(f"{each.line}{each.query}" for each in server.asked)


def test_only_the_principals_keys_are_listed_the_blocked_and_the_expired_too(server: LiteLlmStandIn) -> None:
    ours = server.add("sk-ours-0123456789", team_id="team-ml")
    blocked = server.add("sk-blocked-0123456789", team_id="team-ml", blocked=True)
    expired = server.add("sk-expired-0123456789", team_id="team-ml", expires="2026-11-01T00:00:00Z")
    server.add("sk-theirs-0123456789", team_id="team-x")
    listed = {key.id: key.state for key in driver(server.url).keys(TEAM)}
    assert listed == {ours: KeyState.ENABLED, blocked: KeyState.DISABLED, expired: KeyState.ENABLED}


@pytest.mark.parametrize("token", ["sk-a-value-0123456789", "0" * 63, "A" * 64])
def test_a_key_that_no_deletion_would_look_for_is_no_row_of_a_list(server: LiteLlmStandIn, token: str) -> None:
    server.add("sk-ours-0123456789", team_id="team-ml")
    (row,) = server.keys.values()
    page = {"keys": [{**row, "token": token}], "total_count": 1, "total_pages": 1, "current_page": 1}
    server.fail("GET /key/list", Reply(200, page))
    with pytest.raises(Transient, match="strange id") as caught:
        driver(server.url).keys(TEAM)
    assert token not in caught.value.message


class Restless(LiteLlmStandIn):
    """A key goes while its pages are read: one slips over the edge between two pages."""

    def respond(self, asked: Asked) -> Reply:
        answer = super().respond(asked)
        if asked.line == "GET /key/list":
            self.keys.pop(next(iter(self.keys)))
        return answer


def test_a_list_whose_pages_shifted_is_transient_and_not_short() -> None:
    with Restless() as server:
        for number in range(2 * PAGE):
            server.add(f"sk-{number:020}", team_id="team-ml")
        with pytest.raises(Transient, match="came or went"):
            driver(server.url).keys(TEAM)


def test_a_list_without_end_is_given_up() -> None:
    page = {"keys": [], "total_count": 0, "current_page": 1, "total_pages": 10**9}
    with Canned([reply(200, page)]) as canned, pytest.raises(Transient, match="does not end"):
        driver(canned.url).keys(TEAM)


# -- what is dead ------------------------------------------------------------------------------------------------------


def test_only_a_deleted_key_is_dead_and_a_blocked_one_proves_nothing(server: LiteLlmStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TEAM, ASKED)
    assert probe(asking, VALUE) is Verdict.WORKS
    asking.set_state(TEAM, minted.key_id, KeyState.DISABLED)
    assert asking.verify(TEAM, minted.value) is Verdict.NOT_YET
    with pytest.raises(Transient):
        probe(asking, VALUE)
    asking.set_state(TEAM, minted.key_id, KeyState.DELETED)
    assert asking.verify(TEAM, minted.value) is Verdict.INVALID
    assert probe(asking, VALUE) is Verdict.INVALID


def test_an_expired_key_is_refused_but_not_dead_to_the_probe(server: LiteLlmStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TEAM, replace(ASKED, lifetime=timedelta(hours=1)))
    server.advance(3601)
    assert asking.verify(TEAM, minted.value) is Verdict.INVALID
    with pytest.raises(Transient):
        probe(asking, VALUE)


def test_a_blocked_team_says_nothing_of_its_keys(server: LiteLlmStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TEAM, ASKED)
    server.blocked_teams.add("team-ml")
    with pytest.raises(Transient):
        asking.verify(TEAM, minted.value)
    with pytest.raises(Transient):
        probe(asking, VALUE)


@pytest.mark.parametrize("said", ["Access forbidden: IP address not allowed.", "Access forbidden: Route not allowed"])
def test_a_403_from_before_the_key_is_looked_up_says_nothing_of_it(server: LiteLlmStandIn, said: str) -> None:
    server.fail("GET", error(403, said))
    with pytest.raises(Transient):
        driver(server.url).verify(TEAM, Secret({"secret": "sk-nobodys-0123456789"}))


def test_a_key_that_may_not_call_models_is_authentic(server: LiteLlmStandIn) -> None:
    server.add("sk-manager-0123456789", key_type="management", team_id="team-ml")
    assert driver(server.url).verify(TEAM, Secret({"secret": "sk-manager-0123456789"})) is Verdict.FORBIDDEN


def test_a_deleted_key_that_the_archive_still_tells_of_is_nobodys(server: LiteLlmStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TEAM, ASKED)
    asking.set_state(TEAM, minted.key_id, KeyState.DELETED)
    assert minted.key_id in server.archive
    assert asking.identify(TEAM, minted.value) is None


def test_a_driver_shows_no_secret() -> None:
    asking = driver()
    assert ADMIN not in f"{asking!r}{asking._client!r}{asking.capabilities(TEAM)!r}"
