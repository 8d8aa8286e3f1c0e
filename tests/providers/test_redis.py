"""What the driver of Redis does to users, passwords, files and sessions of a real server."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import NoPermissionError, WatchError
from rotator_redis import Redis

from rotator.sdk import (
    Ambiguous,
    Conflict,
    Denied,
    Failure,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Secret,
    SettingsError,
    Transient,
    Verdict,
)
from tests.providers.logins import ADMIN_PASSWORD, SECOND, TIMEOUT, held, login, mint, request, until
from tests.providers.redis_setup import RULES, Arena, alive, arena
from tests.servers import redis as servers
from tests.servers.half_way import RedisHalfWay, Refused
from tests.servers.process import reserved_port
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.real("Redis")


@pytest.fixture
def cache(redis_server: RedisServer) -> Arena:
    return arena(redis_server)


@pytest.fixture
def driver(cache: Arena) -> Redis:
    return cache.driver()


# -- what is made ------------------------------------------------------------------------------------------------------


def test_a_user_may_do_what_its_rules_say_and_nothing_that_it_could_before(cache: Arena, driver: Redis) -> None:
    cache.server.run("ACL", "SETUSER", "app_a", "on", ">by-hand", "~*", "&*", "+@all")
    minted = mint(driver, cache.principal)
    with closing(cache.log_in("app_a", minted.value.reveal("password"))) as session:
        session.set("app:one", "1")
        for refused in (("SET", "other", "1"), ("CONFIG", "GET", "*"), ("PUBLISH", "x", "y"), ("GET", "rotator")):
            with pytest.raises(NoPermissionError):
                session.execute_command(*refused)  # type: ignore[no-untyped-call]
    rules = cache.rules("app_a").partition(" (")[0].split()
    assert [rule for rule in rules if rule[0] in "#~&>"] == [f"#{_sha256(minted.value)}", "~app:*"]


def test_the_note_in_a_selector_lets_the_user_do_nothing(cache: Arena, driver: Redis) -> None:
    minted = mint(driver, cache.principal)
    [selector] = re.findall(r"\((.*?)\)", cache.rules("app_a"))
    pattern, *others = selector.split()
    assert others == ["resetchannels", "-@all"]
    assert pattern.startswith(f"%R~rotator/{minted.key_id.partition('@')[2]}/rot-")
    session = cache.log_in("app_a", minted.value.reveal("password"))
    with closing(session), pytest.raises(NoPermissionError):
        session.get(pattern.removeprefix("%R~"))


def test_scopes_of_the_request_come_before_the_principals_rules(cache: Arena, driver: Redis) -> None:
    expects = held(driver, cache.principal).id
    driver.mint(cache.principal, request(expects, scopes=("~only:*", "+get")))
    rules = cache.rules("app_a").partition(" (")[0]
    assert rules.endswith(" ~only:* resetchannels -@all +get")


def _sha256(value: Secret) -> str:
    return hashlib.sha256(value.reveal("password").encode()).hexdigest()


@pytest.mark.parametrize(
    "rule", ["on", ">secret", "#" + "a" * 64, "nopass", "reset", "(+get)", "+get +set", "", "resetpass", "+get\n+set"]
)
def test_a_rule_that_is_more_than_what_may_be_done_is_refused_before_anything_is_sent(cache: Arena, rule: str) -> None:
    nowhere = cache.driver(port=1)
    odd = Principal(name="app", settings={"users": ("app_a", "app_b"), "rules": ("+get", rule)})
    for call in (nowhere.capabilities, nowhere.keys, nowhere.check_admin):
        with pytest.raises(Permanent):
            call(odd)


def test_a_rule_that_the_server_does_not_know_changes_nothing(cache: Arena, driver: Redis) -> None:
    odd = Principal(name="app", settings={"users": ("app_a", "app_b"), "rules": ("+nosuchcommand",)})
    minted = mint(driver, cache.principal)
    with pytest.raises(Permanent, match="nosuchcommand"):
        driver.mint(odd, request(minted.key_id))
    assert held(driver, cache.principal).id == minted.key_id
    assert driver.verify(cache.principal, minted.value) is Verdict.WORKS


def test_without_any_rule_nothing_is_made(cache: Arena, driver: Redis) -> None:
    bare = Principal(name="app", settings={"users": ("app_a", "app_b")})
    with pytest.raises(Permanent, match="what the users may do"):
        mint(driver, bare)
    assert held(driver, bare).id == "app_a@absent"


@pytest.mark.parametrize("name", ["it's", "ü.ö", "UPPER", "back\\slash", "{curly}", "$(id)", "<b>x</b>", "*", "a'b\"c"])
def test_odd_names_are_users_like_any_other(cache: Arena, driver: Redis, name: str) -> None:
    principal = Principal(name="odd", settings={"users": (name, "app_b"), "rules": RULES})
    minted = mint(driver, principal, name)
    assert driver.verify(principal, minted.value) is Verdict.WORKS
    assert driver.identify(principal, minted.value) == minted.key_id
    driver.set_state(principal, minted.key_id, KeyState.DELETED)
    assert driver.verify(principal, minted.value) is Verdict.INVALID


@pytest.mark.parametrize(
    "users",
    [
        ("app_a",),
        ("app_a", "rotator"),
        ("app_a", "default"),
        ("app a", "b"),
        ("a@b", "c"),
        ("a\n", "b"),
        ("a" * 129, "b"),
    ],
)
def test_users_that_cannot_be_rotated_are_refused_before_anything_is_sent(cache: Arena, users: tuple[str, ...]) -> None:
    with pytest.raises(Permanent):
        cache.driver(port=1).keys(Principal(name="app", settings={"users": users, "rules": RULES}))


def test_a_minted_key_says_since_when_by_the_servers_clock(cache: Arena, driver: Redis) -> None:
    before = datetime.now(UTC)
    minted = mint(driver, cache.principal)
    assert minted.created_at is not None
    assert minted.created_at == held(driver, cache.principal).created_at
    assert before - SECOND <= minted.created_at <= datetime.now(UTC) + SECOND


# -- no clear password -------------------------------------------------------------------------------------------------


def test_no_password_is_in_the_servers_log_or_file_and_what_it_gets_is_a_hash(cache: Arena, driver: Redis) -> None:
    with cache.server.client() as client, client.monitor() as monitor:
        minted = mint(driver, cache.principal)
        password = minted.value.reveal("password")
        driver.verify(cache.principal, minted.value)
        driver.identify(cache.principal, minted.value)
        cache.server.run("ECHO", "the end")
        seen: list[str] = []
        while not seen or "the end" not in seen[-1]:
            seen.append(str(monitor.next_command()["command"]))
    file = (cache.server.directory / "users.acl").read_text()
    assert _sha256(minted.value) in file
    log = (cache.server.directory / "log").read_text()
    for text in (file, log, *seen):
        assert password not in text
        assert ADMIN_PASSWORD not in text


def test_no_command_of_the_clients_own_is_sent(cache: Arena, driver: Redis) -> None:
    """redis-py greets with CLIENT SETINFO, HELLO or PING, for which an admin would need more rights."""
    before = cache.server.info("commandstats")
    mint(driver, cache.principal)
    after = cache.server.info("commandstats")
    grown = {name for name in after if after[name]["calls"] != before.get(name, {"calls": 0})["calls"]}
    ours = {"auth", "time", "client|list", "acl|getuser", "config|get", "watch", "multi", "set", "acl|setuser", "exec"}
    ours |= {"client|kill", "acl|save"}
    assert grown - {"cmdstat_info", "cmdstat_client|setinfo"} == {f"cmdstat_{name}" for name in ours}


# -- sessions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_closing_a_slot_ends_its_sessions_and_no_others(cache: Arena, driver: Redis, state: KeyState) -> None:
    doomed, other = mint(driver, cache.principal, "app_a"), mint(driver, cache.principal, "app_b")
    sessions = [cache.log_in("app_a", doomed.value.reveal("password")) for _ in range(3)]
    bystander = cache.log_in("app_b", other.value.reveal("password"))
    driver.set_state(cache.principal, doomed.key_id, state)
    assert [alive(session) for session in sessions] == [False] * 3
    assert alive(bystander)
    driver.set_state(cache.principal, other.key_id, KeyState.ENABLED)
    assert alive(bystander)


def test_a_mint_ends_the_sessions_of_the_key_that_it_overwrites(cache: Arena, driver: Redis) -> None:
    old = mint(driver, cache.principal)
    outlived = cache.log_in("app_a", old.value.reveal("password"))
    new = mint(driver, cache.principal)
    assert not alive(outlived)
    session = cache.log_in("app_a", new.value.reveal("password"))
    driver.set_state(cache.principal, old.key_id, KeyState.DELETED)
    assert alive(session)


@pytest.mark.parametrize(
    "command",
    [
        ("HELLO", "3"),
        ("MULTI",),
        ("BLPOP", "queue", "0"),
        ("SUBSCRIBE", "news"),
        ("MONITOR",),
        ("PSYNC", "?", "-1"),
        ("CLIENT", "REPLY", "OFF"),
    ],
)
@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_a_session_ends_with_its_key_whatever_it_is_doing(
    cache: Arena, driver: Redis, command: tuple[str, ...], state: KeyState
) -> None:
    almighty = replace(cache.principal, settings={**cache.principal.settings, "rules": ("allkeys", "&*", "+@all")})
    minted = mint(driver, almighty)
    with half_way(cache, minted.value) as session:
        session.go_on()
        session.say(*command)
        until(lambda: doing(cache) == command[: 2 if command[0] == "CLIENT" else 1])
        driver.set_state(almighty, minted.key_id, state)
        assert session.closed()


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_a_login_that_was_half_way_when_the_key_died_is_refused(cache: Arena, driver: Redis, state: KeyState) -> None:
    minted = mint(driver, cache.principal)
    with half_way(cache, minted.value) as honest:
        honest.go_on()
        assert honest.alive()
    with half_way(cache, minted.value) as held_back:
        driver.set_state(cache.principal, minted.key_id, state)
        with pytest.raises(Refused, match="WRONGPASS"):
            held_back.go_on()


def doing(cache: Arena) -> tuple[str, ...]:
    with cache.server.client() as client:
        [session] = [each for each in client.client_list() if each["user"] == "app_a"]
    return tuple(session["cmd"].upper().split("|"))


def half_way(cache: Arena, value: Secret) -> RedisHalfWay:
    return RedisHalfWay(cache.server.host, cache.server.port, value.reveal("user"), value.reveal("password"))


def test_use_is_seen_while_a_session_is_open_and_what_clients_call_themselves_is_bounded(
    cache: Arena, driver: Redis
) -> None:
    minted = mint(driver, cache.principal)
    assert held(driver, cache.principal).last_used_at is None
    before = datetime.now(UTC)
    session = cache.log_in("app_a", minted.value.reveal("password"))
    cache.server.run("ACL", "SETUSER", "app_a", "+client")
    session.client_setname("billing-" + "w" * 200)
    used = held(driver, cache.principal)
    assert used.last_used_at is not None
    assert before - SECOND <= used.last_used_at <= datetime.now(UTC) + SECOND
    assert used.last_used_by.startswith("billing-")
    assert len(used.last_used_by) <= 80
    session.close()
    assert held(driver, cache.principal, "app_b").last_used_at is None


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_password_changed_by_hand_is_a_key_of_its_own_that_nothing_of_ours_touches(
    cache: Arena, driver: Redis
) -> None:
    minted = mint(driver, cache.principal)
    cache.server.run("ACL", "SETUSER", "app_a", "resetpass", ">ByHand4711")
    changed = held(driver, cache.principal)
    assert changed.id.startswith("app_a@changed-")
    assert (changed.state, changed.mark, changed.created_at) == (KeyState.ENABLED, None, None)
    assert driver.identify(cache.principal, login("app_a", "ByHand4711")) == changed.id
    assert driver.identify(cache.principal, minted.value) is None
    for state in KeyState:
        driver.set_state(cache.principal, minted.key_id, state)
    with pytest.raises(Conflict):
        driver.mint(cache.principal, request(minted.key_id))
    assert driver.verify(cache.principal, login("app_a", "ByHand4711")) is Verdict.WORKS
    driver.set_state(cache.principal, changed.id, KeyState.DELETED)
    assert driver.verify(cache.principal, login("app_a", "ByHand4711")) is Verdict.INVALID


def test_a_second_password_beside_ours_makes_it_no_key_of_ours(cache: Arena, driver: Redis) -> None:
    minted = mint(driver, cache.principal)
    cache.server.run("ACL", "SETUSER", "app_a", ">Besides4711")
    changed = held(driver, cache.principal)
    assert changed.id.startswith("app_a@changed-")
    for password in (minted.value.reveal("password"), "Besides4711"):
        assert driver.identify(cache.principal, login("app_a", password)) == changed.id
    driver.set_state(cache.principal, changed.id, KeyState.DELETED)
    assert driver.verify(cache.principal, minted.value) is Verdict.INVALID


def test_an_id_does_not_let_a_password_of_a_persons_be_guessed(cache: Arena, driver: Redis) -> None:
    seen = set()
    for _ in range(2):
        mint(driver, cache.principal)
        cache.server.run("ACL", "SETUSER", "app_a", "resetpass", ">letmein")
        seen.add(held(driver, cache.principal).id)
    assert len(seen) == 2


def test_a_user_that_was_there_before_is_unmanaged_through_its_whole_life(cache: Arena, driver: Redis) -> None:
    cache.server.run("ACL", "SETUSER", "app_a", "on", ">by hand ü", "+ping")
    value = login("app_a", "by hand ü")
    assert held(driver, cache.principal).id == "app_a@unmanaged"
    assert driver.identify(cache.principal, value) == "app_a@unmanaged"
    for state, verdict in ((KeyState.DISABLED, Verdict.NOT_YET), (KeyState.ENABLED, Verdict.WORKS)):
        driver.set_state(cache.principal, "app_a@unmanaged", state)
        assert (held(driver, cache.principal).id, held(driver, cache.principal).state) == ("app_a@unmanaged", state)
        assert driver.verify(cache.principal, value) is verdict
    driver.set_state(cache.principal, "app_a@unmanaged", KeyState.DELETED)
    assert held(driver, cache.principal).id.startswith("app_a@empty-")
    assert driver.verify(cache.principal, value) is Verdict.INVALID
    assert cache.rules("app_a").startswith("user app_a off ")


def test_a_disabled_user_is_not_dead_and_a_wrong_password_of_it_is_nobodys(cache: Arena, driver: Redis) -> None:
    minted = mint(driver, cache.principal)
    driver.set_state(cache.principal, minted.key_id, KeyState.DISABLED)
    assert driver.verify(cache.principal, minted.value) is Verdict.NOT_YET
    assert driver.verify(cache.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


def test_a_user_that_was_enabled_between_the_refusal_and_the_look_is_not_dead(
    cache: Arena, driver: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted = mint(driver, cache.principal)
    driver.set_state(cache.principal, minted.key_id, KeyState.DISABLED)
    look = driver._admin

    def enabled_meanwhile() -> object:
        cache.server.run("ACL", "SETUSER", "app_a", "on")
        return look()

    monkeypatch.setattr(driver, "_admin", enabled_meanwhile)
    assert driver.verify(cache.principal, minted.value) is Verdict.NOT_YET


def test_a_user_that_needs_no_password_is_a_living_key(cache: Arena, driver: Redis) -> None:
    cache.server.run("ACL", "SETUSER", "app_a", "on", "nopass")
    assert held(driver, cache.principal).state is KeyState.ENABLED
    assert driver.verify(cache.principal, login("app_a", "anything")) is Verdict.WORKS
    assert driver.identify(cache.principal, login("app_a", "anything")) is None
    minted = mint(driver, cache.principal)
    assert driver.verify(cache.principal, login("app_a", "anything")) is Verdict.INVALID
    assert driver.verify(cache.principal, minted.value) is Verdict.WORKS


@pytest.mark.parametrize("value", [Secret({"password": "x"}), login("a\0b", "x"), login("app_a", "")])
def test_a_value_that_is_no_login_is_refused_without_a_word_to_the_server(cache: Arena, value: Secret) -> None:
    nowhere = cache.driver(port=1)
    for call in (nowhere.verify, nowhere.identify):
        with pytest.raises(Permanent, match="no login"):
            call(cache.principal, value)


def test_a_name_that_no_user_can_have_is_nobodys(cache: Arena, driver: Redis) -> None:
    assert driver.verify(cache.principal, login("app a", "x")) is Verdict.INVALID


# -- others at the same user -------------------------------------------------------------------------------------------


def test_of_two_rotators_one_mints_into_the_slot(cache: Arena) -> None:
    drivers = [cache.driver(), cache.driver()]
    for _ in range(10):
        expects = held(drivers[0], cache.principal).id
        start = threading.Barrier(2)

        def attempt(driver: Redis, expects: str = expects, start: threading.Barrier = start) -> Minted | Failure:
            start.wait()
            try:
                return driver.mint(cache.principal, request(expects))
            except Failure as failure:
                return failure

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(attempt, drivers))
        [won] = [each for each in results if isinstance(each, Minted)]
        [lost] = [each for each in results if not isinstance(each, Minted)]
        assert isinstance(lost, Conflict)
        assert held(drivers[0], cache.principal).id == won.key_id


def test_a_rotator_that_was_stopped_between_look_and_change_loses(cache: Arena) -> None:
    """Its EXEC is held back; meanwhile another mints; what arrives late is refused by the watched key."""
    expects = held(cache.driver(), cache.principal).id
    with cache.server.client().pipeline() as late:
        late.watch("rotator:slot:app_a")  # type: ignore[no-untyped-call]
        winner = cache.driver().mint(cache.principal, request(expects))
        late.multi()
        late.set("rotator:slot:app_a", "late")
        late.execute_command("ACL", "SETUSER", "app_a", "reset")  # type: ignore[no-untyped-call]
        with pytest.raises(WatchError):
            late.execute()
    assert held(cache.driver(), cache.principal).id == winner.key_id


# -- lost requests and lost answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_a_mint_is_at_most_one_change_whatever_is_lost(cache: Arena, kind: Kind) -> None:
    landed = kind not in LOSES_THE_REQUEST
    fault = Fault(kind=kind, request=b"EXEC", response=b"OK" if landed else b"")

    def attempt(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, MintRequest, int]:
        wanted, before = request(held(cache.driver(), cache.principal).id), _changes(cache)
        with pytest.raises(Failure) as failed:
            cache.driver(port=proxy.port, timeout=timeout).mint(cache.principal, wanted)
        return failed.value, wanted, before

    failure, wanted, before = met(cache.server.host, cache.server.port, fault, attempt)
    assert type(failure) is Ambiguous
    assert _changes(cache) - before == (1 if landed else 0)
    assert held(cache.driver(), cache.principal).mark == (wanted.mark if landed else None)


@pytest.mark.parametrize("word", [b"AUTH", b"WATCH", b"MULTI", b"SETUSER", b"SAVE"])
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE, Kind.BLACKHOLE])
def test_a_mint_that_breaks_before_its_end_made_nothing_and_is_transient(cache: Arena, kind: Kind, word: bytes) -> None:
    empty = held(cache.driver(), cache.principal)
    before = _changes(cache)

    def attempt(proxy: FaultProxy, timeout: timedelta) -> None:
        with pytest.raises(Transient):
            cache.driver(port=proxy.port, timeout=timeout).mint(cache.principal, request(empty.id))

    met(cache.server.host, cache.server.port, Fault(kind=kind, request=word), attempt)
    assert _changes(cache) == before
    assert held(cache.driver(), cache.principal) == empty


def _changes(cache: Arena) -> int:
    """How often a user was set by anybody, counted by the server."""
    counted = cache.server.info("commandstats").get("cmdstat_acl|setuser", {"calls": 0})
    return int(counted["calls"])


def test_a_server_that_is_down_is_transient_to_every_call(cache: Arena) -> None:
    with reserved_port() as port:
        driver, value = cache.driver(port=port), login("app_a", "x")
        calls: list[Callable[[], object]] = [
            lambda: driver.check_admin(cache.principal),
            lambda: driver.keys(cache.principal),
            lambda: driver.mint(cache.principal, request("app_a@absent")),
            lambda: driver.verify(cache.principal, value),
            lambda: driver.identify(cache.principal, value),
            lambda: driver.set_state(cache.principal, "app_a@absent", KeyState.DELETED),
        ]
        for call in calls:
            with pytest.raises(Transient, match="nobody listens"):
                call()


def test_too_many_clients_say_nothing_of_the_key(cache: Arena, driver: Redis) -> None:
    minted = mint(driver, cache.principal)
    with cache.server.client() as client:
        client.config_set("maxclients", 1)
        try:
            with pytest.raises(Transient, match="max number of clients"):
                driver.verify(cache.principal, minted.value)
        finally:
            client.config_set("maxclients", 10000)


# -- what outlives the server ------------------------------------------------------------------------------------------


def test_every_change_is_in_the_file(cache: Arena, driver: Redis) -> None:
    file = cache.server.directory / "users.acl"
    minted = mint(driver, cache.principal)
    assert f"rotator/{minted.key_id.partition('@')[2]}/" in file.read_text()
    driver.set_state(cache.principal, minted.key_id, KeyState.DISABLED)
    assert "user app_a off" in file.read_text()
    driver.set_state(cache.principal, minted.key_id, KeyState.DELETED)
    assert "rotator/empty-" in file.read_text()
    cache.server.run("ACL", "LOAD")
    assert driver.verify(cache.principal, minted.value) is Verdict.INVALID
    assert held(driver, cache.principal).id.startswith("app_a@empty-")


def test_a_key_that_cannot_be_saved_is_ambiguous_and_its_deletion_is_saved_by_the_second_call(
    cache: Arena, driver: Redis
) -> None:
    wanted = request(held(driver, cache.principal).id)
    directory = cache.server.directory
    (directory / "users.acl").rename(directory / "aside")
    (directory / "users.acl").mkdir()  # a file cannot be renamed over it
    try:
        with pytest.raises(Ambiguous, match="not all that follows"):
            driver.mint(cache.principal, wanted)
        made = held(driver, cache.principal)
        with pytest.raises(Transient):
            driver.set_state(cache.principal, made.id, KeyState.DELETED)
    finally:
        (directory / "users.acl").rmdir()
        (directory / "aside").rename(directory / "users.acl")
    assert wanted.mark not in (directory / "users.acl").read_text()
    driver.set_state(cache.principal, made.id, KeyState.DELETED)
    assert "rotator/empty-" in (directory / "users.acl").read_text()


@pytest.mark.parametrize("persist", ["config", "none"])
def test_a_server_without_a_file_of_users_is_refused_unless_the_config_says_how(persist: str) -> None:
    server = servers.start(users_in_a_file=False)
    try:
        cache = arena(server)
        server.run("ACL", "SETUSER", "rotator", "+info", "+config|rewrite")
        for call in (
            lambda: mint(cache.driver(), cache.principal),
            lambda: cache.driver().check_admin(cache.principal),
        ):
            with pytest.raises(Permanent, match="memory alone") as alone:
                call()
            assert "persist" in alone.value.hint
        driver = cache.driver(persist=persist)
        driver.check_admin(cache.principal)
        minted = mint(driver, cache.principal)
        saved = "user app_a on" in (server.directory / "redis.conf").read_text()
        assert saved is (persist == "config")
        assert driver.verify(cache.principal, minted.value) is Verdict.WORKS
    finally:
        server.stop()


def test_a_replica_is_not_changed(cache: Arena, driver: Redis) -> None:
    expects = held(driver, cache.principal).id
    with reserved_port() as nobody, cache.server.client() as client:
        client.replicaof("127.0.0.1", nobody)
        try:
            with pytest.raises(Transient):
                driver.mint(cache.principal, request(expects))
        finally:
            client.replicaof("NO", "ONE")
    assert held(driver, cache.principal).id == expects


# -- the admin ---------------------------------------------------------------------------------------------------------


def test_what_the_driver_says_it_needs_is_enough_and_checking_changes_nothing(cache: Arena, driver: Redis) -> None:
    mint(driver, cache.principal)
    before = cache.server.run("ACL", "LIST")
    driver.check_admin(cache.principal)
    assert cache.server.run("ACL", "LIST") == before


@pytest.mark.parametrize(
    "rule",
    ["acl|setuser", "acl|getuser", "acl|save", "client|kill", "client|list", "watch", "multi", "exec", "set", "time"],
)
def test_each_right_is_needed_and_named_when_it_lacks(cache: Arena, driver: Redis, rule: str) -> None:
    minted = mint(driver, cache.principal)
    cache.server.run("ACL", "SETUSER", "rotator", f"-{rule}")
    with pytest.raises(Denied) as lacking:
        driver.check_admin(cache.principal)
    assert lacking.value.permission == f"+{rule}"
    if rule != "client|list":
        with pytest.raises(Denied):
            driver.set_state(cache.principal, minted.key_id, KeyState.DELETED)
    assert driver.verify(cache.principal, minted.value) is Verdict.WORKS
    cache.server.run(*lacking.value.hint.split())
    driver.check_admin(cache.principal)


def test_an_admin_without_our_keys_is_denied(cache: Arena, driver: Redis) -> None:
    cache.server.run("ACL", "SETUSER", "rotator", "resetkeys", "~other:*")
    with pytest.raises(Denied, match="watch"):
        driver.check_admin(cache.principal)
    with pytest.raises(Denied):
        mint(driver, cache.principal)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"user": None}, "user"),
        ({"host": None}, "host"),
        ({"port": 0}, "port"),
        ({"tls": "perhaps"}, "tls"),
        ({"ca": "/etc/ca.pem"}, "ca"),
        ({"tls": "verify-full", "ca": "/nowhere/ca.pem"}, "ca"),
        ({"persist": "maybe"}, "persist"),
        ({"hots": "x"}, "hots"),
    ],
)
def test_settings_are_read_strictly(changes: dict[str, object], about: str) -> None:
    with pytest.raises(SettingsError, match=about):
        Redis.from_settings("cache", {"host": "h", "user": "u", "tls": "off", **changes}, "x", TIMEOUT)


def test_it_reaches_its_server_and_the_file_of_its_authority() -> None:
    reach = Redis.reach({"host": "redis.internal", "user": "rotator", "ca": "/etc/ca.pem"})
    assert (reach.hosts, reach.paths) == (("redis.internal:6379",), ("/etc/ca.pem",))
