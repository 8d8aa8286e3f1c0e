"""What the driver of RabbitMQ does to users, permissions, tags and connections of a real server."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from rotator_rabbitmq import Rabbitmq

from rotator.sdk import (
    Ambiguous,
    Conflict,
    Denied,
    Failure,
    KeyState,
    Minted,
    Permanent,
    Principal,
    Secret,
    SettingsError,
    Transient,
    Verdict,
)
from tests.providers.logins import WRONG_PASSWORD, held, login, mint, request
from tests.providers.rabbitmq_setup import PERMISSIONS, TIMEOUT, Arena, arena
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met
from tests.servers.rabbitmq import RabbitmqServer, Refused

pytestmark = pytest.mark.real("RabbitMQ")


@pytest.fixture
def mq(rabbitmq_server: RabbitmqServer) -> Arena:
    return arena(rabbitmq_server)


@pytest.fixture
def driver(mq: Arena) -> Rabbitmq:
    return mq.driver()


@pytest.fixture
def proxy(mq: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
    return fault_proxy(mq.server.host, mq.server.port)


# -- what is made ------------------------------------------------------------------------------------------------------


def test_a_user_may_do_what_its_permissions_say_and_nothing_that_it_could_before(mq: Arena, driver: Rabbitmq) -> None:
    mq.server.ask("PUT", "vhosts", "other")
    mq.server.ask("PUT", "users", "app_a", body={"password": "by hand", "tags": "administrator"})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    for vhost in ("/", "other"):
        mq.server.ask("PUT", "permissions", vhost, "app_a", body=everything)
    minted = mint(driver, mq.principal)
    granted = [{"user": "app_a", "vhost": "/", "configure": "^app", "write": "^app", "read": ".*"}]
    assert mq.server.ask("GET", "users", "app_a", "permissions") == granted
    assert held(driver, mq.principal).grant == PERMISSIONS
    assert "administrator" not in mq.server.ask("GET", "users", "app_a")["tags"]
    mq.server.log_in("app_a", minted.value.reveal("password")).close()
    with pytest.raises(Refused):
        mq.server.log_in("app_a", minted.value.reveal("password"), "other")


def test_scopes_of_the_request_come_before_the_principals_permissions(mq: Arena, driver: Rabbitmq) -> None:
    driver.mint(mq.principal, request("app_a@absent", scopes=("/ ^$ ^$ ^only",)))
    assert held(driver, mq.principal).grant == ("/ ^$ ^$ ^only",)


def test_the_principals_tags_stand_beside_ours_through_the_whole_life(mq: Arena, driver: Rabbitmq) -> None:
    settings = {"users": ("app_a", "app_b"), "permissions": PERMISSIONS, "tags": ("monitoring", "team a")}
    principal = Principal(name="app", settings=settings)
    minted = mint(driver, principal)
    for state in (KeyState.DISABLED, KeyState.ENABLED):
        driver.set_state(principal, minted.key_id, state)
        assert mq.server.ask("GET", "users", "app_a")["tags"][:2] == ["monitoring", "team a"]
    assert driver.verify(principal, minted.value) is Verdict.WORKS
    driver.set_state(principal, minted.key_id, KeyState.DELETED)
    [left] = mq.server.ask("GET", "users", "app_a")["tags"]
    assert left.startswith("rotator/empty-")


@pytest.mark.parametrize("text", ["/ a b", "/ a b c d", "", "/  a b", "/ ( ^$ ^$", "nowhere .* .* .*"])
def test_a_permission_that_is_none_is_refused_and_no_key_is_made(mq: Arena, driver: Rabbitmq, text: str) -> None:
    odd = Principal(name="app", settings={"users": ("app_a", "app_b"), "permissions": (text,)})
    with pytest.raises(Permanent):
        mint(driver, odd)
    assert not held(driver, mq.principal).live


def test_without_any_permission_nothing_is_made(mq: Arena, driver: Rabbitmq) -> None:
    bare = Principal(name="app", settings={"users": ("app_a", "app_b")})
    with pytest.raises(Permanent, match="what the users may do"):
        mint(driver, bare)


@pytest.mark.parametrize("name", ["it's", "ü.ö", "a/b", "{curly}", "$(id)", "<b>x</b>", "a?b#c", "a%2Fb", "with blank"])
def test_odd_names_are_users_like_any_other(mq: Arena, driver: Rabbitmq, name: str) -> None:
    principal = Principal(name="odd", settings={"users": (name, "app_b"), "permissions": PERMISSIONS})
    minted = mint(driver, principal, name)
    assert driver.verify(principal, minted.value) is Verdict.WORKS
    assert driver.identify(principal, minted.value) == minted.key_id
    driver.set_state(principal, minted.key_id, KeyState.DELETED)
    assert driver.verify(principal, minted.value) is Verdict.INVALID


@pytest.mark.parametrize(
    "users", [("app_a",), ("app_a", "rotator"), ("a@b", "c"), ("a\n", "b"), ("a:b", "c"), ("..", "a")]
)
def test_users_that_cannot_be_rotated_are_refused(mq: Arena, driver: Rabbitmq, users: tuple[str, ...]) -> None:
    with pytest.raises(Permanent):
        driver.keys(Principal(name="app", settings={"users": users, "permissions": PERMISSIONS}))


def test_no_password_reaches_the_server_but_by_a_login(mq: Arena, driver: Rabbitmq) -> None:
    minted = mint(driver, mq.principal)
    password = minted.value.reveal("password")
    raw = base64.b64decode(mq.server.ask("GET", "users", "app_a")["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + password.encode()).digest()
    driver.set_state(mq.principal, minted.key_id, KeyState.DISABLED)
    log = (mq.server.directory / "log").read_text()
    assert password not in log
    assert password not in str(mq.server.ask("GET", "users"))


# -- connections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_closing_a_slot_ends_its_connections_and_no_others(mq: Arena, driver: Rabbitmq, state: KeyState) -> None:
    doomed, other = mint(driver, mq.principal, "app_a"), mint(driver, mq.principal, "app_b")
    wires = [mq.server.log_in("app_a", doomed.value.reveal("password")) for _ in range(2)]
    bystander = mq.server.log_in("app_b", other.value.reveal("password"))
    assert held(driver, mq.principal).last_used_by.startswith("127.0.0.1:")
    driver.set_state(mq.principal, doomed.key_id, state)
    assert [wire.closed() for wire in wires] == [True, True]
    assert held(driver, mq.principal).last_used_at is None
    assert held(driver, mq.principal, "app_b").last_used_at is not None
    assert bystander.is_open
    for wire in (*wires, bystander):
        wire.close()


def test_a_login_that_was_half_way_when_the_key_died_is_ended_by_the_next_deletion(mq: Arena, driver: Rabbitmq) -> None:
    minted = mint(driver, mq.principal)
    half_way = mq.server.half_way("app_a", minted.value.reveal("password"))
    driver.set_state(mq.principal, minted.key_id, KeyState.DELETED)
    assert driver.verify(mq.principal, minted.value) is Verdict.INVALID
    wire = mq.server.go_on(half_way)  # the broker asks for no password any more
    driver.set_state(mq.principal, minted.key_id, KeyState.DELETED)
    assert wire.closed()
    wire.close()


def test_the_window_is_as_long_as_the_broker_waits_for_a_login(mq: Arena) -> None:
    bare = Rabbitmq.from_settings("mq", {"base_url": "http://127.0.0.1:1", "user": "rotator"}, "x", TIMEOUT)
    assert bare.capabilities(mq.principal).login_window == timedelta(seconds=20)
    assert mq.driver(login_window="1m").capabilities(mq.principal).login_window == timedelta(minutes=1)


def test_a_mint_ends_the_connections_of_the_key_that_it_overwrites(mq: Arena, driver: Rabbitmq) -> None:
    old = mint(driver, mq.principal)
    wire = mq.server.log_in("app_a", old.value.reveal("password"))
    mint(driver, mq.principal)
    assert wire.closed()
    wire.close()


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_password_changed_by_hand_is_a_key_of_its_own_that_nothing_of_ours_touches(
    mq: Arena, driver: Rabbitmq
) -> None:
    minted = mint(driver, mq.principal)
    tags = ",".join(mq.server.ask("GET", "users", "app_a")["tags"])
    mq.server.ask("PUT", "users", "app_a", body={"password": "ByHand4711", "tags": tags})
    changed = held(driver, mq.principal)
    assert changed.id.startswith("app_a@changed-")
    assert (changed.state, changed.mark) == (KeyState.ENABLED, None)
    assert driver.identify(mq.principal, login("app_a", "ByHand4711")) == changed.id
    for state in KeyState:
        driver.set_state(mq.principal, minted.key_id, state)
    with pytest.raises(Conflict):
        driver.mint(mq.principal, request(minted.key_id))
    assert driver.verify(mq.principal, login("app_a", "ByHand4711")) is Verdict.WORKS
    driver.set_state(mq.principal, changed.id, KeyState.DELETED)
    assert driver.verify(mq.principal, login("app_a", "ByHand4711")) is Verdict.INVALID


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_user_that_was_there_before_is_unmanaged_through_its_whole_life(
    mq: Arena, driver: Rabbitmq, algorithm: str
) -> None:
    hashed = base64.b64encode(b"salt" + hashlib.new(algorithm, "saltby hand ü".encode()).digest()).decode()
    body = {"password_hash": hashed, "hashing_algorithm": f"rabbit_password_hashing_{algorithm}", "tags": "management"}
    mq.server.ask("PUT", "users", "app_a", body=body)
    value = login("app_a", "by hand ü")
    assert driver.verify(mq.principal, value) is Verdict.WORKS
    assert held(driver, mq.principal).id == "app_a@unmanaged"
    for state, verdict in ((KeyState.DISABLED, Verdict.NOT_YET), (KeyState.ENABLED, Verdict.WORKS)):
        driver.set_state(mq.principal, "app_a@unmanaged", state)
        assert (held(driver, mq.principal).id, held(driver, mq.principal).state) == ("app_a@unmanaged", state)
        assert driver.identify(mq.principal, value) == "app_a@unmanaged"
        assert driver.verify(mq.principal, value) is verdict
    driver.set_state(mq.principal, "app_a@unmanaged", KeyState.DELETED)
    assert driver.verify(mq.principal, value) is Verdict.INVALID


def test_a_user_is_known_with_and_without_a_tag_of_the_management_plugin(mq: Arena, driver: Rabbitmq) -> None:
    minted = mint(driver, mq.principal)
    for tags in ("", "management"):
        body = mq.server.ask("GET", "users", "app_a") | {"tags": tags}
        mq.server.ask("PUT", "users", "app_a", body=body)
        assert driver.verify(mq.principal, minted.value) is Verdict.WORKS
        assert driver.verify(mq.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


@pytest.mark.parametrize("value", [Secret({"password": "x"}), login("a\0b", "x"), login("app_a", "")])
def test_a_value_that_is_no_login_is_refused(driver: Rabbitmq, mq: Arena, value: Secret) -> None:
    for call in (driver.verify, driver.identify):
        with pytest.raises(Permanent, match="no login"):
            call(mq.principal, value)


def test_a_name_that_ends_at_a_colon_is_nobodys(driver: Rabbitmq, mq: Arena) -> None:
    minted = mint(driver, mq.principal)
    assert driver.verify(mq.principal, login("app_a:x", minted.value.reveal("password"))) is Verdict.INVALID


# -- others at the same user -------------------------------------------------------------------------------------------


def test_of_two_rotators_one_mints_into_the_slot(mq: Arena) -> None:
    drivers = [mq.driver(), mq.driver()]
    for _ in range(5):
        expects = held(drivers[0], mq.principal).id
        start = threading.Barrier(2)

        def attempt(driver: Rabbitmq, expects: str = expects, start: threading.Barrier = start) -> Minted | Failure:
            start.wait()
            try:
                return driver.mint(mq.principal, request(expects))
            except Failure as failure:
                return failure

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(attempt, drivers))
        [won] = [each for each in results if isinstance(each, Minted)]
        [lost] = [each for each in results if not isinstance(each, Minted)]
        assert isinstance(lost, Conflict)
        assert held(drivers[0], mq.principal).id == won.key_id


def test_a_lock_that_another_holds_is_waited_for_and_its_end_by_itself_frees_the_user(
    mq: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(mq, {"x-expires": 600_000, "x-message-ttl": 1})
    with hurried(monkeypatch), pytest.raises(Transient, match="another rotator"):
        mq.driver().mint(mq.principal, request("app_a@absent"))
    unlock(mq)
    lock(mq, {"x-expires": 1500, "x-message-ttl": 1})
    assert mint(mq.driver(), mq.principal).key_id == held(mq.driver(), mq.principal).id
    assert locks(mq) == []


def lock(mq: Arena, arguments: dict[str, int]) -> None:
    """As another rotator."""
    queue = {"durable": False, "auto_delete": False, "arguments": arguments}
    mq.server.ask("PUT", "queues", "rotator", "rotator.lock.app_a", body=queue)


def unlock(mq: Arena) -> None:
    """What the lock's own expiry does, if it is there."""
    with suppress(Refused):
        mq.server.ask("DELETE", "queues", "rotator", "rotator.lock.app_a")


@contextmanager
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time that a lock is waited for is over after three looks at the clock."""
    clock = SimpleNamespace(monotonic=count(0, TIMEOUT.total_seconds()).__next__, sleep=time.sleep)
    with monkeypatch.context() as patch:
        patch.setattr("rotator_rabbitmq.lock.time", clock)
        yield


def test_a_change_that_comes_too_late_is_not_sent(mq: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a stop of the process between the look and the change; the clock is moved in its place."""
    real, jump = time.monotonic, 0.0
    monkeypatch.setattr("rotator_rabbitmq.lock.time.monotonic", lambda: real() + jump)
    driver, before = mq.driver(), mq.server.requests("PUT", "/api/users/app_a")
    allow = driver._allow

    def stopped(*arguments: object) -> None:
        nonlocal jump
        allow(*arguments)  # type: ignore[arg-type]
        jump = 3 * TIMEOUT.total_seconds()

    monkeypatch.setattr(driver, "_allow", stopped)
    with pytest.raises(Transient, match="too long"):
        driver.mint(mq.principal, request("app_a@absent"))
    assert not held(mq.driver(), mq.principal).live
    assert mq.server.requests("PUT", "/api/users/app_a") - before == 1  # the empty user that it made


def test_a_lock_that_was_made_as_an_older_one_ended_is_ours_though_the_answer_says_that_it_was_there(
    mq: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server looks, the older one ends, ours is declared: 204. Here ours is there before the look."""
    monkeypatch.setattr("rotator_rabbitmq.lock.secrets.randbelow", lambda below: 7)
    lock(mq, {"x-expires": lifetime(TIMEOUT), "x-message-ttl": 7})
    minted = mint(mq.driver(), mq.principal)
    assert held(mq.driver(), mq.principal).id == minted.key_id
    assert locks(mq) == []


def locks(mq: Arena) -> list[str]:
    return [each["name"] for each in mq.server.ask("GET", "queues", "rotator")]


def lifetime(timeout: timedelta) -> int:
    """Milliseconds that a lock lives of a driver with this timeout."""
    return int(4000 * timeout.total_seconds()) + 1000


@pytest.mark.parametrize("kind", list(Kind))
def test_the_lock_stays_while_a_password_may_still_be_on_its_way_and_ends_by_itself(
    mq: Arena, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    mark = request("app_a@absent").mark

    def attempt(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, list[dict[str, Any]], timedelta]:
        unlock(mq)
        wanted = request(held(mq.driver(), mq.principal).id, mark=mark)
        with pytest.raises(Failure) as failed:
            mq.driver(port=proxy.port, timeout=timeout).mint(mq.principal, wanted)
        return failed.value, mq.server.ask("GET", "queues", "rotator"), timeout

    fault = Fault(kind=kind, request=mark.encode())
    failure, left, timeout = met(mq.server.host, mq.server.port, fault, attempt, shortest=3)
    assert type(failure) is Ambiguous
    assert [(each["name"], each["arguments"]["x-expires"]) for each in left] == [
        ("rotator.lock.app_a", lifetime(timeout))
    ]
    with hurried(monkeypatch), pytest.raises(Transient, match="another rotator"):
        mq.driver().set_state(mq.principal, "app_a@absent", KeyState.DELETED)
    unlock(mq)
    mint(mq.driver(), mq.principal)
    assert locks(mq) == []


def test_the_lock_is_given_back_when_the_slot_was_refused(mq: Arena) -> None:
    with pytest.raises(Conflict):
        mq.driver().mint(mq.principal, request("app_a@0123456789abcdef"))
    assert locks(mq) == []


# -- lost requests and lost answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_a_mint_is_at_most_one_request_whatever_is_lost(mq: Arena, kind: Kind) -> None:
    minted = mint(mq.driver(), mq.principal)
    mark = request(minted.key_id).mark

    def attempt(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, int]:
        unlock(mq)
        wanted = request(held(mq.driver(), mq.principal).id, mark=mark)
        before = mq.server.requests("PUT", "/api/users/app_a")
        with pytest.raises(Failure) as failed:
            mq.driver(port=proxy.port, timeout=timeout).mint(mq.principal, wanted)
        return failed.value, before

    fault = Fault(kind=kind, request=mark.encode())
    failure, before = met(mq.server.host, mq.server.port, fault, attempt, shortest=1)
    assert type(failure) is Ambiguous
    landed = kind not in LOSES_THE_REQUEST
    assert mq.server.requests("PUT", "/api/users/app_a") - before == (1 if landed else 0)
    assert (held(mq.driver(), mq.principal).mark == mark) is landed


@pytest.mark.parametrize("word", [b"PUT /api/queues", b"GET /api/users/app_a ", b"PUT /api/permissions"])
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE])
def test_a_mint_that_breaks_before_its_end_made_nothing_and_is_transient(
    mq: Arena, proxy: FaultProxy, kind: Kind, word: bytes
) -> None:
    driver = mq.driver()
    driver.set_state(mq.principal, "app_a@absent", KeyState.DELETED)
    empty = held(driver, mq.principal)
    proxy.inject(Fault(kind=kind, request=word, times=3))
    with pytest.raises(Transient):
        mq.driver(port=proxy.port).mint(mq.principal, request(empty.id))
    assert proxy.fired >= 1
    assert held(driver, mq.principal).id == empty.id
    unlock(mq)  # it may be left behind
    mint(mq.driver(), mq.principal)


def test_a_deletion_whose_answer_is_lost_has_its_connections_ended_by_the_second_call(
    mq: Arena, proxy: FaultProxy
) -> None:
    minted = mint(mq.driver(), mq.principal)
    wire = mq.server.log_in("app_a", minted.value.reveal("password"))
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"rotator/empty-"))
    with pytest.raises(Transient):
        mq.driver(port=proxy.port).set_state(mq.principal, minted.key_id, KeyState.DELETED)
    assert proxy.fired == 1
    unlock(mq)
    emptied = held(mq.driver(), mq.principal)
    assert (emptied.state, emptied.last_used_at is not None) == (KeyState.DELETED, True)
    mq.driver().set_state(mq.principal, minted.key_id, KeyState.DELETED)
    assert wire.closed()
    wire.close()
    assert held(mq.driver(), mq.principal).id == emptied.id


# -- the admin ---------------------------------------------------------------------------------------------------------


def world(mq: Arena) -> object:
    return [mq.server.ask("GET", *what) for what in (("users",), ("permissions",), ("vhosts",), ("queues", "rotator"))]


def test_what_the_driver_says_it_needs_is_enough_and_checking_changes_nothing(mq: Arena, driver: Rabbitmq) -> None:
    mint(driver, mq.principal)
    before = mq.server.ask("GET", "users"), mq.server.ask("GET", "permissions")
    driver.check_admin(mq.principal)
    assert (mq.server.ask("GET", "users"), mq.server.ask("GET", "permissions")) == before


@pytest.mark.parametrize("tags", ["management", "monitoring", "policymaker"])
def test_an_admin_that_is_no_administrator_is_named_and_changes_nothing(mq: Arena, driver: Rabbitmq, tags: str) -> None:
    minted = mint(driver, mq.principal)
    body = mq.server.ask("GET", "users", "rotator") | {"tags": tags}
    mq.server.ask("PUT", "users", "rotator", body=body)
    with pytest.raises(Denied) as lacking:
        driver.check_admin(mq.principal)
    assert "administrator" in lacking.value.permission
    for call in (
        lambda: driver.keys(mq.principal),
        lambda: driver.mint(mq.principal, request(minted.key_id)),
        lambda: driver.set_state(mq.principal, minted.key_id, KeyState.DELETED),
    ):
        with pytest.raises(Denied):
            call()
    assert driver.verify(mq.principal, minted.value) is Verdict.WORKS


@pytest.mark.parametrize("lacks", ["permission", "vhost"])
def test_an_admin_that_may_not_lock_is_named_and_changes_nothing(mq: Arena, driver: Rabbitmq, lacks: str) -> None:
    minted = mint(driver, mq.principal)
    mq.server.ask(
        "DELETE", *(("permissions", "rotator", "rotator") if lacks == "permission" else ("vhosts", "rotator"))
    )
    with pytest.raises(Denied, match="configure") as lacking:
        driver.check_admin(mq.principal)
    assert "set_permissions -p rotator rotator" in lacking.value.hint
    with pytest.raises((Denied, Permanent)):
        driver.mint(mq.principal, request(minted.key_id))
    assert held(driver, mq.principal).id == minted.key_id


def test_a_wrong_password_of_the_admins_is_denied_and_not_shown(mq: Arena) -> None:
    with pytest.raises(Denied) as refused:
        mq.driver(admin=WRONG_PASSWORD).check_admin(mq.principal)
    assert WRONG_PASSWORD not in f"{refused.value.message}{refused.value.hint}{refused.value!r}"


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"user": None}, "user"),
        ({"user": "a:b"}, "user"),
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://mq.internal:15672"}, "base_url"),
        ({"death_window": "soon"}, "death_window"),
        ({"lock_vhst": "x"}, "lock_vhst"),
    ],
)
def test_settings_are_read_strictly(changes: dict[str, object], about: str) -> None:
    settings = {"base_url": "https://mq.internal:15671", "user": "rotator", **changes}
    with pytest.raises(SettingsError, match=about):
        Rabbitmq.from_settings("mq", settings, "x", timedelta(seconds=5))
