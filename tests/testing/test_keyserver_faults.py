"""What a keyserver does wrong when it is told to."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.client import RemoteDisconnected

import pytest

from rotator.testing.keyserver import Behaviour, Fault, FaultKind, Keyserver, Operation, Record, RetryAfter
from rotator.testing.keyserver.fates import Fates
from tests.testing.keyserver_client import Client, Time, call_as

NOW = 1_780_000_000.0


@pytest.fixture
def clock() -> Time:
    return Time(NOW)


@pytest.fixture
def server(clock: Time) -> Iterator[Keyserver]:
    with Keyserver(clock=clock) as server:
        yield server


@pytest.fixture
def admin(server: Keyserver) -> Iterator[Client]:
    with Client(server.url, server.admin) as admin:
        yield admin


def test_a_lost_response_comes_after_the_effect(server: Keyserver, admin: Client) -> None:
    server.fail(Operation.MINT, FaultKind.LOSE_RESPONSE)
    with pytest.raises(RemoteDisconnected):
        admin.mint(mark="rot-1")
    assert [key["mark"] for key in admin.listed()] == ["rot-1"]
    assert admin.mint(mark="rot-2").status == 201
    assert len(server.live("svc")) == 2


def test_a_lost_request_has_no_effect(server: Keyserver, admin: Client) -> None:
    server.fail(Operation.MINT, FaultKind.LOSE_REQUEST)
    with pytest.raises(RemoteDisconnected):
        admin.mint(mark="rot-1")
    assert server.live("svc") == ()
    assert admin.mint(mark="rot-1").status == 201


def test_an_answer_is_held_back_until_the_row_is_told_no_more(server: Keyserver, admin: Client) -> None:
    _, secret = server.seed_key("svc")
    server.fail(Operation.MINT, FaultKind.HELD)
    with ThreadPoolExecutor(1) as thread:
        minted = thread.submit(admin.mint)
        until = time.monotonic() + 60
        while len(server.live("svc")) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert call_as(server.url, secret) == 200
        assert not minted.done()
        server.tell(faults=())
        assert minted.result(timeout=60).status == 201
    assert [record.status for record in server.log.of(Operation.MINT)] == [201]


@pytest.mark.parametrize(
    ("kind", "status", "minted"),
    [
        (FaultKind.ERROR_BEFORE, 500, 0),
        (FaultKind.ERROR_AFTER, 500, 1),
        (FaultKind.UNAUTHORIZED, 401, 0),
        (FaultKind.FORBIDDEN, 403, 0),
        (FaultKind.THROTTLED, 429, 0),
        (FaultKind.HTML, 200, 0),
    ],
)
def test_a_fault_answers_wrongly_for_as_many_calls_as_told(
    server: Keyserver, admin: Client, kind: FaultKind, status: int, minted: int
) -> None:
    server.fail(Operation.MINT, kind, calls=2)
    assert [admin.mint().status for _ in range(2)] == [status, status]
    assert len(server.live("svc")) == 2 * minted
    assert admin.mint().status == 201
    assert len(server.live("svc")) == 2 * minted + 1


def test_an_html_page_comes_with_the_status_told(server: Keyserver, admin: Client) -> None:
    server.fail(Operation.LIST, FaultKind.HTML, status=503)
    page = admin.call("GET", "/principals/svc/keys")
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html")
    assert page.text.startswith("<!doctype html>")


def test_a_fault_strikes_no_other_operation(server: Keyserver, admin: Client) -> None:
    key_id, secret = server.seed_key("svc")
    server.fail(Operation.DELETE, FaultKind.FORBIDDEN, calls=None)
    assert [admin.delete(key_id), admin.delete(key_id)] == [403, 403]
    assert (admin.ids(), call_as(server.url, secret)) == ([key_id], 200)
    assert admin.set_state(key_id, "disabled").status == 200


def test_everybody_can_be_answered_401_good_keys_and_the_admin_too(server: Keyserver, admin: Client) -> None:
    _, secret = server.seed_key("svc")
    server.tell(faults=(Fault(kind=FaultKind.UNAUTHORIZED),))
    with Client(server.url, secret) as good, Client(server.url, "never-issued") as bad:
        assert good.call("GET", "/resource").body == bad.call("GET", "/resource").body == {"error": "invalid_key"}
        assert good.call("GET", "/whoami").status == 401
        assert admin.call("GET", "/admin/whoami").status == 401
        server.tell(faults=())
        assert (good.resource(), bad.resource()) == (200, 401)


def test_a_slow_call_takes_its_effect_at_once_and_its_answer_later() -> None:
    with Keyserver() as server, Client(server.url, server.admin) as admin:
        server.fail(Operation.MINT, FaultKind.SLOW, seconds=0.3)
        assert [admin.mint().status for _ in range(2)] == [201, 201]
        slow, quick = server.log
    assert answer_time(slow) >= 0.3 > answer_time(quick)
    assert waited(slow) < 0.3


def test_a_late_request_takes_effect_after_its_caller_has_gone() -> None:
    with Keyserver() as server:
        server.fail(Operation.MINT, FaultKind.LATE, seconds=0.3)
        with Client(server.url, server.admin, timeout=0.1) as hasty, pytest.raises(TimeoutError):
            hasty.mint(mark="rot-1")
        until = time.monotonic() + 60
        while not len(server.log) and time.monotonic() < until:
            time.sleep(0.01)
        assert [key.mark for key in server.live("svc")] == ["rot-1"]
        (record,) = server.log
    assert waited(record) >= 0.3
    assert (record.outcome, record.status, record.answered_at) == ("ok", None, None)


def waited(record: Record) -> float:
    """Seconds from a call's arrival to its effect."""
    assert record.done_at is not None
    return record.done_at - record.received_at


def answer_time(record: Record) -> float:
    """Seconds from a call's effect to its answer."""
    assert record.done_at is not None
    assert record.answered_at is not None
    return record.answered_at - record.done_at


def test_the_throttle_lets_a_burst_through_then_says_when_to_come_back(
    server: Keyserver, admin: Client, clock: Time
) -> None:
    server.tell(rate=0.1, burst=2)
    _, secret = server.seed_key("svc")
    assert [admin.mint().status for _ in range(3)] == [201, 201, 429]
    refused = admin.mint()
    assert (refused.body, refused.headers["Retry-After"]) == ({"error": "throttled"}, "10")
    assert len(server.live("svc")) == 3
    assert [call_as(server.url, secret) for _ in range(3)] == [200] * 3
    clock.pass_(9)
    assert admin.mint().headers["Retry-After"] == "1"
    clock.pass_(1)
    assert [admin.mint().status for _ in range(2)] == [201, 429]


def test_telling_something_else_does_not_fill_the_throttle_up_again(server: Keyserver, admin: Client) -> None:
    server.tell(rate=0.1)
    assert admin.mint().status == 201
    server.tell(latency=0.001)
    assert admin.mint().status == 429
    server.tell(burst=2)
    assert [admin.mint().status for _ in range(3)] == [201, 201, 429]


def test_retry_after_may_be_a_date_or_missing(server: Keyserver, admin: Client) -> None:
    server.tell(rate=0.1, retry_after=RetryAfter.DATE)
    assert [admin.mint().status for _ in range(2)] == [201, 429]
    assert parsedate_to_datetime(admin.mint().headers["Retry-After"]).timestamp() == NOW + 10
    server.tell(retry_after=RetryAfter.NONE)
    assert admin.mint().headers["Retry-After"] is None


def test_the_throttle_may_cover_the_resource_alone(server: Keyserver, admin: Client) -> None:
    _, secret = server.seed_key("svc")
    server.tell(rate=1.0, throttled=frozenset({Operation.RESOURCE}))
    assert [call_as(server.url, secret) for _ in range(2)] == [200, 429]
    assert [admin.mint().status for _ in range(3)] == [201] * 3


def test_control_is_never_at_fault(server: Keyserver, admin: Client) -> None:
    server.tell(faults=(Fault(kind=FaultKind.LOSE_REQUEST),), latency=30.0)
    assert admin.call("PATCH", "/control/behaviour", {"latency": 0, "faults": []}).status == 200
    assert admin.mint().status == 201


# -- the drawing of fates, without a socket ---------------------------------------------------------------------------


def kinds(fates: Fates, operation: Operation, count: int) -> list[FaultKind | None]:
    drawn = [fates.of(operation, NOW) for _ in range(count)]
    return [fault.kind if fault else None for fault in drawn]


def test_calls_are_skipped_before_a_fault_begins() -> None:
    fates = Fates(Behaviour(faults=(Fault(kind=FaultKind.HTML, operation=Operation.MINT, skip=2, calls=1),)))
    assert kinds(fates, Operation.LIST, 5) == [None] * 5
    assert kinds(fates, Operation.MINT, 4) == [None, None, FaultKind.HTML, None]


def test_of_several_rows_the_first_that_matches_happens() -> None:
    first = Fault(kind=FaultKind.HTML, operation=Operation.MINT, calls=1)
    fates = Fates(Behaviour(faults=(first, Fault(kind=FaultKind.FORBIDDEN))))
    assert kinds(fates, Operation.MINT, 2) == [FaultKind.HTML, FaultKind.FORBIDDEN]


def test_a_probability_strikes_some_calls_and_the_seed_repeats_which() -> None:
    def drawn(seed: int) -> list[FaultKind | None]:
        fault = Fault(kind=FaultKind.LOSE_RESPONSE, probability=0.3)
        return kinds(Fates(Behaviour(seed=seed, faults=(fault,))), Operation.MINT, 100)

    assert 10 < drawn(1).count(FaultKind.LOSE_RESPONSE) < 50
    assert drawn(1) == drawn(1) != drawn(2)


def test_telling_something_else_keeps_the_count_of_a_row_and_telling_it_anew_starts_again() -> None:
    once = Fault(kind=FaultKind.HTML, calls=1)
    fates = Fates(Behaviour(faults=(once,)))
    assert kinds(fates, Operation.MINT, 2) == [FaultKind.HTML, None]
    fates.tell(Behaviour(latency=1.0, faults=(once,)))
    assert kinds(fates, Operation.MINT, 1) == [None]
    fates.tell(Behaviour(faults=(Fault(kind=FaultKind.HTML, calls=1),)))
    assert kinds(fates, Operation.MINT, 2) == [FaultKind.HTML, None]


def test_jitter_adds_to_the_latency_and_the_seed_repeats_it() -> None:
    def drawn(seed: int) -> list[float]:
        fates = Fates(Behaviour(latency=1.0, jitter=0.5, seed=seed))
        return [fates.latency() for _ in range(50)]

    assert all(1.0 <= latency <= 1.5 for latency in drawn(1))
    assert len(set(drawn(1))) > 40
    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1.0},
        {"death": float("nan")},
        {"latency": float("inf")},
        {"flapping": 1.1},
        {"rate": 0.0},
        {"burst": 0},
        {"page_size": 0},
        {"slots": ("a@b",)},
    ],
)
def test_a_behaviour_that_makes_no_sense_cannot_be_told(server: Keyserver, wrong: dict[str, object]) -> None:
    before = server.behaviour
    with pytest.raises(ValueError):
        server.tell(**wrong)
    assert server.behaviour is before


def test_a_fault_that_makes_no_sense_cannot_be_told() -> None:
    for kind in (FaultKind.SLOW, FaultKind.LATE):
        with pytest.raises(ValueError, match="seconds"):
            Fault(kind=kind)
    with pytest.raises(ValueError, match="probability"):
        Fault(kind=FaultKind.HTML, probability=2)
