"""What the keyserver writes down, and the figures read from it."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace

import pytest

from rotator.testing.keyserver import ADMIN, NOBODY, FaultKind, Keyserver, Log, Operation, Record
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


def test_every_call_is_one_record_in_order_with_who_what_and_what_became_of_it(
    server: Keyserver, admin: Client, clock: Time
) -> None:
    minted = admin.mint(mark="rot-1").body
    clock.pass_(5)
    with Client(server.url, minted["secret"], consumer="cacher") as consumer:
        consumer.resource()
        admin.delete(minted["id"])
        consumer.resource()
    call_as(server.url, "never-issued")
    admin.call("GET", "/nothing")
    expected = [
        (1, NOW, Operation.MINT, "svc", minted["id"], "rot-1", "ok", 201, ADMIN, None),
        (2, NOW + 5, Operation.RESOURCE, "svc", minted["id"], None, "ok", 200, minted["id"], "cacher"),
        (3, NOW + 5, Operation.DELETE, "svc", minted["id"], None, "ok", 204, ADMIN, None),
        (4, NOW + 5, Operation.RESOURCE, "svc", minted["id"], None, "invalid_key", 401, minted["id"], "cacher"),
        (5, NOW + 5, Operation.RESOURCE, None, None, None, "invalid_key", 401, NOBODY, None),
        (6, NOW + 5, Operation.UNKNOWN, None, None, None, "not_found", 404, ADMIN, None),
    ]
    assert [
        (r.seq, r.received_at, r.operation, r.principal, r.key_id, r.mark, r.outcome, r.status, r.caller, r.consumer)
        for r in server.log
    ] == expected
    assert all(r.done_at == r.answered_at == r.received_at and r.fault is None for r in server.log)


def test_a_call_without_the_admin_secret_is_logged_as_refused(server: Keyserver) -> None:
    _, secret = server.seed_key("svc")
    with Client(server.url, secret) as intruder:
        intruder.mint(mark="rot-1")
    (record,) = server.log
    assert (record.operation, record.outcome, record.status, record.key_id) == (
        Operation.MINT,
        "unauthorized",
        401,
        None,
    )
    assert record.caller == server.live("svc")[0].id


@pytest.mark.parametrize(
    ("kind", "outcome", "status", "done", "answered"),
    [
        (FaultKind.LOSE_REQUEST, "not_done", None, False, False),
        (FaultKind.LOSE_RESPONSE, "ok", None, True, False),
        (FaultKind.ERROR_BEFORE, "not_done", 500, False, True),
        (FaultKind.ERROR_AFTER, "ok", 500, True, True),
        (FaultKind.HTML, "not_done", 200, False, True),
        (FaultKind.THROTTLED, "not_done", 429, False, True),
    ],
)
def test_a_fault_is_logged_with_what_really_became_of_the_effect(
    server: Keyserver, admin: Client, kind: FaultKind, outcome: str, status: int | None, done: bool, answered: bool
) -> None:
    server.fail(Operation.MINT, kind)
    if answered:
        admin.mint(mark="rot-1")
    else:
        with pytest.raises(ConnectionError):
            admin.mint(mark="rot-1")
    (record,) = server.log
    assert (record.fault, record.outcome, record.status, record.mark) == (kind, outcome, status, "rot-1")
    assert (record.done_at is not None, record.answered_at is not None) == (done, answered)
    assert (record.key_id is not None) == done == bool(server.live("svc"))


def test_seeding_control_and_what_python_does_are_not_in_the_log(server: Keyserver, admin: Client) -> None:
    key_id, _ = server.seed_key("svc")
    server.tell(latency=0.0)
    server.delete_key("svc", key_id)
    admin.call("GET", "/control/behaviour")
    admin.call("GET", "/control/log")
    assert len(server.log) == 0


def test_no_secret_gets_into_the_log(server: Keyserver, admin: Client) -> None:
    chosen = "chosen-by-the-caller-0123456789"
    minted = [admin.mint(mark="rot-1").body["secret"], admin.mint(secret=chosen).body["secret"]]
    admin.mint(secret=chosen)
    for secret in (*minted, "never-issued-0123456789", server.admin):
        call_as(server.url, secret)
    seen = repr(list(server.log)) + admin.call("GET", "/control/log").text
    for secret in (*minted, "never-issued-0123456789", server.admin):
        assert secret not in seen
        assert secret[-8:] not in seen


def test_records_and_what_was_read_do_not_change(server: Keyserver, admin: Client) -> None:
    admin.mint()
    before = server.log.since(0)
    admin.mint()
    assert (len(before), len(server.log)) == (1, 2)
    begun = iter(server.log)
    admin.mint()
    assert len(list(begun)) == 2
    with pytest.raises(FrozenInstanceError):
        next(iter(before)).status = 500  # type: ignore[misc]


def test_the_log_can_be_read_over_http_in_pages(admin: Client) -> None:
    for _ in range(5):
        admin.mint()
    page = admin.call("GET", "/control/log?after=1&limit=3").body
    assert ([record["seq"] for record in page["records"]], page["after"]) == ([2, 3, 4], 4)
    page = admin.call("GET", "/control/log?after=4").body
    assert ([record["seq"] for record in page["records"]], page["after"]) == ([5], None)
    assert page["records"][0]["operation"] == "mint"
    assert admin.call("GET", "/control/log?after=5").body == {"records": [], "after": None}
    assert admin.call("GET", "/control/log?after=x").status == 400


# -- figures ----------------------------------------------------------------------------------------------------------

CALL = Record(
    seq=1,
    received_at=NOW,
    done_at=NOW,
    answered_at=NOW,
    operation=Operation.RESOURCE,
    principal="svc",
    key_id="key-1",
    mark=None,
    outcome="ok",
    status=200,
    fault=None,
    caller="key-1",
    consumer="reader",
)
REFUSED = replace(CALL, outcome="invalid_key", status=401)


def log(*records: Record) -> Log:
    return Log(replace(record, seq=seq) for seq, record in enumerate(records, start=1))


def test_calls_are_counted_by_operation_from_any_point_on() -> None:
    mint = replace(CALL, operation=Operation.MINT, outcome="cap", status=409)
    seen = log(CALL, mint, CALL)
    assert seen.calls() == {Operation.RESOURCE: 2, Operation.MINT: 1}
    assert seen.since(2).calls() == {Operation.RESOURCE: 1}
    assert seen.since(3).calls() == {}


def test_mint_requests_are_counted_by_mark_lost_and_refused_ones_too() -> None:
    mint = replace(CALL, operation=Operation.MINT, mark="rot-1")
    lost = replace(mint, status=None, outcome="not_done", done_at=None, fault=FaultKind.LOSE_REQUEST)
    assert log(mint, lost, replace(mint, mark="rot-2"), replace(mint, mark=None), CALL).mint_requests() == {
        "rot-1": 2,
        "rot-2": 1,
        None: 1,
    }


def test_failed_resource_calls_are_counted_by_consumer() -> None:
    lost = replace(CALL, status=None, consumer="cacher")
    failed_mint = replace(REFUSED, operation=Operation.MINT)
    assert log(CALL, REFUSED, lost, lost, failed_mint).failed_resource_calls() == {"reader": 1, "cacher": 2}
    assert log(CALL, failed_mint).failed_resource_calls() == {}


def test_the_first_refusal_of_a_key_is_found_from_a_time_on_and_faults_do_not_count() -> None:
    seen = log(
        CALL,
        replace(REFUSED, done_at=NOW + 1),
        replace(REFUSED, done_at=NOW + 9),
        replace(REFUSED, done_at=NOW + 5),
        replace(CALL, done_at=NOW + 6),
        replace(REFUSED, done_at=NOW + 4, caller="key-2"),
        replace(REFUSED, done_at=None, outcome="not_done", fault=FaultKind.UNAUTHORIZED),
    )
    assert seen.first_refusal("key-1") == NOW + 1
    assert seen.first_refusal("key-1", since=NOW + 2) == NOW + 5
    assert seen.first_refusal("key-1", since=NOW + 10) is None
    assert seen.first_refusal("key-3") is None
    assert seen.last_use("key-1") == NOW + 6
    assert seen.last_use("key-2") is None
