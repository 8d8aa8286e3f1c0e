"""Journals on a real PostgreSQL, also on one whose clock shows what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.journal.postgres.opening import open_journal
from rotator.adapters.machine import MachineClock
from rotator.domain.rotation import Rotation
from rotator.testing.journal_contract import SIGNER
from tests.servers.postgres import Database

REQUEST = timedelta(seconds=15)
CLOCK = """
create schema clock;
create table clock.shown (at timestamptz);
insert into clock.shown values (now());
create function clock.statement_timestamp() returns timestamptz stable language sql as 'select at from clock.shown'
"""


def url_of(database: Database, *, port: int | None = None, user: str | None = None, options: str = "") -> str:
    """Its URL as a config has it: without the password."""
    return f"postgresql://{user or database.user}@{database.host}:{port or database.port}/{database.name}{options}"


def opened(
    database: Database, *, port: int | None = None, request: timedelta = REQUEST, clock: DatabaseClock | None = None
) -> PostgresJournal:
    """Its journal."""
    clock = clock or DatabaseClock(MachineClock())
    url = url_of(database, port=port)
    return open_journal(url, clock=clock, password=lambda: database.password, signer=SIGNER, request=request)


def end_sessions(database: Database) -> None:
    """End every session but this one, and wait until they are gone."""
    database.execute(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )


def prepare(database: Database) -> None:
    """Make the tables, and a clock that can be set, which nobody asks yet."""
    opened(database).close()
    for statement in CLOCK.split(";\n"):
        database.execute(statement)


@contextmanager
def at_the_tests_time(database: Database) -> Iterator[Any]:
    """Its journal, where the database's clock shows what each call says that it is: the contract's times are fixed."""
    # Ours is found before the server's own, which is asked first only where nobody says when.
    database.execute(f"alter database {database.name} set search_path = public, clock, pg_catalog")
    with opened(database) as journal, closing(database.connect()) as connection:
        yield AtTheTestsTime(journal, Shown(connection.cursor()))


class Shown:
    """What the database's clock shows."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._lock = Lock()
        self._at: datetime | None = None

    def show(self, at: datetime) -> None:
        """Show this instant from now on."""
        with self._lock:
            if at != self._at:
                self._cursor.execute("update clock.shown set at = %s", (at,))
                self._at = at


class AtTheTestsTime:
    """Sets the clock before each call that says what time it is; `begin` says it by when the rotation started."""

    def __init__(self, journal: PostgresJournal, shown: Shown) -> None:
        self._journal = journal
        self._shown = shown

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._journal, name)

        def call(*given: Any, **named: Any) -> Any:
            times = [named.get("now"), *(each for each in given if isinstance(each, datetime))]
            times += [each.started_at for each in given if isinstance(each, Rotation) and name == "begin"]
            for at in filter(None, times):
                self._shown.show(at)
            return method(*given, **named)

        return call
