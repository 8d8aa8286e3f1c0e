"""The driver for Langfuse: its settings, the pair that it asks for, and the server's ways that it has to know."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rotator_langfuse import Langfuse

from rotator.domain.credential import Principal, Publication
from rotator.domain.failures import Ambiguous, Conflict, Denied, Permanent, Transient
from rotator.domain.keys import CHOSEN_VALUE, Disabling, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.sdk import Reach, SettingsError
from tests.sdk.canned_server import Canned, reply
from tests.servers import langfuse
from tests.servers.api import Reply
from tests.servers.langfuse import OTHERS_PROJECT, PROJECT, PUBLIC, SECRET, LangfuseStandIn

TIMEOUT = timedelta(seconds=60)
TRACES = Principal(name="traces", settings={"project": PROJECT})
PAIR = Secret({"public": "pk-lf-Public0123456789", "secret": "sk-lf-Secret0123456789"})
ASKED = MintRequest(mark="rot-tests-r1-1-abc", chosen=PAIR)

pytestmark = pytest.mark.stand_in(langfuse.NAME)


@pytest.fixture
def server() -> Iterator[LangfuseStandIn]:
    with LangfuseStandIn() as server:
        yield server


def driver(url: str, admin: str = SECRET, **settings: Any) -> Langfuse:
    given = {"base_url": url, "public_key": PUBLIC, **settings}
    return Langfuse.from_settings("traces", given, admin, TIMEOUT)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_it_offers_what_the_server_can_do() -> None:
    offers = Langfuse.from_settings("t", {"public_key": PUBLIC}, SECRET, TIMEOUT).capabilities(TRACES)
    assert offers.strategy is CHOSEN_VALUE
    assert (offers.parts, offers.secret_part) == (("public", "secret"), "secret")
    assert offers.forms == {"public": "pk-lf-{value}", "secret": "sk-lf-{value}"}
    assert (offers.disabling, offers.cap, offers.probe) == (Disabling.NONE, None, None)
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (False, False, False, True)
    assert offers.death_window > timedelta(seconds=300), "a look within the cache's time to live prolongs it"
    assert "organization" in offers.least_permission
    assert offers.console_url == "https://cloud.langfuse.com"


def test_it_reaches_the_cloud_unless_told_otherwise() -> None:
    assert Langfuse.reach({"public_key": PUBLIC}) == Reach(hosts=("cloud.langfuse.com",))
    assert Langfuse.reach({"base_url": "https://traces.internal:3000/x"}) == Reach(hosts=("traces.internal:3000",))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "http://langfuse.internal"}, "encryption"),
        ({"public_key": None}, "public_key"),
        ({"public_key": "sk-lf-the-other-half"}, "public_key"),
        ({"list_lag": 5}, "list_lag"),
        ({"project": PROJECT}, "project"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        driver("https://langfuse.internal", **settings)
    assert word in caught.value.message
    assert caught.value.hint
    assert "the-other-half" not in caught.value.message


def test_an_admin_credential_with_a_line_break_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        driver("https://langfuse.internal", admin=f"{SECRET}\n")
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [{}, {"project": ""}, {"project": ".."}, {"project": ("a", "b")}, {"project": PROJECT, "organisation": "o"}],
)
def test_a_principal_in_other_words_is_refused_and_nothing_is_sent(settings: dict[str, Any]) -> None:
    with Canned([reply(200, {})]) as canned:
        asking = driver(canned.url)
        for call in (asking.keys, asking.check_admin, lambda whose: asking.mint(whose, ASKED)):
            with pytest.raises(Permanent):
                call(Principal(name="x", settings=settings))
        assert canned.got == []


# -- the pair ----------------------------------------------------------------------------------------------------------


def test_a_mint_asks_for_our_pair_with_our_mark_as_its_note(server: LangfuseStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TRACES, ASKED)
    (asked,) = server.asked
    assert asked.body == {"note": ASKED.mark, "publicKey": PAIR.reveal("public"), "secretKey": PAIR.reveal("secret")}
    assert asked.headers["authorization"] == "Basic " + b64encode(f"{PUBLIC}:{SECRET}".encode()).decode()
    assert minted.value == PAIR
    assert minted.created_at == server.now
    (key,) = asking.keys(TRACES)
    assert (key.id, key.mark, key.hint) == (minted.key_id, ASKED.mark, "sk-lf-...6789")


def test_both_statuses_that_are_said_of_a_mint_are_taken(server: LangfuseStandIn) -> None:
    made = {"id": "k", "createdAt": "2026-11-25T10:00:00Z", "displaySecretKey": "sk-lf-...6789"}
    pair = {"publicKey": PAIR.reveal("public"), "secretKey": PAIR.reveal("secret")}
    for status in (200, 201):
        server.fail("POST", Reply(status, {**made, **pair}))
        assert driver(server.url).mint(TRACES, ASKED).key_id == "k"


@pytest.mark.parametrize("other", [{"publicKey": "pk-lf-other"}, {"secretKey": "sk-lf-other-0123456789"}])
def test_a_pair_that_is_not_ours_is_never_returned(server: LangfuseStandIn, other: dict[str, str]) -> None:
    ours = {"publicKey": PAIR.reveal("public"), "secretKey": PAIR.reveal("secret")}
    made = {"id": "k", "createdAt": "2026-11-25T10:00:00Z", "displaySecretKey": "sk-lf-...6789"}
    server.fail("POST", Reply(201, {**made, **ours, **other}))
    with pytest.raises(Ambiguous, match="another key"):
        driver(server.url).mint(TRACES, ASKED)


def test_one_place_holds_both_parts() -> None:
    place = Publication(store="s", ref="r", fields={"PUBLIC_KEY": "{public}", "SECRET_KEY": "{secret}"})
    assert place.parts() == {"public", "secret"}
    assert place.extract(place.render(PAIR)) == PAIR


def test_a_pair_that_was_used_before_is_a_conflict(server: LangfuseStandIn) -> None:
    server.add(PAIR.reveal("public"), "sk-lf-another-0123456789")
    with pytest.raises(Conflict):
        driver(server.url).mint(TRACES, ASKED)
    assert len(server.keys) == 1


def test_without_a_pair_nothing_is_sent(server: LangfuseStandIn) -> None:
    with pytest.raises(Permanent):
        driver(server.url).mint(TRACES, replace(ASKED, chosen=None))
    assert server.asked == []


def test_a_pair_is_identified_by_its_public_half_only_if_the_secret_one_is_accepted(server: LangfuseStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TRACES, ASKED)
    other = Secret({"public": "pk-lf-Other", "secret": "sk-lf-Other-secret-4711"})
    asking.mint(TRACES, MintRequest(mark="m2", chosen=other))
    assert asking.identify(TRACES, PAIR) == minted.key_id
    crossed = Secret({"public": PAIR.reveal("public"), "secret": other.reveal("secret")})
    assert asking.verify(TRACES, crossed) is Verdict.WORKS, "the server looks at the secret alone"
    assert asking.identify(TRACES, crossed) is None
    forged = Secret({"public": PAIR.reveal("public"), "secret": "sk-lf-Forged0123456789"})
    assert asking.identify(TRACES, forged) is None, "although it ends as the list shows"
    assert asking.identify(TRACES, Secret({"public": "pk-lf-x", "secret": PAIR.reveal("secret")})) is None


def test_an_organizations_key_is_authentic_but_no_projects(server: LangfuseStandIn) -> None:
    assert driver(server.url).verify(TRACES, Secret({"public": PUBLIC, "secret": SECRET})) is Verdict.FORBIDDEN


def test_another_403_says_nothing_of_the_pair(server: LangfuseStandIn) -> None:
    server.fail("GET", Reply(403, {"message": "Forbidden"}))
    with pytest.raises(Transient):
        driver(server.url).verify(TRACES, PAIR)


# -- the admin credential, and what is not there -----------------------------------------------------------------------


def test_a_projects_key_is_no_admin(server: LangfuseStandIn) -> None:
    server.add("pk-lf-p", "sk-lf-of-the-project-0123")
    asking = driver(server.url, admin="sk-lf-of-the-project-0123", public_key="pk-lf-p")
    for call in (asking.check_admin, lambda whose: asking.mint(whose, ASKED)):
        with pytest.raises(Denied) as caught:
            call(TRACES)
        assert "organization" in caught.value.permission
    assert len(server.keys) == 1


def test_a_plan_without_the_entitlement_is_denied_in_the_servers_words(server: LangfuseStandIn) -> None:
    server.entitled = False
    with pytest.raises(Denied, match="current plan"):
        driver(server.url).check_admin(TRACES)


def test_a_project_of_somebody_else_is_permanent_and_its_keys_are_not_called_gone(server: LangfuseStandIn) -> None:
    elsewhere = Principal(name="x", settings={"project": OTHERS_PROJECT})
    asking = driver(server.url)
    for call in (
        lambda: asking.keys(elsewhere),
        lambda: asking.mint(elsewhere, ASKED),
        lambda: asking.set_state(elsewhere, "clkey0000001", KeyState.DELETED),
    ):
        with pytest.raises(Permanent, match=r"[Pp]roject"):
            call()


def test_a_deletion_that_the_server_did_not_do_is_done_again(server: LangfuseStandIn) -> None:
    asking = driver(server.url)
    minted = asking.mint(TRACES, ASKED)
    server.fail("DELETE", Reply(200, {"success": False}))
    with pytest.raises(Transient):
        asking.set_state(TRACES, minted.key_id, KeyState.DELETED)
    asking.set_state(TRACES, minted.key_id, KeyState.DELETED)
    assert server.keys == {}


def test_a_key_cannot_be_disabled_and_nothing_is_sent(server: LangfuseStandIn) -> None:
    for state in (KeyState.DISABLED, KeyState.ENABLED):
        with pytest.raises(Permanent):
            driver(server.url).set_state(TRACES, "clkey0000001", state)
    assert server.asked == []


def test_a_key_is_listed_with_all_that_the_server_tells(server: LangfuseStandIn) -> None:
    server.add("pk-lf-a", "sk-lf-a-0123456789", expiresAt="2027-01-01T00:00:00.000Z")
    (key,) = driver(server.url).keys(TRACES)
    assert (key.mark, key.state, key.grant) == (None, KeyState.ENABLED, None)
    assert key.expires_at is not None
    assert key.expires_at.year == 2027


def test_a_driver_shows_no_secret() -> None:
    asking = driver("https://langfuse.internal")
    assert SECRET not in f"{asking!r}{asking._client!r}{asking.capabilities(TRACES)!r}"
