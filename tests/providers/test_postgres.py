"""What the driver of PostgreSQL does to roles, passwords, comments and sessions of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pg8000.dbapi
import pg8000.native
import pytest
from pg8000.native import identifier
from rotator_postgres import Postgres

from rotator.sdk import Conflict, Denied, Key, KeyState, Permanent, Principal, Secret, Transient, Verdict
from tests.providers.logins import until
from tests.providers.postgres_setup import ADMIN_PASSWORD, Arena, alive, arena, mint, pg_hba, request
from tests.servers.half_way import PostgresHalfWay, Refused
from tests.servers.postgres import Database, PostgresServer


@pytest.fixture
def pg(postgres_server: PostgresServer) -> Iterator[Arena]:
    with arena(postgres_server) as made:
        yield made


@pytest.fixture
def driver(pg: Arena) -> Postgres:
    return pg.driver()


def held(driver: Postgres, pg: Arena, slot: str = "app_a") -> Key:
    """What the list shows of a slot."""
    [key] = [key for key in driver.keys(pg.principal) if key.slot == slot]
    return key


def log_in(pg: Arena, value: Secret) -> pg8000.dbapi.Connection:
    return pg.database.connect(value.reveal("user"), value.reveal("password"))


def login(user: str, password: str) -> Secret:
    return Secret({"user": user, "password": password})


# -- what is made ------------------------------------------------------------------------------------------------------


def test_what_one_role_makes_belongs_to_the_owner_and_the_other_role_may_change_it(pg: Arena, driver: Postgres) -> None:
    pg.execute("create schema things authorization app")
    first, second = mint(driver, pg.principal, "app_a"), mint(driver, pg.principal, "app_b")
    with closing(log_in(pg, first.value)) as session, closing(session.cursor()) as cursor:
        cursor.execute("create table things.made (n int)")
    assert pg.execute("select tableowner from pg_tables where tablename = 'made'") == [["app"]]
    with closing(log_in(pg, second.value)) as session, closing(session.cursor()) as cursor:
        cursor.execute("alter table things.made add column m int")


def test_a_role_is_made_without_any_power_of_its_own(pg: Arena, driver: Postgres) -> None:
    mint(driver, pg.principal)
    powers = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
    assert pg.execute(f"select {powers} from pg_roles where rolname = 'app_a'") == [[False] * 5 + [True]]


def test_without_an_owner_the_roles_are_left_to_themselves(pg: Arena, driver: Postgres) -> None:
    alone = Principal(name="app", settings={"roles": ("app_a", "app_b")})
    mint(driver, alone)
    assert pg.execute("select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member "
                      "where r.rolname = 'app_a'") == [[0]]  # fmt: skip
    assert pg.execute("select count(*) from pg_db_role_setting s join pg_roles r on r.oid = s.setrole "
                      "where r.rolname = 'app_a'") == [[0]]  # fmt: skip


def test_an_owner_that_does_not_exist_is_named_and_nothing_is_made(pg: Arena, driver: Postgres) -> None:
    ownerless = Principal(name="app", settings={"roles": ("app_a", "app_b"), "owner_role": "nobody_made_it"})
    with pytest.raises(Permanent, match="nobody_made_it") as missing:
        mint(driver, ownerless)
    assert "CREATE ROLE" in missing.value.hint
    assert pg.execute("select 1 from pg_roles where rolname = 'app_a'") == []


def test_a_minted_key_says_since_when_by_the_servers_clock(pg: Arena, driver: Postgres) -> None:
    before = datetime.now(UTC)
    minted = mint(driver, pg.principal)
    assert minted.created_at == held(driver, pg).created_at
    assert minted.created_at is not None
    assert before - timedelta(seconds=1) < minted.created_at < datetime.now(UTC) + timedelta(seconds=1)


def test_an_expiry_of_the_role_does_not_outlast_a_mint(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    pg.execute("alter role app_a valid until '2001-01-01'")
    assert driver.verify(pg.principal, minted.value) is Verdict.INVALID
    again = mint(driver, pg.principal)
    assert driver.verify(pg.principal, again.value) is Verdict.WORKS


def test_a_password_that_is_not_plain_is_refused_before_anything_is_sent(pg: Arena, driver: Postgres) -> None:
    wanted = request(held(driver, pg).id)
    for password in ("has a space", "ümlaut", "semi;colon", ""):
        odd = type(wanted)(
            mark=wanted.mark, fingerprint=wanted.fingerprint, slot=wanted.slot, expects=wanted.expects,
            chosen=Secret({"password": password}),
        )  # fmt: skip
        with pytest.raises(Permanent, match="letters and digits"):
            driver.mint(pg.principal, odd)
    assert held(driver, pg).state is KeyState.DELETED


def test_a_role_that_is_none_of_the_principals_is_neither_minted_nor_touched(pg: Arena, driver: Postgres) -> None:
    pg.execute("create role stranger login password 'x'")
    with pytest.raises(Permanent, match="none of the principal's roles"):
        driver.mint(pg.principal, request("stranger@unmanaged"))
    driver.set_state(pg.principal, "stranger@unmanaged", KeyState.DELETED)
    assert driver.verify(pg.principal, login("stranger", "x")) is Verdict.WORKS
    assert driver.identify(pg.principal, login("stranger", "x")) is None


@pytest.mark.parametrize(
    "name", ['Drop" role; --', "it's", "ä ö.ü", "UPPER", "back\\slash", "{curly}", "select", "%s :x $1"]
)
def test_names_with_odd_characters_are_quoted(pg: Arena, driver: Postgres, name: str) -> None:
    principal = Principal(name="odd", settings={"roles": (name, "app_b"), "owner_role": f"own {name}"})
    for made in (f"own {name}", "bystander"):
        pg.execute(f"create role {identifier(made)}")
    if pg.major >= 16:
        pg.execute(f"grant {identifier(f'own {name}')} to rotator with admin option")
    try:
        minted = mint(driver, principal, name)
        assert minted.key_id.startswith(f"{name}@")
        assert driver.verify(principal, minted.value) is Verdict.WORKS
        assert driver.identify(principal, minted.value) == minted.key_id
        session = log_in(pg, minted.value)
        with closing(session.cursor()) as cursor:
            cursor.execute("select session_user, current_user")
            assert list(cursor.fetchone()) == [name, f"own {name}"]
        driver.check_admin(principal)
        driver.set_state(principal, minted.key_id, KeyState.DISABLED)
        assert not alive(session)
        driver.set_state(principal, minted.key_id, KeyState.DELETED)
        assert driver.verify(principal, minted.value) is Verdict.INVALID
        assert pg.execute("select count(*) from pg_roles where rolname = 'bystander'") == [[1]]
    finally:
        for made in (name, f"own {name}"):
            pg.execute(f"drop role if exists {identifier(made)}")


# -- the comment -------------------------------------------------------------------------------------------------------


def test_somebodys_description_in_the_comment_is_kept(pg: Arena, driver: Postgres) -> None:
    text = 'Billing\'s "login" \\ do not touch\n\t[rotator of the wheel] 100% {x} $1 äöü'
    pg.execute("create role app_a nologin")
    if pg.major >= 16:
        pg.execute("grant app_a to rotator with admin option")
    with closing(pg.database.connect()) as session, closing(session.cursor()) as cursor:
        cursor.execute(f"comment on role app_a is {pg8000.native.literal(text)}")
    minted = mint(driver, pg.principal)
    for state in (KeyState.ENABLED, KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        driver.set_state(pg.principal, minted.key_id, state)
        assert pg.comment("app_a").startswith(text + " [rotator ")
    mint(driver, pg.principal)
    assert pg.comment("app_a").startswith(text + " [rotator ")
    assert pg.comment("app_a").count("[rotator ") == 2


def test_text_written_behind_our_note_is_kept_too(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    with closing(pg.database.connect()) as session, closing(session.cursor()) as cursor:
        cursor.execute(f"comment on role app_a is {pg8000.native.literal('before ' + pg.comment('app_a') + ' after')}")
    assert held(driver, pg).id == minted.key_id
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert pg.comment("app_a").startswith("before [rotator empty-")
    assert pg.comment("app_a").endswith("] after")


# -- no clear password -------------------------------------------------------------------------------------------------


def test_no_password_is_in_the_servers_log_though_every_statement_is(pg: Arena, driver: Postgres) -> None:
    for role in ("rotator", "app"):
        pg.execute(f"alter role {role} set log_statement = 'all'")
        pg.execute(f"alter role {role} set log_min_duration_statement = 0")
    before = len(pg.log())
    minted = mint(driver, pg.principal)
    password = minted.value.reveal("password")
    driver.verify(pg.principal, minted.value)
    driver.verify(pg.principal, login("app_a", "Wrong" + password))
    driver.identify(pg.principal, minted.value)
    for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        driver.set_state(pg.principal, minted.key_id, state)
        driver.verify(pg.principal, minted.value)
    log = pg.log()[before:]
    assert 'ALTER ROLE "app_a" LOGIN PASSWORD \'SCRAM-SHA-256$4096:' in log
    assert password not in log
    assert ADMIN_PASSWORD not in log


def test_every_mint_has_a_salt_of_its_own(pg: Arena, driver: Postgres) -> None:
    mint(driver, pg.principal)
    first = pg.verifier("app_a")
    mint(driver, pg.principal)
    second = pg.verifier("app_a")
    assert first is not None
    assert second is not None
    assert first.split("$")[:2] != second.split("$")[:2]


# -- sessions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_closing_a_slot_ends_its_sessions_and_no_others(pg: Arena, driver: Postgres, state: KeyState) -> None:
    doomed, other = mint(driver, pg.principal, "app_a"), mint(driver, pg.principal, "app_b")
    with closing(log_in(pg, other.value)) as bystander:
        sessions = [log_in(pg, doomed.value) for _ in range(3)]
        assert pg.sessions("app_a") == 3
        driver.set_state(pg.principal, doomed.key_id, state)
        assert pg.sessions("app_a") == 0
        assert [alive(session) for session in sessions] == [False] * 3
        assert alive(bystander)


def test_enabling_a_slot_ends_no_session(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    with closing(log_in(pg, minted.value)) as session:
        driver.set_state(pg.principal, minted.key_id, KeyState.ENABLED)
        assert alive(session)


def test_a_mint_ends_the_sessions_of_the_key_that_it_overwrites(pg: Arena, driver: Postgres) -> None:
    old = mint(driver, pg.principal)
    outlived = log_in(pg, old.value)
    new = mint(driver, pg.principal)
    assert not alive(outlived)
    with closing(log_in(pg, new.value)) as session:
        driver.set_state(pg.principal, old.key_id, KeyState.DELETED)
        assert alive(session)
    assert held(driver, pg).id == new.key_id


def test_a_mint_ends_a_session_that_began_while_it_waited_for_the_role(pg: Arena, driver: Postgres) -> None:
    old = mint(driver, pg.principal)
    waiting = "select count(*) from pg_stat_activity where usename = 'rotator' and wait_event_type = 'Lock'"
    with closing(pg.database.connect()) as person, closing(person.cursor()) as cursor, ThreadPoolExecutor(1) as threads:
        person.autocommit = False
        cursor.execute("alter role app_a login")
        minting = threads.submit(driver.mint, pg.principal, request(old.key_id))
        until(lambda: pg.execute(waiting) == [[1]])
        session = log_in(pg, old.value)
        person.rollback()
        new = minting.result()
    assert not alive(session)
    assert driver.verify(pg.principal, new.value) is Verdict.WORKS


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DELETED])
def test_a_login_that_had_its_challenge_when_the_key_died_is_refused(
    pg: Arena, driver: Postgres, state: KeyState
) -> None:
    """The server compares with the verifier that it read before, and looks anew whether the role may log in."""
    minted = mint(driver, pg.principal)
    with half_way(pg.database, minted.value) as honest:
        honest.go_on()
        assert honest.alive()
    with half_way(pg.database, minted.value) as held_back:
        driver.set_state(pg.principal, minted.key_id, state)
        with pytest.raises(Refused, match="not permitted to log in"):
            held_back.go_on()


def test_a_login_that_was_half_way_when_the_key_died_is_ended_by_the_next_deletion(pg: Arena, driver: Postgres) -> None:
    """It was let in, waits for its database, which somebody renames, and is listed as a session only then."""
    minted = mint(driver, pg.principal)
    waiting = "select count(*) from pg_locks where locktype = 'object' and not granted"
    with pg.server.database() as other, closing(pg.database.connect()) as person, closing(person.cursor()) as cursor:
        person.autocommit = False
        cursor.execute(f"alter database {other.name} rename to {other.name}_renamed")
        with half_way(other, minted.value) as held_back:
            held_back.finish()
            until(lambda: pg.execute(waiting) == [[1]])
            driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
            person.rollback()
            held_back.answered()
            assert driver.verify(pg.principal, minted.value) is Verdict.INVALID
            assert held_back.alive()
            driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
            assert not held_back.alive()


def half_way(database: Database, value: Secret) -> PostgresHalfWay:
    user, password = value.reveal("user"), value.reveal("password")
    return PostgresHalfWay(database.host, database.port, user, password, database.name)


def test_use_is_seen_while_a_session_is_open(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    assert held(driver, pg).last_used_at is None
    before = datetime.now(UTC)
    with closing(log_in(pg, minted.value)) as session, closing(session.cursor()) as cursor:
        cursor.execute("set application_name = 'billing-worker'")
        used = held(driver, pg)
        assert used.last_used_by == "billing-worker"
        assert used.last_used_at is not None
        assert before - timedelta(seconds=1) < used.last_used_at < datetime.now(UTC) + timedelta(seconds=1)
        assert held(driver, pg, "app_b").last_used_at is None
    until(lambda: pg.sessions("app_a") == 0)
    assert held(driver, pg).last_used_at is None


def test_what_clients_call_themselves_is_bounded(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    sessions = [log_in(pg, minted.value) for _ in range(6)]
    for number, session in enumerate(sessions):
        with closing(session.cursor()) as cursor:
            cursor.execute(f"set application_name = '{number}\x1b[31m{'long' * 20}'")
    shown = held(driver, pg).last_used_by
    assert len(shown) <= 80
    assert shown.isprintable()
    for session in sessions:
        session.close()


# -- roles that were there before, and people --------------------------------------------------------------------------


def made_by_hand(pg: Arena, attributes: str) -> None:
    pg.execute(f"create role app_a {attributes}")
    if pg.major >= 16:
        pg.execute("grant app_a to rotator with admin option")


def test_a_role_that_was_there_before_is_unmanaged_through_its_whole_life(pg: Arena, driver: Postgres) -> None:
    made_by_hand(pg, "login password 'by hand ü'")
    value = login("app_a", "by hand ü")
    found = held(driver, pg)
    assert (found.id, found.state, found.mark) == ("app_a@unmanaged", KeyState.ENABLED, None)
    assert driver.identify(pg.principal, value) == "app_a@unmanaged"
    assert driver.verify(pg.principal, value) is Verdict.WORKS
    for state, verdict in ((KeyState.DISABLED, Verdict.NOT_YET), (KeyState.ENABLED, Verdict.WORKS)):
        driver.set_state(pg.principal, found.id, state)
        assert (held(driver, pg).id, held(driver, pg).state) == ("app_a@unmanaged", state)
        assert driver.verify(pg.principal, value) is verdict
    driver.set_state(pg.principal, found.id, KeyState.DELETED)
    emptied = held(driver, pg)
    assert emptied.state is KeyState.DELETED
    assert emptied.id.startswith("app_a@empty-")
    assert driver.verify(pg.principal, value) is Verdict.INVALID
    assert pg.verifier("app_a") is None


def test_a_role_with_an_md5_password_is_identified_by_its_login(pg: Arena, driver: Postgres) -> None:
    pg.execute("set password_encryption = 'md5'; create role app_a login password 'old way'")
    with pg_hba(pg, "host all app_a 127.0.0.1/32 md5"):
        assert driver.identify(pg.principal, login("app_a", "old way")) == "app_a@unmanaged"
        assert driver.identify(pg.principal, login("app_a", "wrong way")) is None


def test_a_role_that_never_could_log_in_is_an_empty_slot(pg: Arena, driver: Postgres) -> None:
    made_by_hand(pg, "nologin in role app")
    assert (held(driver, pg).id, held(driver, pg).state) == ("app_a@unmanaged", KeyState.DELETED)
    minted = mint(driver, pg.principal)
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS


def test_an_admin_who_may_read_verifiers_sees_a_password_changed_by_hand(pg: Arena, driver: Postgres) -> None:
    pg.execute("grant select (rolname, rolpassword) on pg_authid to rotator")
    minted = mint(driver, pg.principal)
    assert held(driver, pg).id == minted.key_id
    pg.execute("alter role app_a password 'ByHand4711'")
    changed = held(driver, pg)
    assert changed.id.startswith("app_a@changed-")
    assert (changed.state, changed.mark) == (KeyState.ENABLED, None)
    assert driver.identify(pg.principal, login("app_a", "ByHand4711")) == changed.id
    for state in KeyState:
        driver.set_state(pg.principal, minted.key_id, state)
    with pytest.raises(Conflict):
        driver.mint(pg.principal, request(minted.key_id))
    assert driver.verify(pg.principal, login("app_a", "ByHand4711")) is Verdict.WORKS
    driver.set_state(pg.principal, changed.id, KeyState.DISABLED)
    assert (held(driver, pg).id, held(driver, pg).state) == (changed.id, KeyState.DISABLED)
    driver.set_state(pg.principal, changed.id, KeyState.DELETED)
    assert driver.verify(pg.principal, login("app_a", "ByHand4711")) is Verdict.INVALID


def test_an_admin_who_may_not_is_told_by_a_login_whose_password_it_is(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    pg.execute("alter role app_a password 'ByHand4711'")
    assert held(driver, pg).id == minted.key_id
    named = driver.identify(pg.principal, login("app_a", "ByHand4711"))
    assert named is not None
    assert named.startswith("app_a@changed-")
    assert driver.identify(pg.principal, minted.value) is None


def test_a_password_removed_by_hand_leaves_an_empty_slot_where_that_can_be_seen(pg: Arena, driver: Postgres) -> None:
    pg.execute("grant select (rolname, rolpassword) on pg_authid to rotator")
    minted = mint(driver, pg.principal)
    pg.execute("alter role app_a password null")
    assert (held(driver, pg).id, held(driver, pg).state) == (minted.key_id, KeyState.DELETED)
    again = mint(driver, pg.principal)
    assert driver.verify(pg.principal, again.value) is Verdict.WORKS


def test_a_password_that_somebody_put_into_an_empty_slot_is_not_ours_where_that_can_be_seen(
    pg: Arena, driver: Postgres
) -> None:
    pg.execute("grant select (rolname, rolpassword) on pg_authid to rotator")
    minted = mint(driver, pg.principal)
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    emptied = held(driver, pg)
    pg.execute("alter role app_a password 'ByHand4711'")
    assert held(driver, pg).id.startswith("app_a@changed-")
    assert held(driver, pg).state is KeyState.DISABLED
    with pytest.raises(Conflict):
        driver.mint(pg.principal, request(emptied.id))


def test_a_role_closed_or_opened_by_hand_shows_as_what_it_is(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    pg.execute("alter role app_a nologin")
    assert (held(driver, pg).id, held(driver, pg).state) == (minted.key_id, KeyState.DISABLED)
    pg.execute("alter role app_a login")
    assert held(driver, pg).state is KeyState.ENABLED
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    pg.execute("alter role app_a login")
    assert held(driver, pg).state is KeyState.ENABLED
    assert held(driver, pg).mark is None


# -- what a login proves -----------------------------------------------------------------------------------------------


def test_a_disabled_role_tells_its_right_password_from_a_wrong_one_so_it_is_not_dead(
    pg: Arena, driver: Postgres
) -> None:
    minted = mint(driver, pg.principal)
    driver.set_state(pg.principal, minted.key_id, KeyState.DISABLED)
    assert driver.verify(pg.principal, minted.value) is Verdict.NOT_YET
    assert driver.verify(pg.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


def test_a_role_that_may_not_connect_to_the_database_is_forbidden(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    pg.execute(f"revoke connect on database {pg.database.name} from public")
    pg.execute(f"grant connect on database {pg.database.name} to rotator")
    assert driver.verify(pg.principal, minted.value) is Verdict.FORBIDDEN
    assert driver.verify(pg.principal, login("app_a", "SomethingElse1")) is Verdict.INVALID


def test_too_many_connections_say_nothing_of_the_key(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    pg.execute("alter role app_a connection limit 0")
    with pytest.raises(Transient, match="53300"):
        driver.verify(pg.principal, minted.value)
    with pytest.raises(Transient, match="53300"):
        driver.identify(pg.principal, minted.value)


def test_a_role_that_nobody_made_has_no_password(pg: Arena, driver: Postgres) -> None:
    assert driver.verify(pg.principal, login("app_b", "Anything1")) is Verdict.INVALID
    assert driver.identify(pg.principal, login("app_b", "Anything1")) is None


@pytest.mark.parametrize("value", [Secret({"password": "x"}), Secret({"user": "a\0database\0b", "password": "x"})])
def test_a_value_that_is_no_login_is_refused_without_a_word_to_the_server(pg: Arena, value: Secret) -> None:
    nowhere = pg.driver(port=1)
    with pytest.raises(Permanent, match="no login"):
        nowhere.verify(pg.principal, value)
    with pytest.raises(Permanent, match="no login"):
        nowhere.identify(pg.principal, value)


def test_a_database_that_is_not_there_is_permanent(pg: Arena) -> None:
    lost = pg.driver(database="nobody_made_it")
    with pytest.raises(Permanent, match="nobody_made_it"):
        lost.keys(pg.principal)


# -- pg_hba.conf -------------------------------------------------------------------------------------------------------


def test_where_anybody_is_let_in_nothing_is_proven(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    wrong = login("app_a", "SomethingElse1")
    with pg_hba(pg, "host all app_a 127.0.0.1/32 trust"):
        for value in (minted.value, wrong):
            with pytest.raises(Denied, match="without a password"):
                driver.verify(pg.principal, value)
            assert driver.identify(pg.principal, value) is None
    assert driver.verify(pg.principal, wrong) is Verdict.INVALID


def test_where_nobody_is_let_in_nothing_is_dead(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    with pg_hba(pg, "host all app_a 127.0.0.1/32 reject"):
        for value in (minted.value, login("app_a", "SomethingElse1")):
            with pytest.raises(Denied, match="28000") as refused:
                driver.verify(pg.principal, value)
            assert "pg_hba.conf" in refused.value.hint
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS


def test_a_password_in_clear_text_is_not_sent_to_a_server_that_is_not_proven(pg: Arena, driver: Postgres) -> None:
    minted = mint(driver, pg.principal)
    with pg_hba(pg, "host all app_a,rotator 127.0.0.1/32 password"):
        with pytest.raises(Denied, match="clear text"):
            driver.verify(pg.principal, minted.value)
        with pytest.raises(Denied, match="clear text"):
            driver.keys(pg.principal)


def test_an_admin_who_is_not_let_in_is_denied(pg: Arena, driver: Postgres) -> None:
    with pg_hba(pg, "host all rotator 127.0.0.1/32 reject"):
        with pytest.raises(Denied, match="28000"):
            driver.keys(pg.principal)
        with pytest.raises(Denied, match="28000"):
            driver.check_admin(pg.principal)
