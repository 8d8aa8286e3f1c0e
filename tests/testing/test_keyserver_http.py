"""The keyserver's API on a real socket, every fault aside."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median
from urllib.parse import urlsplit

import pytest

from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, KeyState, Operation
from tests.testing.keyserver_client import Client, Time, call_as


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def server(clock: Time) -> Iterator[Keyserver]:
    with Keyserver(clock=clock) as server:
        yield server


@pytest.fixture
def admin(server: Keyserver) -> Iterator[Client]:
    with Client(server.url, server.admin) as admin:
        yield admin


def test_a_key_is_minted_used_disabled_enabled_and_deleted(server: Keyserver, admin: Client, clock: Time) -> None:
    minted = admin.mint(mark="rot-1", expires_in=3600, scopes=["resource.read"])
    assert minted.status == 201
    key_id, secret = minted.body["id"], minted.body["secret"]
    assert minted.body == {
        "id": key_id,
        "secret": secret,
        "slot": None,
        "mark": "rot-1",
        "created_at": datetime.fromtimestamp(clock.now, UTC).isoformat(),
        "expires_at": datetime.fromtimestamp(clock.now + 3600, UTC).isoformat(),
        "scopes": ["resource.read"],
    }
    assert call_as(server.url, secret) == 200
    assert admin.listed() == [
        {
            "id": key_id,
            "mark": "rot-1",
            "state": "enabled",
            "created_at": minted.body["created_at"],
            "created_by": "admin",
            "last_used_at": datetime.fromtimestamp(clock.now, UTC).isoformat(),
            "last_used_by": None,
            "expires_at": minted.body["expires_at"],
            "slot": None,
            "scopes": ["resource.read"],
            "hint": f"…{secret[-4:]}",
        }
    ]
    assert admin.set_state(key_id, "disabled").status == 200
    assert (call_as(server.url, secret), admin.listed()[0]["state"]) == (401, "disabled")
    assert admin.set_state(key_id, "enabled").status == 200
    assert (call_as(server.url, secret), admin.listed()[0]["state"]) == (200, "enabled")
    assert [admin.delete(key_id), admin.delete(key_id)] == [204, 404]
    assert (call_as(server.url, secret), admin.ids()) == (401, [])
    assert admin.set_state(key_id, "enabled").status == 404


def test_a_key_is_given_another_mark(server: Keyserver, admin: Client) -> None:
    made = admin.mint(mark="rot-1").body["id"]
    target = f"/principals/svc/keys/{made}"
    assert admin.call("PATCH", target, {"mark": "mine"}).status == 200
    assert [each["mark"] for each in admin.listed()] == ["mine"]
    assert admin.call("PATCH", target, {"mark": None}).status == 200
    assert [each["mark"] for each in admin.listed()] == [None]
    assert admin.call("PATCH", target, {}).status == 400
    admin.delete(made)
    assert admin.call("PATCH", target, {"mark": "mine"}).status == 404


def test_keys_of_admins_may_what_the_admin_may_until_they_die(server: Keyserver, admin: Client) -> None:
    key_id, secret = server.seed_key("ops")
    with Client(server.url, secret) as other:
        assert other.mint().status == 401
        server.tell(admins="ops")
        assert other.mint(mark="hers").status == 201
        assert admin.call("DELETE", f"/principals/ops/keys/{key_id}").status == 204
        assert other.mint().status == 401
    made = admin.call("GET", "/admin/made?since=0").body["made"]
    assert [(each["principal"], each["mark"], each["created_by"]) for each in made] == [("svc", "hers", key_id)]


def test_what_was_made_is_told_from_an_instant_on_dead_keys_too(admin: Client, clock: Time) -> None:
    dead = admin.mint().body["id"]
    admin.delete(dead)
    clock.now += 10
    late = admin.mint("other").body["id"]
    told = admin.call("GET", f"/admin/made?since={int(clock.now) - 11}").body["made"]
    assert [(each["id"], each["state"]) for each in told] == [(dead, "deleted"), (late, "enabled")]
    told = admin.call("GET", f"/admin/made?since={int(clock.now)}").body["made"]
    assert [each["id"] for each in told] == [late]


def test_the_resource_tells_invalid_from_forbidden(server: Keyserver) -> None:
    _, secret = server.seed_key("svc", scopes=("billing.read",))
    with Client(server.url, secret) as caller:
        assert caller.call("GET", "/resource").body == {"error": "forbidden"}
        assert caller.resource() == 403
        assert caller.call("GET", "/resource?scope=billing.read").body == {"ok": True}
    for wrong in ("never-issued", server.admin):
        with Client(server.url, wrong) as caller:
            assert caller.call("GET", "/resource").body == {"error": "invalid_key"}
            assert caller.resource() == 401
    with Client(server.url) as nobody:
        assert nobody.resource() == 401


def test_a_secret_says_whose_it_is_unless_the_service_was_told_not_to(server: Keyserver) -> None:
    key_id, secret = server.seed_key("team/svc 1")
    with Client(server.url, secret) as caller:
        assert caller.call("GET", "/whoami").body == {"id": key_id, "principal": "team/svc 1"}
        server.tell(identify=False)
        assert caller.call("GET", "/whoami").status == 404
    with Client(server.url, "never-issued") as stranger:
        server.tell(identify=True)
        assert stranger.call("GET", "/whoami").status == 401


@pytest.mark.parametrize("operation", ["mint", "list", "state", "delete", "check", "control"])
def test_what_needs_the_admin_secret_is_refused_without_it_and_changes_nothing(
    server: Keyserver, operation: str
) -> None:
    key_id, secret = server.seed_key("svc")
    calls = {
        "mint": ("POST", "/principals/svc/keys"),
        "list": ("GET", "/principals/svc/keys"),
        "state": ("POST", f"/principals/svc/keys/{key_id}/state"),
        "delete": ("DELETE", f"/principals/svc/keys/{key_id}"),
        "check": ("GET", "/admin/whoami"),
        "control": ("PATCH", "/control/behaviour"),
    }
    for wrong in (None, "wrong", secret, server.admin + "x"):
        with Client(server.url, wrong) as caller:
            method, path = calls[operation]
            refused = caller.call(method, path, {"state": "disabled"} if operation == "state" else {})
            assert (refused.status, refused.body) == (401, {"error": "unauthorized"})
    assert [(key.id, key.state) for key in server.live("svc")] == [(key_id, KeyState.ENABLED)]


def test_the_admin_secret_is_checked_without_changing_anything(server: Keyserver, admin: Client) -> None:
    key_id, _ = server.seed_key("svc")
    assert admin.call("GET", "/admin/whoami").status == 200
    assert [key.id for key in server.live("svc")] == [key_id]


def test_pages_are_followed_to_the_end(server: Keyserver, admin: Client) -> None:
    ids = [server.seed_key("svc")[0] for _ in range(5)]
    server.tell(page_size=2)
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = admin.call("GET", f"/principals/svc/keys?limit=3{after and f'&after={after}'}").body
        assert len(page["keys"]) <= 2
        found += [key["id"] for key in page["keys"]]
        after = page["after"]
    assert found == ids
    assert admin.call("GET", "/principals/svc/keys?after=key-of-nobody").body["error"] == "bad_cursor"
    assert admin.call("GET", "/principals/svc/keys?limit=many").body["error"] == "bad_request"


def test_what_the_service_was_told_not_to_have_it_refuses_or_drops(server: Keyserver, admin: Client) -> None:
    server.tell(marks=False, disable=False, expiry=False, last_used=False, cap=1)
    minted = admin.mint(mark="rot-1", expires_in=1).body
    assert call_as(server.url, minted["secret"]) == 200
    (key,) = admin.listed()
    assert (key["mark"], key["expires_at"], key["last_used_at"]) == (None, None, None)
    assert admin.set_state(key["id"], "disabled").status == 405
    full = admin.mint()
    assert (full.status, full.body["error"]) == (409, "cap")
    assert admin.ids() == [minted["id"]]


def test_windows_follow_the_given_clock_and_not_the_wall(server: Keyserver, admin: Client, clock: Time) -> None:
    server.tell(propagation=20.0, death=120.0, list_lag=30.0)
    minted = admin.mint().body
    with Client(server.url, minted["secret"]) as caller:
        assert (caller.resource(), admin.ids()) == (401, [])
        clock.pass_(20)
        assert (caller.resource(), admin.ids()) == (200, [])
        clock.pass_(10)
        assert admin.ids() == [minted["id"]]
        assert admin.delete(minted["id"]) == 204
        assert (caller.resource(), admin.ids()) == (200, [minted["id"]])
        clock.pass_(30)
        assert (caller.resource(), admin.ids()) == (200, [])
        clock.pass_(90)
        assert caller.resource() == 401


def test_of_many_mints_that_expect_the_same_of_a_slot_exactly_one_wins(server: Keyserver, admin: Client) -> None:
    server.tell(slots=("a", "b"))
    (tag,) = [key["id"].partition("@")[2] for key in admin.listed() if key["slot"] == "a"]
    ready = threading.Barrier(32)

    def mint(number: int) -> tuple[int, str]:
        with Client(server.url, server.admin) as caller:
            caller.call("GET", "/admin/whoami")
            ready.wait(timeout=60)
            minted = caller.mint(slot="a", expects=tag, fingerprint=f"f{number}", secret=f"secret-{number}")
            return minted.status, f"secret-{number}"

    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(mint, range(32)))
    assert sorted(status for status, _ in results) == [201] + [409] * 31
    accepted = [secret for _, secret in results if call_as(server.url, secret) == 200]
    assert accepted == [secret for status, secret in results if status == 201]
    assert len(server.live("svc")) == 1


def test_a_slot_is_minted_into_emptied_and_not_touched_by_its_old_tag(server: Keyserver, admin: Client) -> None:
    server.tell(slots=("a",))
    assert admin.mint(slot="a", fingerprint="f1").body["id"] == "a@f1"
    assert admin.mint(slot="a", fingerprint="f2", expects="f0").body == {"error": "slot_conflict"}
    assert admin.mint(slot="a", fingerprint="f2", expects="f1").status == 201
    assert admin.delete("a@f1") == 404
    assert [(key["id"], key["state"]) for key in admin.listed()] == [("a@f2", "enabled")]
    assert admin.delete("a@f2") == 204
    (emptied,) = admin.listed()
    assert emptied["state"] == "deleted"
    assert emptied["id"] not in {"a@f1", "a@f2"}
    assert admin.mint(slot="a", expects="f2").status == 409
    assert admin.mint(slot="a", expects=emptied["id"].partition("@")[2]).status == 201
    assert admin.mint().body == {"error": "slot_required"}
    assert admin.mint(slot="z").body == {"error": "no_such_slot"}


def test_in_place_a_mint_kills_the_old_key_at_once(server: Keyserver, admin: Client) -> None:
    server.tell(in_place=True)
    _, old = server.seed_key("svc")
    new = admin.mint().body
    assert (call_as(server.url, old), call_as(server.url, new["secret"])) == (401, 200)
    assert admin.ids() == [new["id"]]


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '{"mark": 1}',
        '{"mark": ""}',
        '{"mark": "two\\nlines"}',
        '{"expires_in": -1}',
        '{"expires_in": NaN}',
        '{"expires_in": "inf"}',
        '{"scopes": "resource.read"}',
        '{"secret": "with space"}',
        '{"secret": "\\u00fcmlaut"}',
        '{"colour": "red"}',
    ],
)
def test_a_mint_that_makes_no_sense_is_refused_and_mints_nothing(server: Keyserver, admin: Client, body: str) -> None:
    refused = admin.call("POST", "/principals/svc/keys", body)
    assert (refused.status, refused.body["error"]) == (400, "bad_request")
    assert server.live("svc") == ()
    assert admin.mint().status == 201


@pytest.mark.parametrize("body", ['{"state": "deleted"}', '{"state": "odd"}', "{}", '{"state": null}'])
def test_a_key_can_be_put_into_no_other_state(server: Keyserver, admin: Client, body: str) -> None:
    key_id, secret = server.seed_key("svc")
    assert admin.call("POST", f"/principals/svc/keys/{key_id}/state", body).status == 400
    assert call_as(server.url, secret) == 200


def test_an_answer_to_head_has_no_body(server: Keyserver) -> None:
    answer = raw(server, b"HEAD /resource HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405")
    assert answer.endswith(b"\r\n\r\n")


def test_what_is_not_there_is_404_and_a_wrong_method_names_the_right_ones(admin: Client) -> None:
    for path in ("/", "/nothing", "/principals/svc", "/principals//keys", "/control/nothing"):
        assert admin.call("GET", path).status == 404
    wrong = admin.call("PUT", "/principals/svc/keys")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, POST")


# -- the connection ---------------------------------------------------------------------------------------------------


def raw(server: Keyserver, *pieces: bytes) -> bytes:
    """Send pieces one by one; what comes back until the server closes."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_a_request_may_arrive_in_pieces(server: Keyserver) -> None:
    _, secret = server.seed_key("svc")
    request = f"GET /resource HTTP/1.1\r\nConnection: close\r\nAUTHORIZATION: bearer {secret}\r\n\r\n".encode()
    assert raw(server, request[:30], request[30:-2], request[-2:]).startswith(b"HTTP/1.1 200 OK")


def test_requests_that_arrive_at_once_are_answered_one_after_the_other(server: Keyserver) -> None:
    _, secret = server.seed_key("svc")
    server.fail(Operation.RESOURCE, FaultKind.SLOW, seconds=0.1)
    slow = f"GET /resource HTTP/1.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
    last = b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = raw(server, slow + last)
    assert 0 <= answer.find(b"200 OK") < answer.find(b"404 Not Found")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /resource HTTP/1.0\r\n\r\n", b"505"),
        (b"GET /resource HTTP/1.1\r\nX: " + b"x" * 40_000, b"431"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ],
)
def test_what_is_no_request_is_answered_and_closed(server: Keyserver, request_: bytes, status: bytes) -> None:
    answer = raw(server, request_)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in answer
    assert len(server.log) == 0


def test_answers_come_without_delay_over_a_connection_that_is_kept(admin: Client) -> None:
    def took() -> float:
        began = time.monotonic()
        assert admin.mint(mark="rot-1").status == 201
        return time.monotonic() - began

    # a delayed acknowledgement would cost each of them 40 ms; a busy machine keeps only some of them waiting
    assert median(took() for _ in range(50)) < 0.04


def test_slow_calls_on_many_connections_wait_at_the_same_time(server: Keyserver) -> None:
    _, secret = server.seed_key("svc")
    server.tell(latency=0.3)
    began = time.monotonic()
    with ThreadPoolExecutor(64) as threads:
        assert set(threads.map(lambda _: call_as(server.url, secret), range(64))) == {200}
    assert 0.3 <= time.monotonic() - began < 64 * 0.3 / 2


def test_the_effect_is_on_arrival_however_slow_the_answer() -> None:
    with Keyserver(Behaviour(latency=0.2)) as server, Client(server.url, server.admin) as admin:
        assert admin.mint().status == 201
        (record,) = server.log
    assert record.done_at is not None
    assert record.answered_at is not None
    assert record.done_at - record.received_at < 0.2 <= record.answered_at - record.done_at


def test_stopping_drops_calls_under_way_and_gives_the_port_back_to_the_next_start() -> None:
    server = Keyserver(Behaviour(latency=30), admin="admin-of-a-test").start()
    url = server.url
    with Client(url, server.admin) as admin, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(admin.mint)
        until = time.monotonic() + 60
        while not server.live("svc") and time.monotonic() < until:
            time.sleep(0.01)
        server.stop()
        server.stop()
        assert isinstance(answer.exception(timeout=60), ConnectionError)
    assert not any(thread.name == "keyserver" and thread.is_alive() for thread in threading.enumerate())
    with pytest.raises(ConnectionRefusedError):
        call_as(url, "any")
    with server:
        server.tell(latency=0.0)
        assert server.url == url
        with Client(url, server.admin) as admin:
            assert len(admin.ids()) == 1
    for _ in range(20):
        server.start()
        server.stop()


def test_nobody_else_is_given_the_port_while_it_is_stopped() -> None:
    with Keyserver() as server:
        port = urlsplit(server.url).port or 0
        server.stop()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with pytest.raises(ConnectionRefusedError):
            call_as(server.url, "any")
        server.start()
        assert call_as(server.url, "any") == 401


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(server: Keyserver) -> None:
    with pytest.raises(OSError, match="in use"):
        Keyserver(port=urlsplit(server.url).port or 0).start()
    gc.collect()  # what was not closed would be complained of here
    assert call_as(server.url, "any") == 401


def test_a_key_can_be_deleted_behind_everybodys_back(server: Keyserver, admin: Client) -> None:
    key_id, secret = server.seed_key("svc")
    assert server.delete_key("svc", key_id)
    assert not server.delete_key("svc", key_id)
    assert (call_as(server.url, secret), admin.ids()) == (401, [])
