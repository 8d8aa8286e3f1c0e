"""What goes wrong on the way and at the server: a mint is one request, counted there, and no secret gets out."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from rotator_rest import Rest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.testing.keyserver import FaultKind, Keyserver, Operation, RetryAfter
from tests.providers.described import TIMEOUT, changed, description
from tests.providers.mint_faults import FAULTS_OF_A_MINT, WAYS_TO_LOSE_A_MINT, timeout_for
from tests.sdk.canned_server import Canned, reply
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

SVC = Principal(name="svc", settings={"principal": "svc"})
ADMIN = "admin-secret-0123456789"
CHOSEN = "chosen-value-0123456789"
CHOOSING: dict[str, Any] = {
    "mint.json": {"mark": "{mark}", "secret": "{secret}"},
    "mint.forms": {"secret": "{value}"},
    "mint.secret": None,
}


@pytest.fixture
def server() -> Iterator[Keyserver]:
    with Keyserver() as server:
        yield server


def driver(url: str, admin: str = ADMIN, timeout: timedelta = TIMEOUT, **changes: Any) -> Rest:
    table = changed(description("keyserver"), changes)
    return Rest.from_settings("mine", {"description": table, "base_url": url}, admin, timeout)


@pytest.mark.parametrize(("kind", "failure"), FAULTS_OF_A_MINT.items())
def test_a_mint_is_one_request_whatever_happens_to_it(
    server: Keyserver, kind: FaultKind, failure: type[Failure]
) -> None:
    server.fail(Operation.MINT, kind, calls=None, seconds=600.0)
    asking = driver(server.url, server.admin, timeout_for(kind), **CHOOSING)
    with pytest.raises(Failure) as caught:
        asking.mint(SVC, MintRequest(mark="the-mark", chosen=Secret({"secret": CHOSEN})))
    assert type(caught.value) is failure
    server.stop()
    assert sum(server.log.mint_requests().values()) <= 1
    if failure is not Ambiguous:
        assert server.live("svc") == (), "any other failure means that nothing was made"
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert CHOSEN not in shown
    assert server.admin not in shown


@pytest.mark.parametrize("kind", WAYS_TO_LOSE_A_MINT, ids=lambda kind: kind.name)
def test_a_mint_that_gets_lost_on_the_way_is_sent_once_and_is_ambiguous(server: Keyserver, kind: Kind) -> None:
    def mint(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, str, int]:
        asking, before = driver(f"http://127.0.0.1:{proxy.port}", server.admin, timeout), len(server.live("svc"))
        mark = f"mark-{proxy.port}"
        with pytest.raises(Failure) as caught:
            asking.mint(SVC, MintRequest(mark=mark))
        return caught.value, mark, before

    fault = Fault(kind=kind, request=b"POST /principals")
    failure, mark, before = met("127.0.0.1", int(server.url.rpartition(":")[2]), fault, mint)
    assert type(failure) is Ambiguous
    arrived = 0 if kind in LOSES_THE_REQUEST else 1
    assert server.log.mint_requests()[mark] == arrived
    assert len(server.live("svc")) - before == arrived


def test_every_change_is_one_request(server: Keyserver) -> None:
    key_id, _ = server.seed_key("svc")
    asking = driver(server.url, server.admin)
    for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        server.fail(None, FaultKind.ERROR_BEFORE)
        with pytest.raises(Transient):
            asking.set_state(SVC, key_id, state)
        asking.set_state(SVC, key_id, state)
    assert [record.operation for record in server.log] == ["disable"] * 2 + ["enable"] * 2 + ["delete"] * 2


def test_a_full_cap_and_a_value_used_before_are_told_apart(server: Keyserver) -> None:
    server.tell(cap=1)
    asking = driver(server.url, server.admin, **CHOOSING)
    request = MintRequest(mark="m", chosen=Secret({"secret": CHOSEN}))
    asking.mint(SVC, request)
    with pytest.raises(CapFull):
        asking.mint(SVC, MintRequest(mark="m2", chosen=Secret({"secret": f"{CHOSEN}2"})))
    server.tell(cap=None)
    with pytest.raises(Conflict):
        asking.mint(SVC, request)


@pytest.mark.parametrize(
    ("form", "seconds", "told"), [(RetryAfter.SECONDS, 7.0, True), (RetryAfter.DATE, 7.0, True), (None, None, False)]
)
def test_a_throttle_says_when_to_come_back_if_the_server_does(
    server: Keyserver, form: RetryAfter | None, seconds: float | None, told: bool
) -> None:
    if form is not None:
        server.tell(retry_after=form)
    server.fail(None, FaultKind.THROTTLED, calls=None, seconds=seconds)
    calls: list[Callable[[], object]] = [
        lambda: driver(server.url, server.admin).keys(SVC),
        lambda: driver(server.url, server.admin).mint(SVC, MintRequest(mark="m")),
        lambda: driver(server.url, server.admin).verify(SVC, Secret({"secret": CHOSEN})),
    ]
    for call in calls:
        with pytest.raises(Transient) as caught:
            call()
        assert caught.value.throttled
        assert (caught.value.retry_after is not None) is told


def test_an_admin_credential_without_the_permission_is_told_what_it_lacks(server: Keyserver) -> None:
    server.fail(None, FaultKind.FORBIDDEN, calls=None)
    asking = driver(server.url, server.admin)
    calls: list[Callable[[], object]] = [
        lambda: asking.mint(SVC, MintRequest(mark="m")),
        lambda: asking.keys(SVC),
        lambda: asking.check_admin(SVC),
        lambda: asking.set_state(SVC, "k", KeyState.DELETED),
    ]
    for call in calls:
        with pytest.raises(Denied) as caught:
            call()
        assert caught.value.permission == "the keyserver's admin secret"


def test_a_key_that_the_server_forbids_is_authentic(server: Keyserver) -> None:
    _, text = server.seed_key("svc", scopes=("something.else",))
    assert driver(server.url, server.admin).verify(SVC, Secret({"secret": text})) is Verdict.FORBIDDEN


def test_a_redirect_carries_no_credential_to_another_host() -> None:
    with Canned([reply(200, [])]) as elsewhere:
        location = {"Location": f"{elsewhere.url}/keys"}
        with Canned([reply(307, {}, headers=location)]) as canned:
            asking = driver(canned.url)
            calls: list[Callable[[], object]] = [
                lambda: asking.keys(SVC),
                lambda: asking.mint(SVC, MintRequest(mark="m")),
                lambda: asking.verify(SVC, Secret({"secret": CHOSEN})),
                lambda: asking.set_state(SVC, "k", KeyState.DELETED),
            ]
            for call in calls:
                with pytest.raises(Permanent):
                    call()
        assert elsewhere.got == []


def test_a_secret_that_a_server_repeats_is_in_no_failure() -> None:
    said = {"error": {"message": f"{ADMIN} may not make {CHOSEN}"}}
    for status in (400, 403, 500):
        with Canned([reply(status, said)]) as canned:
            asking = driver(canned.url, **CHOOSING, auth={"basic": "rotator:{admin}"})
            calls: list[Callable[[], object]] = [
                lambda: asking.mint(SVC, MintRequest(mark="m", chosen=Secret({"secret": CHOSEN}))),  # noqa: B023
                lambda: asking.check_admin(SVC),  # noqa: B023
            ]
            for call in calls:
                with pytest.raises(Failure) as caught:
                    call()
                assert ADMIN not in str(vars(caught.value)), "basic authentication hides it, and it is hidden here"
            with pytest.raises(Failure) as caught:
                calls[0]()
            assert CHOSEN not in str(vars(caught.value))


def test_a_driver_shows_no_secret(server: Keyserver) -> None:
    asking = driver(server.url, server.admin)
    assert server.admin not in f"{asking!r}{asking._client!r}"


def test_a_value_that_fits_into_no_header_is_not_called_invalid(server: Keyserver) -> None:
    asking = driver(server.url, server.admin)
    for call in (asking.verify, asking.identify):
        with pytest.raises(Permanent) as caught:
            call(SVC, Secret({"secret": "two\nlines-of-it"}))
        assert "lines-of-it" not in repr(vars(caught.value))
    assert len(server.log) == 0


def test_a_chosen_value_must_be_chosen_before(server: Keyserver) -> None:
    with pytest.raises(Permanent):
        driver(server.url, server.admin, **CHOOSING).mint(SVC, MintRequest(mark="m"))
    assert server.log.mint_requests() == {}
