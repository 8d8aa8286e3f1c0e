"""The keyserver's driver: its settings, what it sends, and what it makes of every answer."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rotator_keyserver import Keyserver as Driver

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Failure, Permanent, Transient
from rotator.domain.keys import STRATEGIES, Disabling, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.providers.mint_faults import FAULTS_OF_A_MINT, timeout_for
from tests.sdk.canned_server import Canned, reply
from tests.servers.process import reserved_port
from tests.testing.keyserver_client import Client

SVC = Principal(name="svc")
TIMEOUT = timedelta(seconds=60)
URL = "http://127.0.0.1:9"
CHOSEN = "chosen-value-0123456789"
ADMIN = "admin-secret-0123456789"


@pytest.fixture
def server() -> Iterator[Keyserver]:
    with Keyserver() as server:
        yield server


def driver(url: str, admin: str = ADMIN, timeout: timedelta = TIMEOUT, **settings: Any) -> Driver:
    return Driver.from_settings("ks", {"base_url": url, **settings}, admin, timeout)


def of(server: Keyserver, **settings: Any) -> Driver:
    return driver(server.url, server.admin, **settings)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_without_settings_it_is_a_quick_keyserver_that_can_do_everything() -> None:
    offers = driver(URL).capabilities(SVC)
    assert offers.strategy is STRATEGIES["overlap"]
    assert (offers.parts, offers.secret_part, offers.slots, offers.cap) == (("secret",), "secret", (), None)
    assert offers.disabling is Disabling.REVERSIBLE
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (True, True, True, True)
    assert (offers.propagation, offers.death_window, offers.list_lag) == (timedelta(0), timedelta(0), timedelta(0))
    assert offers.probe is not None
    assert offers.probe.url == f"{URL}/resource"
    assert offers.least_permission


def test_the_settings_describe_another_one() -> None:
    offers = driver(
        URL,
        strategy="two-slots",
        slots=["a", "b"],
        cap=3,
        disable=False,
        usage=False,
        identifies=False,
        expiry=False,
        scopes=False,
        probe=False,
        propagation="1m",
        death_window="2m",
        list_lag="30s",
    ).capabilities(SVC)
    assert offers.strategy is STRATEGIES["two-slots"]
    assert (offers.slots, offers.cap, offers.disabling, offers.probe) == (("a", "b"), 3, Disabling.NONE, None)
    assert (offers.expiry, offers.scopes, offers.usage, offers.identifies) == (False, False, False, False)
    assert offers.propagation == timedelta(minutes=1)
    assert offers.death_window == timedelta(minutes=2)
    assert offers.list_lag == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://keys.example.com"}, "encryption"),
        ({"strategy": "both"}, "strategy"),
        ({"strategy": "dual"}, "two slots or more"),
        ({"strategy": "two-slots", "slots": ["a"]}, "two slots or more"),
        ({"strategy": "in-place"}, "exactly one slot"),
        ({"strategy": "in-place", "slots": ["a", "b"]}, "exactly one slot"),
        ({"slots": ["a", "b"]}, "has no slots"),
        ({"strategy": "dual", "slots": ["a@1", "b"]}, "@"),
        ({"cap": 0}, "cap"),
        ({"disable": "no"}, "disable"),
        ({"death_window": "soon"}, "death_window"),
        ({"death_windows": "1s"}, "death_windows"),
    ],
)
def test_a_wrong_setting_is_refused_in_two_lines_and_nothing_is_sent(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Driver.from_settings("ks", {"base_url": URL, **settings}, ADMIN, TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


def test_an_admin_credential_with_a_line_break_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        driver(URL, admin=f"{ADMIN}\n")
    assert ADMIN not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


# -- minting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "failure"), FAULTS_OF_A_MINT.items())
def test_a_mint_is_one_request_whatever_happens_to_it(
    server: Keyserver, kind: FaultKind, failure: type[Failure]
) -> None:
    server.fail(Operation.MINT, kind, calls=None, seconds=600.0)
    asking = of(server, timeout=timeout_for(kind))
    with pytest.raises(Failure) as caught:
        asking.mint(SVC, MintRequest(mark="the-mark", chosen=Secret({"secret": CHOSEN})))
    assert type(caught.value) is failure
    server.stop()
    assert sum(server.log.mint_requests().values()) <= 1
    if kind not in (FaultKind.SLOW, FaultKind.LATE):  # those two are logged when they end
        assert server.log.mint_requests() == {"the-mark": 1}
    if failure is not Ambiguous:
        assert server.live("svc") == (), "any other failure means that nothing was made"
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert CHOSEN not in shown
    assert server.admin not in shown


def test_a_mint_that_cannot_be_sent_made_nothing(server: Keyserver) -> None:
    with reserved_port() as port, pytest.raises(Transient):
        driver(f"http://127.0.0.1:{port}", server.admin).mint(SVC, MintRequest(mark="m"))
    assert server.live("svc") == ()


def test_a_mint_asks_for_what_was_requested(server: Keyserver) -> None:
    server.tell(slots=("a", "b"))
    asking = of(server, strategy="dual", slots=["a", "b"])
    empty = asking.keys(SVC)[0]
    chosen = Secret({"secret": CHOSEN})
    minted = asking.mint(
        SVC,
        MintRequest(
            mark="m", fingerprint="f00d", chosen=chosen, slot="a", expects=empty.id, scopes=("resource.read", "more")
        ),
    )
    assert (minted.key_id, minted.value) == ("a@f00d", chosen)
    key = asking.keys(SVC)[0]
    assert (key.id, key.slot, key.mark, key.grant) == ("a@f00d", "a", "m", ("resource.read", "more"))
    assert minted.created_at == key.created_at
    assert asking.verify(SVC, chosen) is Verdict.WORKS


def test_a_slot_that_was_never_listed_is_a_conflict_and_nothing_is_sent(server: Keyserver) -> None:
    server.tell(slots=("a", "b"))
    asking = of(server, strategy="two-slots", slots=["a", "b"])
    for expects in ("a", "a@", "b@empty-1"):
        with pytest.raises(Conflict):
            asking.mint(SVC, MintRequest(mark="m", slot="a", expects=expects))
    assert server.log.mint_requests() == {}


def test_a_full_cap_and_a_value_used_before_are_told_apart(server: Keyserver) -> None:
    server.tell(cap=1)
    asking = of(server, cap=1)
    chosen = Secret({"secret": CHOSEN})
    asking.mint(SVC, MintRequest(mark="m", chosen=chosen))
    with pytest.raises(CapFull):
        asking.mint(SVC, MintRequest(mark="m2"))
    server.tell(cap=None)
    with pytest.raises(Conflict, match="used before"):
        asking.mint(SVC, MintRequest(mark="m3", chosen=chosen))
    assert len(server.live("svc")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"id": "k"},
        {"id": "k", "secret": 5},
        {"id": "k", "secret": ""},
        {"secret": "new-value-123"},
        {"id": 7, "secret": "new-value-123"},
        {"id": "k", "secret": "new-value-123", "created_at": "new-value-123"},
    ],
)
def test_a_mint_whose_answer_cannot_be_read_is_ambiguous_and_shows_no_value(answer: Any) -> None:
    with Canned([reply(201, answer)]) as canned, pytest.raises(Ambiguous) as caught:
        driver(canned.url).mint(SVC, MintRequest(mark="m"))
    assert len(canned.got) == 1
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "new-value-123" not in repr(vars(seen)) + repr(seen.args)
        seen = seen.__cause__ or seen.__context__


# -- principals --------------------------------------------------------------------------------------------------------


def test_the_principal_is_its_setting_or_its_name(server: Keyserver) -> None:
    server.seed_key("svc/one two")
    asking = of(server)
    assert len(asking.keys(Principal(name="svc/one two"))) == 1
    assert len(asking.keys(Principal(name="x", settings={"principal": "svc/one two"}))) == 1
    assert asking.keys(SVC) == ()


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_principal_that_would_lead_elsewhere_is_refused(server: Keyserver, name: str) -> None:
    asking = of(server)
    with pytest.raises(Permanent):
        asking.keys(Principal(name=name))
    with pytest.raises(Permanent):
        asking.keys(Principal(name="svc", settings={"principal": ("a", "b")}))
    with pytest.raises(Permanent, match="'princpal' is not known"):
        asking.keys(Principal(name="svc", settings={"princpal": "svc"}))
    assert len(server.log) == 0


# -- the list ----------------------------------------------------------------------------------------------------------


def test_a_list_is_read_over_all_its_pages(server: Keyserver) -> None:
    server.tell(page_size=2)
    made = [server.seed_key("svc", mark=f"mark-{number}")[0] for number in range(5)]
    assert [key.id for key in of(server).keys(SVC)] == made
    assert len(server.log.of(Operation.LIST)) == 3


def test_a_key_is_listed_with_all_that_the_keyserver_tells(server: Keyserver) -> None:
    key_id, text = server.seed_key("svc", mark="m", expires_in=3600.0, scopes=("resource.read",))
    asking, before = of(server), datetime.now(UTC)
    assert asking.verify(SVC, Secret({"secret": text})) is Verdict.WORKS
    (key,) = asking.keys(SVC)
    assert (key.id, key.state, key.mark, key.slot) == (key_id, KeyState.ENABLED, "m", None)
    assert key.grant == ("resource.read",)
    assert key.hint == f"…{text[-4:]}"
    assert key.created_at is not None
    assert key.expires_at == key.created_at + timedelta(hours=1)
    assert key.last_used_at is not None
    assert abs(key.last_used_at - before) < timedelta(minutes=1)


def test_who_used_a_key_last_is_told(server: Keyserver) -> None:
    _, text = server.seed_key("svc")
    with Client(server.url, text, consumer="agents-api") as consumer:
        assert consumer.resource() == 200
    (key,) = of(server).keys(SVC)
    assert key.last_used_by == "agents-api"


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "k", "state": "enabled", **changes}


def test_a_keyserver_may_tell_less() -> None:
    with Canned([reply(200, {"keys": [row(), row(id="l", last_used_by="agents-api")], "after": None})]) as canned:
        one, other = driver(canned.url).keys(SVC)
    assert (one.last_used_by, one.mark, one.created_at, one.grant) == ("", None, None, None)
    assert other.last_used_by == "agents-api"


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"keys": {}, "after": None},
        {"keys": [], "after": 5},
        {"keys": [[]], "after": None},
        {"keys": [row(id=None)], "after": None},
        {"keys": [row(state="odd")], "after": None},
        {"keys": [row(mark=5)], "after": None},
        {"keys": [row(created_at="soon")], "after": None},
        {"keys": [row(created_at="2026-11-23T10:00:00")], "after": None},
        {"keys": [row(scopes="all")], "after": None},
        {"keys": [row()], "after": "k"},
    ],
    ids=str,
)
def test_a_list_of_another_form_or_without_end_is_transient(answer: Any) -> None:
    with Canned([reply(200, answer)]) as canned, pytest.raises(Transient):
        driver(canned.url).keys(SVC)


# -- using, changing ---------------------------------------------------------------------------------------------------


def test_a_key_without_the_scope_is_authentic_but_forbidden(server: Keyserver) -> None:
    _, text = server.seed_key("svc", scopes=("something.else",))
    assert of(server).verify(SVC, Secret({"secret": text})) is Verdict.FORBIDDEN


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.HTML, FaultKind.THROTTLED, FaultKind.LOSE_REQUEST])
def test_trouble_says_nothing_of_a_key(server: Keyserver, kind: FaultKind) -> None:
    _, text = server.seed_key("svc")
    asking = of(server)
    server.fail(None, kind, calls=None)
    for call in (asking.verify, asking.identify):
        with pytest.raises(Transient):
            call(SVC, Secret({"secret": text}))


def test_a_value_that_fits_into_no_header_is_not_called_invalid(server: Keyserver) -> None:
    for call in (of(server).verify, of(server).identify):
        with pytest.raises(Permanent) as caught:
            call(SVC, Secret({"secret": "two\nlines"}))
        assert "lines" not in str(caught.value).replace("line break", "")
    assert len(server.log) == 0


def test_what_the_settings_deny_is_not_asked_for(server: Keyserver) -> None:
    key_id, text = server.seed_key("svc")
    asking = of(server, identifies=False, disable=False)
    assert asking.identify(SVC, Secret({"secret": text})) is None
    for state in (KeyState.DISABLED, KeyState.ENABLED):
        with pytest.raises(Permanent):
            asking.set_state(SVC, key_id, state)
    assert len(server.log) == 0


def test_a_keyserver_that_can_do_less_than_described_says_so(server: Keyserver) -> None:
    key_id, text = server.seed_key("svc")
    server.tell(disable=False, identify=False)
    asking = of(server)
    assert asking.identify(SVC, Secret({"secret": text})) is None
    with pytest.raises(Permanent, match="cannot_disable"):
        asking.set_state(SVC, key_id, KeyState.DISABLED)
    assert asking.verify(SVC, Secret({"secret": text})) is Verdict.WORKS


def test_every_change_is_one_request(server: Keyserver) -> None:
    key_id, _ = server.seed_key("svc")
    asking = of(server)
    for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        server.fail(None, FaultKind.ERROR_BEFORE)
        with pytest.raises(Transient):
            asking.set_state(SVC, key_id, state)
        asking.set_state(SVC, key_id, state)
    assert [record.operation for record in server.log] == ["disable"] * 2 + ["enable"] * 2 + ["delete"] * 2


def test_it_is_a_provider(server: Keyserver) -> None:
    provider: Provider = of(server)
    provider.check_admin(SVC)


def test_a_driver_shows_no_secret(server: Keyserver) -> None:
    asking = of(server)
    assert server.admin not in f"{asking!r}{asking._client!r}"


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_can_be_described(name: str) -> None:
    slots = {"two-slots": ["a", "b"], "dual": ["a", "b"], "in-place": ["a"]}.get(name, [])
    assert driver(URL, strategy=name, slots=slots).capabilities(SVC).strategy is STRATEGIES[name]
