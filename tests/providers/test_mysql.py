"""What the driver of MariaDB does to accounts, passwords, notes and sessions of a real server."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from rotator_mysql import Mysql
from rotator_mysql.accounts import hashed

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
from tests.providers.logins import ADMIN_PASSWORD, SECOND, TIMEOUT, held, login, mint, request
from tests.providers.mysql_setup import Arena, alive, arena
from tests.servers.half_way import MariadbHalfWay, Refused
from tests.servers.mariadb import MariadbServer
from tests.servers.process import reserved_port
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

pytestmark = pytest.mark.real("MariaDB")


@pytest.fixture
def db(mariadb_server: MariadbServer) -> Arena:
    return arena(mariadb_server)


@pytest.fixture
def driver(db: Arena) -> Mysql:
    return db.driver()


@pytest.fixture
def proxy(db: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
    return fault_proxy(db.server.host, db.server.port)


def statements(db: Arena) -> str:
    """What the server was told, as it wrote it down."""
    return (db.server.directory / "statements").read_text(errors="replace")


# -- what is made ------------------------------------------------------------------------------------------------------


def test_no_password_is_in_the_servers_log_though_every_statement_is(db: Arena, driver: Mysql) -> None:
    before = len(statements(db))
    minted = mint(driver, db.principal)
    password = minted.value.reveal("password")
    driver.verify(db.principal, minted.value)
    driver.verify(db.principal, login("app_a", "Wrong" + password))
    driver.identify(db.principal, minted.value)
    for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        driver.set_state(db.principal, minted.key_id, state)
    log = statements(db)[before:]
    assert f"ALTER USER 'app_a'@'%' IDENTIFIED WITH mysql_native_password AS '{hashed(password)}'" in log
    assert password not in log
    assert ADMIN_PASSWORD not in log


def test_the_hash_is_the_servers_own(db: Arena) -> None:
    [[theirs]] = db.server.run("select password('Some0Password')")
    assert hashed("Some0Password") == theirs


def test_what_an_account_may_do_is_left_as_it_is(db: Arena, driver: Mysql) -> None:
    db.server.run("create database things")
    db.server.run("grant select on things.* to app_a@'%'")
    minted = mint(driver, db.principal)
    with closing(db.server.connect("app_a", minted.value.reveal("password"))) as session, session.cursor() as cursor:
        cursor.execute("show grants")
        assert "GRANT SELECT ON `things`.* TO `app_a`@`%`" in [row[0] for row in cursor.fetchall()]


def test_an_account_that_is_not_there_is_not_made_without_rights(db: Arena, driver: Mysql) -> None:
    db.server.run("drop user app_b@'%'")
    assert (held(driver, db.principal, "app_b").id, held(driver, db.principal, "app_b").live) == ("app_b@absent", False)
    with pytest.raises(Permanent, match="no account app_b") as missing:
        mint(driver, db.principal, "app_b")
    assert "CREATE USER 'app_b'@'%'" in missing.value.hint
    driver.set_state(db.principal, "app_b@absent", KeyState.DELETED)
    assert held(driver, db.principal, "app_b").id == "app_b@absent"


@pytest.mark.parametrize(
    "name", ["it's", "ü.ö", "UPPER", "back\\slash", "{curly}", "$(id)", "<b>x</b>", "%s", 'a"b`c', "a%"]
)
def test_odd_names_are_accounts_like_any_other(db: Arena, driver: Mysql, name: str) -> None:
    for each in (name, "bystander"):
        db.server.run("create user %s@'%%' account lock", each)
    principal = Principal(name="odd", settings={"users": (name, "app_b")})
    minted = mint(driver, principal, name)
    assert driver.verify(principal, minted.value) is Verdict.WORKS
    assert driver.identify(principal, minted.value) == minted.key_id
    session = db.server.connect(name, minted.value.reveal("password"))
    driver.set_state(principal, minted.key_id, KeyState.DELETED)
    assert not alive(session)
    assert driver.verify(principal, minted.value) is Verdict.INVALID
    assert db.priv("bystander")["authentication_string"] == ""


@pytest.mark.parametrize("users", [("app_a",), ("app_a", "rotator"), ("a@b", "c"), ("a\n", "b"), ("a" * 33, "b")])
def test_users_that_cannot_be_rotated_are_refused_before_anything_is_sent(db: Arena, users: tuple[str, ...]) -> None:
    with pytest.raises(Permanent):
        db.driver(port=1).keys(Principal(name="app", settings={"users": users}))


def test_accounts_of_one_name_and_two_hosts_are_two_slots(db: Arena, driver: Mysql) -> None:
    db.server.run("create user app_a@'127.0.0.1' account lock")
    near = Principal(name="near", settings={"users": ("app_a", "app_b"), "host": "127.0.0.1"})
    anywhere, here = mint(driver, db.principal), mint(driver, near)
    assert held(driver, db.principal).id == anywhere.key_id
    assert held(driver, near).id == here.key_id
    assert driver.verify(near, here.value) is Verdict.WORKS
    # the closer host is asked, so that the other's password does not work from here, and is not dead either
    assert driver.verify(db.principal, anywhere.value) is Verdict.NOT_YET


def test_a_minted_key_says_since_when_by_the_servers_clock(db: Arena, driver: Mysql) -> None:
    before = datetime.now(UTC)
    minted = mint(driver, db.principal)
    assert minted.created_at is not None
    assert minted.created_at == held(driver, db.principal).created_at
    assert before - SECOND <= minted.created_at <= datetime.now(UTC) + SECOND


# -- notes -------------------------------------------------------------------------------------------------------------


def test_each_account_has_one_note_however_often_it_changes(db: Arena, driver: Mysql) -> None:
    for _ in range(3):
        minted = mint(driver, db.principal)
        assert len(db.notes()) == 1
        driver.set_state(db.principal, minted.key_id, KeyState.DELETED)
        assert len(db.notes()) == 1
    assert db.notes()[0].startswith("rotator/empty-")


def test_a_note_whose_password_never_came_does_not_hide_the_key_that_is_there(
    db: Arena, driver: Mysql, proxy: FaultProxy
) -> None:
    minted = mint(driver, db.principal)
    proxy.inject(Fault(kind=Kind.RESET, request=b"ALTER USER"))
    with pytest.raises(Ambiguous):
        db.driver(port=proxy.port).mint(db.principal, request(minted.key_id))
    assert len(db.notes()) == 2
    assert held(driver, db.principal).id == minted.key_id
    again = mint(driver, db.principal)
    assert len(db.notes()) == 1
    assert held(driver, db.principal).id == again.key_id


def test_notes_that_are_lost_leave_an_unmanaged_key(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("delete from rotator.slots")
    found = held(driver, db.principal)
    assert found.id.startswith("app_a@unmanaged-")
    assert (found.state, found.mark) == (KeyState.ENABLED, None)
    assert driver.identify(db.principal, minted.value) == found.id


def test_without_the_table_every_call_says_so(db: Arena, driver: Mysql) -> None:
    db.server.run("drop table rotator.slots")
    for call in (driver.keys, driver.check_admin):
        with pytest.raises(Permanent, match="1146") as missing:
            call(db.principal)
        assert "table" in missing.value.hint


# -- sessions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_closing_a_slot_ends_its_sessions_and_no_others(db: Arena, driver: Mysql, state: KeyState) -> None:
    doomed, other = mint(driver, db.principal, "app_a"), mint(driver, db.principal, "app_b")
    sessions = [db.server.connect("app_a", doomed.value.reveal("password")) for _ in range(3)]
    bystander = db.server.connect("app_b", other.value.reveal("password"))
    driver.set_state(db.principal, doomed.key_id, state)
    assert db.sessions("app_a") == 0
    assert [alive(session) for session in sessions] == [False] * 3
    driver.set_state(db.principal, other.key_id, KeyState.ENABLED)
    assert alive(bystander)
    bystander.close()


def test_a_mint_ends_the_sessions_of_the_key_that_it_overwrites(db: Arena, driver: Mysql) -> None:
    old = mint(driver, db.principal)
    outlived = db.server.connect("app_a", old.value.reveal("password"))
    new = mint(driver, db.principal)
    assert not alive(outlived)
    with closing(db.server.connect("app_a", new.value.reveal("password"))) as session:
        driver.set_state(db.principal, old.key_id, KeyState.DELETED)
        assert alive(session)


def test_a_server_whose_logins_come_late_is_given_a_window(db: Arena) -> None:
    assert db.driver().capabilities(db.principal).login_window == timedelta(0)
    assert db.driver(login_window="4m").capabilities(db.principal).login_window == timedelta(minutes=4)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("ends", [KeyState.DISABLED, KeyState.DELETED, None])
def test_a_login_that_was_half_way_when_the_key_died_dies_with_it(
    db: Arena, driver: Mysql, ends: KeyState | None, named: bool
) -> None:
    """The server names it in its list before it reads the account, so that it is ended like a session."""
    minted = mint(driver, db.principal)
    address, password = (db.server.host, db.server.port), minted.value.reveal("password")
    with MariadbHalfWay(*address, "app_a", password, named=named) as honest:
        honest.go_on()
        assert honest.alive()
    with MariadbHalfWay(*address, "app_a", password, named=named) as held_back:
        if ends is None:
            driver.mint(db.principal, request(minted.key_id))
        else:
            driver.set_state(db.principal, minted.key_id, ends)
        with pytest.raises(Refused):
            held_back.go_on()


def test_use_is_seen_while_a_session_is_open(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    assert held(driver, db.principal).last_used_at is None
    before = datetime.now(UTC)
    with closing(db.server.connect("app_a", minted.value.reveal("password"))):
        used = held(driver, db.principal)
        assert used.last_used_at is not None
        assert before - SECOND <= used.last_used_at <= datetime.now(UTC) + SECOND
        assert used.last_used_by == "127.0.0.1"
        assert held(driver, db.principal, "app_b").last_used_at is None


def test_a_name_that_differs_in_case_alone_is_another_accounts(db: Arena, driver: Mysql) -> None:
    db.server.run("create user APP_A@'%%' identified by 'another'")
    bystander = db.server.connect("APP_A", "another")
    minted = mint(driver, db.principal)
    assert held(driver, db.principal).last_used_at is None
    driver.set_state(db.principal, minted.key_id, KeyState.DELETED)
    assert alive(bystander)
    bystander.close()


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_password_changed_by_hand_is_a_key_of_its_own_that_nothing_of_ours_touches(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("alter user app_a@'%%' identified by %s", "ByHand4711")
    changed = held(driver, db.principal)
    assert re.fullmatch("app_a@unmanaged-[0-9]{10}", changed.id)
    assert (changed.state, changed.mark) == (KeyState.ENABLED, None)
    assert driver.identify(db.principal, login("app_a", "ByHand4711")) == changed.id
    for state in KeyState:
        driver.set_state(db.principal, minted.key_id, state)
    with pytest.raises(Conflict):
        driver.mint(db.principal, request(minted.key_id))
    assert driver.verify(db.principal, login("app_a", "ByHand4711")) is Verdict.WORKS
    driver.set_state(db.principal, changed.id, KeyState.DELETED)
    assert driver.verify(db.principal, login("app_a", "ByHand4711")) is Verdict.INVALID


def test_an_account_that_was_there_before_is_unmanaged_through_its_whole_life(db: Arena, driver: Mysql) -> None:
    db.server.run("alter user app_a@'%%' identified by %s account unlock", "by hand ü")
    value = login("app_a", "by hand ü")
    found = held(driver, db.principal)
    assert driver.identify(db.principal, value) == found.id
    time.sleep(1.1)  # the server tells when a password was set in whole seconds
    for state, verdict in ((KeyState.DISABLED, Verdict.NOT_YET), (KeyState.ENABLED, Verdict.WORKS)):
        driver.set_state(db.principal, found.id, state)
        assert (held(driver, db.principal).id, held(driver, db.principal).state) == (found.id, state)
        assert driver.verify(db.principal, value) is verdict
    driver.set_state(db.principal, found.id, KeyState.DELETED)
    assert held(driver, db.principal).id.startswith("app_a@empty-")
    assert driver.verify(db.principal, value) is Verdict.INVALID


def test_an_account_with_a_second_way_in_holds_another_key_and_loses_it_by_a_mint(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    stored = hashed(minted.value.reveal("password"))
    db.server.run(f"alter user app_a@'%' identified via mysql_native_password using '{stored}' or unix_socket")
    assert held(driver, db.principal).id.startswith("app_a@unmanaged-")
    again = mint(driver, db.principal)
    assert "unix_socket" not in str(db.priv("app_a"))
    assert held(driver, db.principal).id == again.key_id


def test_an_account_that_needs_no_password_is_a_living_key(db: Arena, driver: Mysql) -> None:
    db.server.run("alter user app_a@'%' account unlock")
    assert held(driver, db.principal).state is KeyState.ENABLED
    minted = mint(driver, db.principal)
    assert driver.verify(db.principal, minted.value) is Verdict.WORKS


def test_an_expired_password_is_forbidden_and_a_mint_makes_it_fresh(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("alter user app_a@'%' password expire")
    assert driver.verify(db.principal, minted.value) is Verdict.FORBIDDEN
    again = mint(driver, db.principal)
    assert driver.verify(db.principal, again.value) is Verdict.WORKS


def test_a_password_that_something_else_keeps_out_is_not_dead(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("alter user app_a@'%' require ssl")
    assert driver.verify(db.principal, minted.value) is Verdict.NOT_YET
    assert driver.verify(db.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


def test_a_disabled_account_is_not_dead_and_a_wrong_password_of_it_is_nobodys(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    driver.set_state(db.principal, minted.key_id, KeyState.DISABLED)
    assert driver.verify(db.principal, minted.value) is Verdict.NOT_YET
    assert driver.verify(db.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


def test_an_account_that_is_asked_for_another_proof_says_nothing_of_a_password(db: Arena, driver: Mysql) -> None:
    db.server.run("alter user app_a@'%' identified via unix_socket account unlock")
    with pytest.raises(Denied, match="1698"):
        driver.verify(db.principal, login("app_a", "Anything1"))


def test_too_many_connections_say_nothing_of_the_key(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("alter user app_a@'%' with max_user_connections 1")
    session = db.server.connect("app_a", minted.value.reveal("password"))
    with closing(session), pytest.raises(Transient, match="1226"):
        driver.verify(db.principal, minted.value)


@pytest.mark.parametrize("value", [Secret({"password": "x"}), login("a\0b", "x"), login("app_a", "")])
def test_a_value_that_is_no_login_is_refused_without_a_word_to_the_server(db: Arena, value: Secret) -> None:
    nowhere = db.driver(port=1)
    for call in (nowhere.verify, nowhere.identify):
        with pytest.raises(Permanent, match="no login"):
            call(db.principal, value)


# -- others at the same account ----------------------------------------------------------------------------------------


def test_of_two_rotators_one_mints_into_the_slot(db: Arena) -> None:
    drivers = [db.driver(), db.driver()]
    for _ in range(10):
        expects = held(drivers[0], db.principal).id
        start = threading.Barrier(2)

        def attempt(driver: Mysql, expects: str = expects, start: threading.Barrier = start) -> Minted | Failure:
            start.wait()
            try:
                return driver.mint(db.principal, request(expects))
            except Failure as failure:
                return failure

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(attempt, drivers))
        [won] = [each for each in results if isinstance(each, Minted)]
        [lost] = [each for each in results if not isinstance(each, Minted)]
        assert isinstance(lost, Conflict | Transient)
        assert held(drivers[0], db.principal).id == won.key_id


def test_a_rotator_that_is_stopped_with_the_lock_loses_it_after_the_time_of_a_call(db: Arena) -> None:
    """The proxy keeps its ALTER USER back; the server ends the silent session, and what comes later is not heard."""
    expects = held(db.driver(), db.principal).id
    kept_back = Fault(kind=Kind.BLACKHOLE, request=b"ALTER USER")

    def stall(proxy: FaultProxy, timeout: timedelta) -> BaseException | None:
        with ThreadPoolExecutor(1) as threads:
            stalled = threads.submit(db.driver(port=proxy.port, timeout=timeout).mint, db.principal, request(expects))
            while not proxy.fired and not stalled.done():
                time.sleep(0.01)
            if proxy.fired:
                with pytest.raises(Transient, match="another rotator"):
                    db.driver().mint(db.principal, request(expects))
            return stalled.exception()

    assert type(met(db.server.host, db.server.port, kept_back, stall, shortest=4)) is Ambiguous
    deadline = time.monotonic() + 60
    while db.sessions("rotator"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    winner = db.driver().mint(db.principal, request(expects))
    assert held(db.driver(), db.principal).id == winner.key_id


# -- lost requests and lost answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_a_mint_is_at_most_one_change_whatever_is_lost(db: Arena, kind: Kind) -> None:
    def attempt(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, MintRequest, int]:
        wanted, before = request(held(db.driver(), db.principal).id), statements(db).count("ALTER USER")
        with pytest.raises(Failure) as failed:
            db.driver(port=proxy.port, timeout=timeout).mint(db.principal, wanted)
        return failed.value, wanted, before

    fault = Fault(kind=kind, request=b"ALTER USER")
    failure, wanted, before = met(db.server.host, db.server.port, fault, attempt)
    assert type(failure) is Ambiguous
    landed = kind not in LOSES_THE_REQUEST
    assert statements(db).count("ALTER USER") - before == (1 if landed else 0)
    assert held(db.driver(), db.principal).mark == (wanted.mark if landed else None)


@pytest.mark.parametrize("word", [b"SET SESSION", b"GET_LOCK", b"SELECT priv", b"INSERT INTO"])
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE, Kind.BLACKHOLE])
def test_a_mint_that_breaks_before_its_end_made_nothing_and_is_transient(db: Arena, kind: Kind, word: bytes) -> None:
    empty = held(db.driver(), db.principal)
    before = statements(db).count("ALTER USER")

    def attempt(proxy: FaultProxy, timeout: timedelta) -> None:
        with pytest.raises(Transient):
            db.driver(port=proxy.port, timeout=timeout).mint(db.principal, request(empty.id))

    met(db.server.host, db.server.port, Fault(kind=kind, request=word), attempt)
    assert statements(db).count("ALTER USER") == before
    now = held(db.driver(), db.principal)
    assert (now.state, now.mark) == (KeyState.DELETED, None)


def test_a_deletion_whose_answer_is_lost_has_its_sessions_ended_by_the_second_call(
    db: Arena, proxy: FaultProxy
) -> None:
    minted = mint(db.driver(), db.principal)
    session = db.server.connect("app_a", minted.value.reveal("password"))
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"ALTER USER"))
    with pytest.raises(Transient):
        db.driver(port=proxy.port).set_state(db.principal, minted.key_id, KeyState.DELETED)
    emptied = held(db.driver(), db.principal)
    assert emptied.state is KeyState.DELETED
    assert alive(session)
    db.driver().set_state(db.principal, minted.key_id, KeyState.DELETED)
    assert not alive(session)
    assert held(db.driver(), db.principal).id == emptied.id


def test_a_server_that_is_down_is_transient_to_every_call(db: Arena) -> None:
    with reserved_port() as port:
        driver, value = db.driver(port=port), login("app_a", "x")
        calls: list[Callable[[], object]] = [
            lambda: driver.check_admin(db.principal),
            lambda: driver.keys(db.principal),
            lambda: driver.mint(db.principal, request("app_a@unmanaged")),
            lambda: driver.verify(db.principal, value),
            lambda: driver.identify(db.principal, value),
            lambda: driver.set_state(db.principal, "app_a@unmanaged", KeyState.DELETED),
        ]
        for call in calls:
            with pytest.raises(Transient, match="nobody listens"):
                call()


def test_a_server_that_is_read_only_is_transient(db: Arena) -> None:
    expects = held(db.driver(), db.principal).id
    db.server.run("set global read_only = on")
    try:
        with pytest.raises(Transient, match="1290"):
            db.driver().mint(db.principal, request(expects))
    finally:
        db.server.run("set global read_only = off")


# -- the admin ---------------------------------------------------------------------------------------------------------


def accounts(db: Arena) -> object:
    return [db.server.run("select user, host, priv from mysql.global_priv order by user"), db.notes()]


def test_what_the_driver_says_it_needs_is_enough_and_checking_changes_nothing(db: Arena, driver: Mysql) -> None:
    mint(driver, db.principal)
    before = accounts(db)
    driver.check_admin(db.principal)
    driver.check_admin(db.principal)
    assert accounts(db) == before


@pytest.mark.parametrize(
    ("grant", "named"),
    [
        ("create user on *.*", "CREATE USER"),
        ("process on *.*", "PROCESS"),
        ("connection admin on *.*", "CONNECTION ADMIN"),
        ("insert on rotator.slots", "INSERT"),
        ("delete on rotator.slots", "DELETE"),
        ("select on rotator.slots", "SELECT"),
        ("select on mysql.global_priv", "SELECT"),
    ],
)
def test_each_grant_is_needed_and_named_when_it_lacks(db: Arena, driver: Mysql, grant: str, named: str) -> None:
    minted = mint(driver, db.principal)
    db.server.run(f"revoke {grant} from rotator@'%'")
    before = accounts(db)
    with pytest.raises(Denied) as lacking:
        driver.check_admin(db.principal)
    assert named in lacking.value.permission
    assert accounts(db) == before
    db.server.run(f"grant {grant} to rotator@'%'")
    driver.check_admin(db.principal)
    assert driver.verify(db.principal, minted.value) is Verdict.WORKS


def test_where_sessions_cannot_be_ended_a_living_key_is_not_overwritten(db: Arena, driver: Mysql) -> None:
    minted = mint(driver, db.principal)
    db.server.run("revoke connection admin on *.* from rotator@'%'")
    with closing(db.server.connect("app_a", minted.value.reveal("password"))) as session:
        with pytest.raises(Denied) as refused:
            driver.mint(db.principal, request(minted.key_id))
        assert refused.value.permission == "CONNECTION ADMIN"
        assert alive(session)
        assert held(driver, db.principal).id == minted.key_id
        with pytest.raises(Denied):
            driver.set_state(db.principal, minted.key_id, KeyState.DELETED)
        assert driver.verify(db.principal, minted.value) is Verdict.INVALID


def test_no_failure_shows_a_hash(db: Arena, driver: Mysql) -> None:
    expects = held(driver, db.principal).id
    db.server.run("revoke create user on *.* from rotator@'%'")
    with pytest.raises(Denied) as refused:
        driver.mint(db.principal, request(expects))
    assert not re.search(r"\*[0-9A-F]{40}", f"{refused.value.message} {refused.value.hint}")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"user": None}, "user"),
        ({"host": None}, "host"),
        ({"port": 0}, "port"),
        ({"tls": "perhaps"}, "tls"),
        ({"ca": "/etc/ca.pem"}, "ca"),
        ({"schema": "a`b"}, "schema"),
        ({"hots": "x"}, "hots"),
    ],
)
def test_settings_are_read_strictly(changes: dict[str, object], about: str) -> None:
    with pytest.raises(SettingsError, match=about):
        Mysql.from_settings("db", {"host": "h", "user": "u", "tls": "off", **changes}, "x", TIMEOUT)
