"""Opening a journal on PostgreSQL: made, migrated once, refused in two lines, and its password nowhere to be seen."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from rotator.adapters.journal import locks
from rotator.adapters.journal.errors import CannotOpen, InUse, Newer, NoJournalYet, NotAJournal, NotWritable, Older
from rotator.adapters.journal.migrating import upgrade_postgres
from rotator.adapters.journal.postgres import journal as on_postgresql
from rotator.adapters.journal.postgres.address import address_of
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import connect
from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.journal.postgres.opening import look_at, open_journal
from rotator.adapters.journal.version import HEAD
from rotator.adapters.machine import MachineClock
from rotator.app import journals
from rotator.domain.failures import Failure, Overtaken, Permanent, Transient
from rotator.testing.journal_contract.values import NOTHING, NOW, at_once, begun, noting, rotation
from tests.journal.older import CREDENTIALS, KEYS, ROLLBACK, ROTATIONS, first_rows
from tests.journal.on_postgres import REQUEST, end_sessions, opened, url_of
from tests.servers import Unavailable, postgres
from tests.servers.postgres import Database
from tests.servers.process import reserved_port


def open_at(url: str, password: Callable[[], str] | None = None) -> PostgresJournal:
    return open_journal(url, clock=DatabaseClock(MachineClock()), password=password, request=REQUEST)


def refused(kind: type[Failure], url: str, password: Callable[[], str] | None = None) -> Failure:
    """What opening it raises: two lines, without the password, in the form of all errors."""
    with pytest.raises(kind) as found:
        open_at(url, password).close()
    failure: Failure = found.value
    assert failure.hint
    for line in (failure.message, failure.hint):
        assert "\n" not in line
        assert not line.endswith(".")
    if password is not None:
        assert password() not in "".join(traceback.format_exception(failure))
    return failure


def made_role(database: Database, name: str, rights: str = "") -> Callable[[], str]:
    """A login of the test's own; its password."""
    database.execute(f"create role {name} login password 'its-own-word-0815' {rights}")
    return lambda: "its-own-word-0815"


@pytest.mark.parametrize(
    "url", ["postgresql://[::1/x", "postgresql://host:port/x", "postgresql://host/x?nosuch=1", "postgres://h/x?sslmode"]
)
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    assert "URL" in refused(CannotOpen, url).message


@pytest.mark.parametrize(
    "url", ["postgresql://rotator:sw0rdfish@db/rotator", "postgresql://rotator@db/rotator?password=sw0rdfish"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    failure = refused(CannotOpen, url, lambda: "sw0rdfish")
    assert "password" in failure.message
    assert "file:" in failure.hint


def test_the_environment_decides_nothing(postgres_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("PGPASSWORD", postgres_database.password),
        ("PGOPTIONS", "-c statement_timeout=1"),
        ("PGSSLMODE", "verify-full"),
        ("PGPASSFILE", "/nonexistent"),
    ):
        monkeypatch.setenv(name, value)
    opened(postgres_database).close()
    address = address_of(url_of(postgres_database, user="somebody"))
    assert address.parameters["sslmode"] == "prefer"
    assert address.parameters["passfile"] == "/dev/null/none"


def test_nothing_is_written_past_us(postgres_database: Database, capfd: pytest.CaptureFixture[str]) -> None:
    refused(CannotOpen, url_of(postgres_database))
    assert capfd.readouterr() == ("", "")


def test_tls_is_as_the_url_says(postgres_database: Database) -> None:
    failure = refused(CannotOpen, url_of(postgres_database, options="?sslmode=require"), lambda: "sw0rdfish")
    assert "TLS" in failure.message
    assert "sslmode" in failure.hint


def test_a_server_that_is_not_there_is_transient() -> None:
    with reserved_port() as port:
        failure = refused(Transient, f"postgresql://rotator@127.0.0.1:{port}/rotator")
    assert f"127.0.0.1:{port} cannot be reached: connection refused" in failure.message.replace("to server ", "")


def test_a_wrong_password_is_said(postgres_database: Database) -> None:
    assert (
        "refuses the password of test"
        in refused(CannotOpen, url_of(postgres_database), lambda: "not-the-password-4711").message
    )
    assert "password" in refused(CannotOpen, url_of(postgres_database)).message


def test_a_database_that_is_not_there_is_said(postgres_database: Database) -> None:
    url = url_of(postgres_database).replace(postgres_database.name, "nowhere")
    assert "has no database nowhere" in refused(NotAJournal, url, lambda: postgres_database.password).message


def test_a_user_without_the_right_to_make_tables_is_told_what_to_grant(postgres_database: Database) -> None:
    password = made_role(postgres_database, "poor")
    postgres_database.execute("revoke create on schema public from public")
    failure = refused(NotWritable, url_of(postgres_database, user="poor"), password)
    assert "may not make tables" in failure.message
    assert "CREATE SCHEMA AUTHORIZATION poor" in failure.hint
    postgres_database.execute("create schema authorization poor")
    with open_at(url_of(postgres_database, user="poor"), password) as journal:
        begun(journal)
    found = postgres_database.execute("select schemaname from pg_tables where tablename = 'rotation'")
    assert found == [["poor"]]


def test_a_user_who_may_only_read_may_look_and_not_open(postgres_database: Database) -> None:
    with opened(postgres_database) as journal:
        begun(journal)
    password = made_role(postgres_database, "reader")
    postgres_database.execute("grant select on all tables in schema public to reader")
    url = url_of(postgres_database, user="reader")
    refused(NotWritable, url, password)
    with look_at(url, clock=DatabaseClock(MachineClock()), password=password) as look:
        assert [row.id for row in look.open_rotations()] == ["r1"]


def test_a_standby_is_refused_and_may_be_looked_at() -> None:
    try:
        server = postgres.start(standby=True)
    except Unavailable as missing:
        pytest.skip(str(missing))
    try:
        database = server.maintenance
        failure = refused(NotWritable, url_of(database), lambda: database.password)
        assert "read-only standby" in failure.message
        assert "target_session_attrs" in failure.hint
        with pytest.raises(NoJournalYet):
            look_at(url_of(database), clock=DatabaseClock(MachineClock()), password=lambda: database.password)
    finally:
        server.stop()


def test_without_psycopg_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("rotator.adapters.journal.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("rotator.adapters.journal.postgres.opening", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CannotOpen, match="psycopg is not installed") as found:
        journals.postgres()
    assert "rotator[replicas]" in found.value.hint


def test_tables_of_another_application_are_refused_and_left_alone(postgres_database: Database) -> None:
    postgres_database.execute("create table alembic_version (version_num text)")
    postgres_database.execute(f"insert into alembic_version values ('{HEAD}')")
    failure = refused(NotAJournal, url_of(postgres_database), lambda: postgres_database.password)
    assert "another application" in failure.message
    assert postgres_database.execute("select count(*) from pg_tables where schemaname = 'public'") == [[1]]


def test_an_extension_is_no_other_application(postgres_database: Database) -> None:
    available = postgres_database.execute(
        "select count(*) from pg_available_extensions where name = 'pg_stat_statements'"
    )
    if available == [[0]]:
        pytest.skip("this PostgreSQL has no pg_stat_statements")
    postgres_database.execute("create extension pg_stat_statements")
    with opened(postgres_database) as journal:
        assert journal.rotations() == ()


def test_a_newer_journal_is_refused_and_stays_as_it_is(journal_database: Database) -> None:
    journal_database.execute("update alembic_version set version_num = '9999'")
    assert "9999" in refused(Newer, url_of(journal_database), lambda: journal_database.password).message
    assert journal_database.execute("select version_num from alembic_version") == [["9999"]]


def test_a_running_replica_that_lost_its_connection_does_not_write_into_a_newer_journal(
    journal_database: Database,
) -> None:
    with opened(journal_database) as journal:
        begun(journal)
        journal_database.execute("update alembic_version set version_num = '9999'")
        end_sessions(journal_database)
        with pytest.raises(Overtaken):
            journal.remember("a", "b")


def test_an_idle_replica_that_lost_its_connections_keeps_others_from_migrating_again(
    journal_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_postgresql, "HEARD", 0.0)
    with opened(journal_database) as journal:
        assert _running(journal_database) == 1
        end_sessions(journal_database)
        assert _running(journal_database) == 0
        journal.next_wake()
        assert _running(journal_database) == 1


def test_an_idle_replica_sees_that_a_newer_rotator_has_the_journal(
    journal_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_postgresql, "HEARD", 0.0)
    with opened(journal_database) as journal:
        journal_database.execute("update alembic_version set version_num = '9999'")
        end_sessions(journal_database)
        with pytest.raises(Overtaken):
            journal.next_wake()


def _running(database: Database) -> int:
    """How many say that they work with the journal."""
    of_this = "database = (select oid from pg_database where datname = current_database())"
    shared = f"classid = {locks.RUNNING} and mode = 'ShareLock' and locktype = 'advisory'"
    return len(database.execute(f"select 1 from pg_locks where {shared} and {of_this}"))


def test_a_look_makes_nothing_and_writes_nothing(postgres_database: Database) -> None:
    clock, url = DatabaseClock(MachineClock()), url_of(postgres_database)
    looking = partial(look_at, url, clock=clock, password=lambda: postgres_database.password)
    with pytest.raises(NoJournalYet):
        looking()
    assert postgres_database.execute("select count(*) from pg_tables where schemaname = 'public'") == [[0]]
    with opened(postgres_database) as journal:
        row = begun(journal)
        with looking() as look:
            assert [each.id for each in look.rotations()] == [row.id]
            assert look.credential(row.credential).fence == 1
            with pytest.raises(Transient, match="read-only"):
                look.remember("a", "b")


def test_the_password_is_asked_for_at_each_connection_and_kept_nowhere(postgres_database: Database) -> None:
    asked = []

    def password() -> str:
        asked.append(1)
        return postgres_database.password

    with open_at(url_of(postgres_database), password) as journal:
        begun(journal)
        before = len(asked)
        end_sessions(postgres_database)
        journal.rotations()
        assert len(asked) == before + 1
        seen = [repr(address_of(url_of(postgres_database), password)), repr(vars(journal)), repr(vars(journal._writer))]
        assert not any(postgres_database.password in text for text in seen)
        assert postgres_database.password not in Path("/proc/self/cmdline").read_text()


# -- migration ------------------------------------------------------------------------------------------------------


@pytest.fixture
def older(postgres_database: Database) -> Database:
    """A journal of the first schema, with open rotations in it."""
    address = address_of(url_of(postgres_database), lambda: postgres_database.password)
    with connect(address, REQUEST) as connection:
        upgrade_postgres(connection, lambda: True, "0001")
        for table, values in first_rows():
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join(f"%({name})s" for name in values)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    return postgres_database


def version(database: Database) -> object:
    return database.execute("select version_num from alembic_version")[0][0]


def test_an_older_journal_is_migrated_and_its_open_rotations_go_on(older: Database) -> None:
    assert version(older) == "0001"
    with opened(older) as journal:
        assert version(older) == HEAD
        assert journal.rotations() == tuple(reversed(ROTATIONS))
        assert journal.credentials() == CREDENTIALS
        assert journal.keys("full") == KEYS
        assert len(journal.events()) == len(journal.checkpoints()) == 1
        assert journal.recall("reconciled at") == "yesterday"
        claimed = journal.claim(owner="anna", now=NOW, lease=timedelta(seconds=60), limit=9)
        # By the database's clock, which is later: all of them are due, the most urgent first.
        assert [row.id for row in claimed] == ["r2", "r5", "r3"]
        assert journal.commit(claimed[-1], NOW, NOTHING, heed=True) == (ROLLBACK,)
        assert journal.commit(claimed[0], NOW, noting("goes_on")) == ()
        assert [each.event.action for each in journal.events("r2")] == ["mint", "goes_on"]
        assert not journal.begin(rotation("r6", "parked"), NOTHING)


def test_replicas_that_start_together_migrate_it_once_and_all_have_it(older: Database) -> None:
    journals = at_once([partial(opened, older)] * 4)
    assert all(isinstance(each, PostgresJournal) for each in journals), journals
    for journal in journals:
        assert len(journal.rotations()) == len(ROTATIONS)
        journal.close()


def test_replicas_that_start_together_on_an_empty_database_make_it_once(postgres_database: Database) -> None:
    journals = at_once([partial(opened, postgres_database)] * 4)
    assert all(isinstance(each, PostgresJournal) for each in journals), journals
    assert [each.begin(rotation("r1"), noting("begin")) for each in journals].count(True) == 1
    for journal in journals:
        journal.close()


def test_nothing_is_migrated_under_replicas_that_run_on_the_older_schema(older: Database) -> None:
    address = address_of(url_of(older), lambda: older.password)
    with connect(address, REQUEST) as running:
        from rotator.adapters.journal import locks

        running.execute(f"SELECT pg_advisory_lock_shared({locks.RUNNING}, 0)")  # as an older rotator does
        refused(InUse, url_of(older), lambda: older.password)
        assert version(older) == "0001"
    opened(older).close()
    assert version(older) == HEAD


def test_a_look_at_an_older_journal_says_so_and_migrates_nothing(older: Database) -> None:
    with pytest.raises(Older):
        look_at(url_of(older), clock=DatabaseClock(MachineClock()), password=lambda: older.password)
    assert version(older) == "0001"


def test_a_migration_that_fails_leaves_the_journal_as_it_was(older: Database) -> None:
    older.execute("create table rate_bucket (something text)")  # the last thing that the migration makes
    refused(Permanent, url_of(older), lambda: older.password)
    assert version(older) == "0001"
    older.execute("drop table rate_bucket")
    opened(older).close()
    assert version(older) == HEAD
