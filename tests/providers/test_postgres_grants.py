"""What the admin role must be allowed to do, before and after PostgreSQL 16, and what happens when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from pg8000.native import identifier

from rotator.sdk import Denied, KeyState, Principal, Verdict
from tests.providers.postgres_setup import ADMIN_PASSWORD, Arena, alive, arena, mint, request
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.real("PostgreSQL")


@pytest.fixture
def pg(each_postgres_server: PostgresServer) -> Iterator[Arena]:
    with arena(each_postgres_server) as made:
        yield made


def roles(pg: Arena) -> list[list[object]]:
    return pg.execute("select rolname, rolcanlogin, rolpassword, rolcreaterole from pg_authid order by rolname")


def test_what_the_driver_says_it_needs_is_enough(pg: Arena) -> None:
    driver = pg.driver()
    driver.check_admin(pg.principal)
    minted = mint(driver, pg.principal)
    driver.check_admin(pg.principal)
    session = pg.database.connect("app_a", minted.value.reveal("password"))
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert not alive(session)


def test_checking_changes_nothing(pg: Arena) -> None:
    mint(pg.driver(), pg.principal)
    before = roles(pg)
    pg.driver().check_admin(pg.principal)
    assert roles(pg) == before


def test_a_superuser_needs_no_grant(pg: Arena) -> None:
    pg.execute(f"create role root_like login superuser password '{ADMIN_PASSWORD}'")
    driver = pg.driver(user="root_like")
    driver.check_admin(pg.principal)
    minted = mint(driver, pg.principal)
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS


def test_everything_missing_is_named_and_the_hint_is_the_sql_that_gives_it(pg: Arena) -> None:
    pg.execute("create role app_a login password 'x'")
    pg.execute(f'create role "bare ""admin" login password \'{ADMIN_PASSWORD}\'')
    driver = pg.driver(user='bare "admin')
    before = roles(pg)
    with pytest.raises(Denied) as lacking:
        driver.check_admin(pg.principal)
    assert roles(pg) == before
    expected = ["CREATEROLE", "pg_signal_backend"]
    if pg.major >= 16:
        expected[1:1] = ["ADMIN OPTION on app_a", "ADMIN OPTION on app"]
    assert lacking.value.permission == ", ".join(expected)
    for statement in lacking.value.hint.split(";"):
        if statement.strip():
            pg.execute(statement)
    try:
        driver.check_admin(pg.principal)
        minted = mint(driver, pg.principal)
        driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    finally:
        bare = identifier('bare "admin')
        for statement in ("drop owned by app_a", "drop role app_a", f"drop owned by {bare}", f"drop role {bare}"):
            pg.execute(statement)


def test_an_admin_without_createrole_makes_nothing(pg: Arena) -> None:
    pg.execute("alter role rotator nocreaterole")
    before = roles(pg)
    with pytest.raises(Denied, match="42501"):
        pg.driver().mint(pg.principal, request("app_a@absent"))
    with pytest.raises(Denied, match="42501"):
        pg.driver().set_state(pg.principal, "app_a@absent", KeyState.DELETED)
    assert roles(pg) == before


def test_a_role_that_the_admin_has_no_power_over_is_left_as_it_is(pg: Arena) -> None:
    pg.execute("create role app_a login superuser password 'x'")
    before = roles(pg)
    with pytest.raises(Denied, match="42501"):
        pg.driver().mint(pg.principal, request("app_a@unmanaged"))
    with pytest.raises(Denied, match="superuser app_a") as lacking:
        pg.driver().check_admin(pg.principal)
    assert "NOSUPERUSER" in lacking.value.hint
    assert roles(pg) == before


def test_an_owner_that_the_admin_may_not_grant_stops_the_mint(pg: Arena) -> None:
    pg.execute("revoke app from rotator")
    if pg.major < 16:  # there CREATEROLE may grant every role
        pg.driver().check_admin(pg.principal)
        mint(pg.driver(), pg.principal)
        return
    before = roles(pg)
    with pytest.raises(Denied, match="ADMIN"):
        pg.driver().mint(pg.principal, request("app_a@absent"))
    with pytest.raises(Denied, match="ADMIN OPTION on app"):
        pg.driver().check_admin(pg.principal)
    assert roles(pg) == before


def test_an_owner_granted_by_somebody_else_needs_no_grant_of_ours(pg: Arena) -> None:
    pg.execute("create role app_a nologin in role app")
    pg.execute("create role app_b nologin in role app")
    if pg.major >= 16:
        pg.execute("grant app_a, app_b to rotator with admin option")
        pg.execute("revoke app from rotator")
    pg.driver().check_admin(pg.principal)
    minted = mint(pg.driver(), pg.principal)
    assert pg.driver().verify(pg.principal, minted.value) is Verdict.WORKS


def test_a_missing_owner_is_named(pg: Arena) -> None:
    ownerless = Principal(name="app", settings={"roles": ("app_a", "app_b"), "owner_role": "nobody_made_it"})
    with pytest.raises(Denied, match="the role nobody_made_it"):
        pg.driver().check_admin(ownerless)


def test_where_sessions_cannot_be_ended_the_password_is_dead_all_the_same(pg: Arena) -> None:
    driver = pg.driver()
    minted = mint(driver, pg.principal)
    pg.execute("revoke pg_signal_backend from rotator")
    session = pg.database.connect("app_a", minted.value.reveal("password"))
    with pytest.raises(Denied) as refused:
        driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert refused.value.permission == "pg_signal_backend"
    assert driver.verify(pg.principal, minted.value) is Verdict.INVALID
    assert pg.verifier("app_a") is None
    assert alive(session)
    pg.execute(refused.value.hint)
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert not alive(session)


def test_where_sessions_cannot_be_ended_a_living_key_is_not_overwritten(pg: Arena) -> None:
    driver = pg.driver()
    minted = mint(driver, pg.principal)
    pg.execute("revoke pg_signal_backend from rotator")
    with closing(pg.database.connect("app_a", minted.value.reveal("password"))):
        with pytest.raises(Denied) as refused:
            driver.mint(pg.principal, request(minted.key_id))
        assert refused.value.permission == "pg_signal_backend"
        assert pg.sessions("app_a") == 1
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS
