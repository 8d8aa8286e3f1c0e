"""The driver for providers without an API for keys, against a server that only knows whether a key is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rotator_assisted import VENDORS, Assisted

from rotator.adapters.probe import HttpProber
from rotator.domain.codec import decode, encode
from rotator.sdk import (
    Capabilities,
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
from tests.servers.api import Asked, Reply, StandIn

pytestmark = pytest.mark.stand_in("an API without keys")
TIMEOUT = timedelta(seconds=60)
WHO = Principal(name="ci", exclusive=True)
GOOD, NARROW, DEAD = "gsk_of-a-living-key-0123456789", "gsk_may-not-do-this-0123456789", "gsk_of-nobody-0123456789"


class Gate(StandIn):
    """Says 200, 403 or 401 to a key, shown in any of the usual headers."""

    def answer(self, asked: Asked) -> Reply:
        shown = asked.headers.get("authorization", asked.headers.get("x-api-key", "")).split(" ")[-1]
        return Reply({GOOD: 200, NARROW: 403}.get(shown, 401), {"error": f"you sent {shown}"})


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


def driver(gate: Gate, **settings: Any) -> Assisted:
    given = {"base_url": gate.url, "verify": {"path": "/v1/me"}, **settings}
    return Assisted.from_settings("acme", given, "", TIMEOUT)


def value(text: str) -> Secret:
    return Secret({"secret": text})


def probed(ours: Assisted, text: str) -> Verdict:
    probe = ours.capabilities(WHO).probe
    assert probe is not None
    return HttpProber(TIMEOUT).probe(probe, value(text))


# -- what it can -------------------------------------------------------------------------------------------------------


def test_it_offers_nothing_but_trying_a_key(gate: Gate) -> None:
    offers = driver(gate).capabilities(WHO)
    assert not any((offers.lists, offers.deletes, offers.identifies, offers.usage, offers.scopes, offers.expiry))
    assert decode(Capabilities, encode(offers)) == offers


def test_the_driver_and_the_engines_own_probe_say_the_same_of_a_key(gate: Gate) -> None:
    ours = driver(gate)
    assert [ours.verify(WHO, value(each)) for each in (GOOD, NARROW, DEAD)] == [
        Verdict.WORKS,
        Verdict.FORBIDDEN,
        Verdict.INVALID,
    ]
    assert [probed(ours, each).authentic for each in (GOOD, NARROW, DEAD)] == [True, True, False]
    assert set(gate.lines()) == {"GET /v1/me"}


def test_a_key_is_shown_as_the_settings_say(gate: Gate) -> None:
    verify = {"path": "/x", "header": "X-Api-Key", "template": "{secret}", "headers": {"acme-version": "2026-01"}}
    ours = driver(gate, verify=verify)
    assert ours.verify(WHO, value(GOOD)) is probed(ours, GOOD) is Verdict.WORKS
    assert [(each.headers["x-api-key"], each.headers["acme-version"]) for each in gate.asked] == [
        (GOOD, "2026-01"),
        (GOOD, "2026-01"),
    ]


def test_nothing_is_sent_for_what_only_a_person_can_do(gate: Gate) -> None:
    ours = driver(gate)
    for state in KeyState:
        with pytest.raises(Permanent, match="a person makes and deletes"):
            ours.set_state(WHO, "key-1", state)
    with pytest.raises(Permanent, match="a person makes and deletes"):
        ours.mint(WHO, MintRequest(mark="rot-x"))
    ours.check_admin(WHO)
    assert (ours.keys(WHO), ours.identify(WHO, value(GOOD)), gate.asked) == ((), None, [])


def test_a_person_is_told_where_and_what_to_look_out_for(gate: Gate) -> None:
    ours = driver(gate, console_url="https://acme.example/keys", instructions="a project key, read only")
    assert ours.capabilities(WHO).console_url == "https://acme.example/keys (a project key, read only)"


# -- vendors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", sorted(set(VENDORS) - {"npm"}))
def test_a_vendor_needs_nothing_else(vendor: str) -> None:
    ours = Assisted.from_settings(vendor, {"vendor": vendor}, "", TIMEOUT)
    probe = ours.capabilities(WHO).probe
    assert probe is not None
    assert probe.url.startswith(VENDORS[vendor]["base_url"] + "/")
    assert (probe.works, probe.invalid, probe.template) == ((200,), (401,), "Bearer {secret}")
    assert ours.capabilities(WHO).console_url.startswith("https://")
    (host,) = Assisted.reach({"vendor": vendor}).hosts
    assert host in VENDORS[vendor]["base_url"]


def test_of_npm_the_registry_is_to_be_named(gate: Gate) -> None:
    with pytest.raises(SettingsError, match="base_url is missing"):
        Assisted.from_settings("npm", {"vendor": "npm"}, "", TIMEOUT)
    ours = Assisted.from_settings("npm", {"vendor": "npm", "base_url": gate.url}, "", TIMEOUT)
    assert ours.verify(WHO, value(GOOD)) is Verdict.WORKS
    assert gate.lines() == ["GET /-/whoami"]
    with pytest.raises(Failure):
        ours.verify(WHO, value(NARROW))  # nobody says that it lives


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_of_no_vendor_a_403_is_taken_for_a_living_keys(gate: Gate, vendor: str) -> None:
    """A throttle, a country and a gateway are answered 403, too."""
    ours = Assisted.from_settings(vendor, {"vendor": vendor, "base_url": gate.url}, "", TIMEOUT)
    with pytest.raises(Failure):
        ours.verify(WHO, value(NARROW))
    with pytest.raises(Transient):
        probed(ours, NARROW)


def test_what_is_written_besides_a_vendor_replaces_it(gate: Gate) -> None:
    verify = {"path": "/mine", "forbidden": [403]}
    given = {"vendor": "groq", "base_url": gate.url, "verify": verify, "death_window": "1s"}
    ours = Assisted.from_settings("groq", given, "", TIMEOUT)
    assert ours.verify(WHO, value(NARROW)) is Verdict.FORBIDDEN
    assert gate.lines() == ["GET /mine"]
    assert ours.capabilities(WHO).death_window == timedelta(seconds=1)
    assert Assisted.reach(given) == Reach(hosts=(f"127.0.0.1:{gate.port}",))


# -- bad settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"vendor": "grok"}, "none of the known"),
        ({"verify": {}}, "path is missing"),
        ({"verify": {"path": "me"}}, "does not begin with /"),
        ({"verify": {"path": "/me", "method": "POST"}}, "not known"),
        ({"verify": {"path": "/me", "template": "Bearer sk-written-down"}}, "no place for the key"),
        ({"verify": {"path": "/me", "works": [200], "invalid": [200]}}, "does not tell"),
        ({"verify": {"path": "/me", "invalid": []}}, "does not tell"),
        ({"verify": {"path": "/me", "invalid": [429]}}, "says nothing of a key"),
        ({"verify": {"path": "/me", "invalid": [503]}}, "says nothing of a key"),
        ({"verify": {"path": "/me", "works": ["200"]}}, "no list of whole numbers"),
        ({"verify": {"path": "/me", "headers": {"a": "two\nlines"}}}, "fits into no header"),
        ({"verify": {"path": "/me", "headers": ["a"]}}, "no table of texts"),
        ({"verify": "/me"}, "not a table"),
        ({"base_url": "http://acme.example"}, "without encryption"),
        ({"lists": True}, "not known"),
    ],
)
def test_a_strange_setting_is_refused_before_anything_is_sent(gate: Gate, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        driver(gate, **settings)
    assert refused.value.hint
    assert "sk-written-down" not in refused.value.message + refused.value.hint
    assert gate.asked == []


def test_an_admin_credential_is_refused_because_nothing_could_use_it(gate: Gate) -> None:
    with pytest.raises(SettingsError, match="no use for an admin credential"):
        Assisted.from_settings("acme", {"base_url": gate.url, "verify": {"path": "/x"}}, "s3cret", TIMEOUT)


# -- bad answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(429, {}, {"Retry-After": "7"}), Transient),
        (Reply(500, {}), Transient),
        (Reply(503, {}), Transient),
        (Reply(200, content=b"<html>sign in</html>"), Transient),
        (Reply(302, {}, {"Location": "http://127.0.0.1:9/"}), Permanent),
        (Reply(404, {}), Permanent),
    ],
)
def test_only_the_declared_statuses_say_anything_of_a_key(gate: Gate, reply: Reply, failure: type[Failure]) -> None:
    ours = driver(gate)
    gate.fail("GET", reply, times=5)
    with pytest.raises(failure):
        ours.verify(WHO, value(GOOD))
    gate.faults[:] = [("GET", reply)] * 5
    with pytest.raises(Transient):
        probed(ours, GOOD)


def test_a_key_that_the_server_repeats_is_in_no_failure(gate: Gate) -> None:
    gate.fail("GET", Reply(400, {"error": f"bad key {GOOD}"}))
    with pytest.raises(Failure) as failed:
        driver(gate).verify(WHO, value(GOOD))
    assert GOOD not in f"{failed.value}{failed.value.hint}"


def test_a_redirect_takes_no_key_with_it(gate: Gate) -> None:
    with Gate() as elsewhere:
        gate.fail("GET", Reply(307, {}, {"Location": elsewhere.url}))
        with pytest.raises(Permanent):
            driver(gate).verify(WHO, value(GOOD))
        assert elsewhere.asked == []


def test_a_value_with_a_line_break_is_never_sent(gate: Gate) -> None:
    with pytest.raises(Permanent, match="fits into no header"):
        driver(gate).verify(WHO, value("one\r\nX-Evil: 1"))
    assert gate.asked == []
