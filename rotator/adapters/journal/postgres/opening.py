"""Opens a journal on PostgreSQL: makes it where there is none, migrates an older one, refuses what is none of ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import psycopg

from rotator.adapters.journal import locks
from rotator.adapters.journal.errors import InUse, Newer, NoJournalYet, NotAJournal, Older
from rotator.adapters.journal.postgres import errors
from rotator.adapters.journal.postgres.address import Address, address_of, shown
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import Connection, connect
from rotator.adapters.journal.postgres.journal import PostgresJournal
from rotator.adapters.journal.postgres.readers import Readers
from rotator.adapters.journal.postgres.session import NOW, PostgresSession
from rotator.adapters.journal.postgres.version import version_of
from rotator.adapters.journal.version import HEAD, may_go_on, overtaken
from rotator.adapters.journal.writer import Writer
from rotator.domain.trail import Signer

MIGRATING = timedelta(minutes=10)
"""How long a migration may take, and who waits for it."""


def open_journal(
    url: str,
    *,
    clock: DatabaseClock,
    password: Callable[[], str] | None = None,
    signer: Signer | None = None,
    request: timedelta = timedelta(seconds=15),
) -> PostgresJournal:
    """Open the journal at `postgresql://USER@HOST/DATABASE`.

    `password`: asked whenever a connection is made; `clock`: told what time it is there. `request`: the longest that an
    answer may take, a quarter of a lease. Raises `CannotOpen` and its kin, `Transient` for a server that does not
    answer, and what asking for the password raises; then nothing was changed, or all of a migration.
    """
    address = address_of(url, password)
    try:
        with connect(address, request) as looking:
            _tell_the_time(looking, clock)
            if version_of(looking, address) != HEAD:
                _migrate(looking, address)
        session = _session(address, request, clock)
    except psycopg.Error as error:
        raise errors.refusal(address, error) from error
    readers = Readers(partial(connect, address, request), clock, request)
    return PostgresJournal(readers, Writer(session), clock, signer)


def look_at(
    url: str,
    *,
    clock: DatabaseClock,
    password: Callable[[], str] | None = None,
    request: timedelta = timedelta(seconds=15),
) -> PostgresJournal:
    """Open it for reading, also on a standby: every connection is read-only, and whatever writes is `Transient`.

    Raises as `open_journal` does, `NotAJournal` also where there is none yet, and `Older`.
    """
    address = address_of(url, password)
    try:
        with connect(address, request, reading=True) as looking:
            _tell_the_time(looking, clock)
            version = version_of(looking, address, reading=True)
    except psycopg.Error as error:
        raise errors.refusal(address, error) from error
    if version is None:
        raise NoJournalYet(f"there is no journal in database {shown(address)}", "nothing was rotated yet")
    if version != HEAD:
        hint = "every command that writes migrates it, `rotator check` too"
        raise Older(f"an older rotator wrote the journal in {shown(address)}", hint)
    reading = partial(connect, address, request, reading=True)
    return PostgresJournal(Readers(reading, clock, request), Writer(PostgresSession(reading, clock)), clock)


def _session(address: Address, request: timedelta, clock: DatabaseClock) -> PostgresSession:
    session = PostgresSession(partial(_writing, address, request), clock)
    try:
        session.connection.execute("DELETE FROM meta WHERE false")  # tells at once whether it can be written
    except BaseException:
        session.close()
        raise
    return session


def _writing(address: Address, request: timedelta) -> Connection:
    """The connection to write on, now and after it was lost. While it lives nobody migrates what it could not bear.

    Raises `Overtaken` once a newer rotator did.
    """
    connection = connect(address, request)
    try:
        connection.execute(f"SELECT pg_advisory_lock_shared({locks.RUNNING}, 0)")
        if version_of(connection, address) != HEAD:
            raise NotAJournal(f"the journal in database {shown(address)} was taken away", "restore it")
    except Newer as newer:
        connection.close()
        raise overtaken(newer) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _tell_the_time(connection: Connection, clock: DatabaseClock) -> None:
    """Before anything is begun by a machine's clock that is wrong."""
    asked_at = clock.boottime()
    for (micros,) in connection.execute(NOW.postgresql):
        clock.learn(micros, asked_at)


def _migrate(connection: Connection, address: Address) -> None:
    """By one of those who come at the same time, and never under replicas whose schema is too old to go on."""
    from rotator.adapters.journal.migrating import upgrade_postgres

    connection.limit = MIGRATING.total_seconds()
    limit = str(int(connection.limit * 1000))
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        connection.execute("SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s", (limit, name))

    def wanted() -> bool:
        connection.execute(f"SELECT pg_advisory_xact_lock({locks.MIGRATING}, 0)")
        version = version_of(connection, address)
        if version not in (None, HEAD) and not (version and may_go_on(version)) and not _alone(connection):
            raise InUse(f"replicas run on the older journal in {shown(address)}", "stop them first: it is migrated")
        return version != HEAD

    upgrade_postgres(connection, wanted)


def _alone(connection: Connection) -> bool:
    found = connection.execute(f"SELECT pg_try_advisory_xact_lock({locks.RUNNING}, 0)").fetchone()
    return found == (True,)
