"""A session on PostgreSQL. What needs no answer is kept until one is needed, and then sent with it: one round trip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import select

from rotator.adapters.journal import locks
from rotator.adapters.journal.postgres import errors
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import Connection, NoAnswer
from rotator.adapters.journal.rows import Record
from rotator.adapters.journal.session import Question, Session, Statement
from rotator.adapters.journal.statements import DATABASE_NOW
from rotator.domain.failures import Failure

Cursor = psycopg.Cursor[tuple[Any, ...]]

NOW = Statement(select(DATABASE_NOW))
_END_WHO_STANDS_STILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
AND application_name = current_setting('application_name') AND xact_start IS NOT NULL AND wait_event = 'ClientRead'
AND state_change < clock_timestamp() - CAST(current_setting('idle_in_transaction_session_timeout') AS interval)
"""
"""A process that was stopped or cut off while it sent several statements at once: to the server it is not idle, so no

timeout of the server ends it (but PostgreSQL 17's of transactions), and it keeps all others from the trail.
"""
SELDOM = 15.0
"""Seconds between looks for somebody who stands still, where no answer has a limit."""
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresSession(Session):
    """One connection, made when it is needed and again when it was lost. Raises `psycopg.Error`.

    `connect` raises that, or a `Failure`. The time of a transaction is the database's at its beginning.
    """

    each_is_durable = True

    def __init__(self, connect: Callable[[], Connection], clock: DatabaseClock) -> None:
        super().__init__()
        self._connect = connect
        self._clock = clock
        self._connection: Connection | None = None
        self._queue: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
        self._events: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
        self._known: dict[int, int] = {}
        self._kept_out = False
        self._look_at = 0.0  # by the monotonic clock
        self._now = 0

    @property
    def connection(self) -> Connection:
        """The connection as it is."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @property
    def lost(self) -> bool:
        """Whether there was a connection and it is of no more use."""
        return self._connection is not None and (self._connection.closed or self._connection.broken)

    @property
    def idle(self) -> bool:
        """Whether there is a connection that others may go on with."""
        connection = self._connection
        return connection is not None and connection.info.transaction_status is TransactionStatus.IDLE

    # -- statements --------------------------------------------------------------------------------------------

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        known = self._known.pop(id(values), None)
        return self._exchange((statement.postgresql, values))[0].rowcount if known is None else known

    def ahead(self, questions: Sequence[Question]) -> None:
        """By statement, one after the other of each; `run` knows them by the very same values."""
        by_statement: dict[str, list[Mapping[str, Any]]] = {}
        for statement, values in questions:
            by_statement.setdefault(statement.postgresql, []).append(values)
        for text, each in by_statement.items():
            if len(each) == 1:
                continue  # it would be no sooner
            cursor = self.connection.cursor()
            with self._kept_out_noticed():
                cursor.executemany(text, each, returning=True)
            for values in each:
                self._known[id(values)] = cursor.rowcount
                cursor.nextset()

    def put(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        if values:
            self._queue.append((statement.postgresql, values))

    def note(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Kept to the end: who lengthens the trail keeps all others from it until the transaction is over."""
        self._events.append((statement.postgresql, values))

    def ask(self, *questions: Question) -> list[list[Record]]:
        cursors = self._exchange(*((statement.postgresql, values) for statement, values in questions))
        return [cursor.fetchall() for cursor in cursors]

    def lock(self, statement: Statement, values: Mapping[str, Any]) -> None:
        self.put(statement, [values])

    def now(self, given: datetime) -> int:
        return self._now

    def _exchange(self, *wanted: tuple[str, Mapping[str, Any]]) -> list[Cursor]:
        """Send what is kept, then what is wanted; the cursors of the latter when all of it was answered."""
        with self._kept_out_noticed():
            return self._sent(*wanted)

    @contextmanager
    def _kept_out_noticed(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.LockNotAvailable:
            self._kept_out = True
            raise

    def _sent(self, *wanted: tuple[str, Mapping[str, Any]]) -> list[Cursor]:
        connection, queue = self.connection, self._queue
        if not queue and len(wanted) == 1:
            return [connection.execute(*wanted[0])]
        self._queue = []
        with connection.pipeline():
            for text, values in queue:
                if len(values) == 1:
                    connection.execute(text, values[0])
                else:
                    connection.cursor().executemany(text, values)
            return [connection.execute(text, values) for text, values in wanted]

    def begin_reading(self) -> None:
        self._queue = [(_BEGIN_READING, [{}])]

    def end_reading(self) -> None:
        if self._connection is not None and not self.lost:
            self._exchange(("COMMIT", {}))

    # -- transactions ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A connection that was lost while nobody needed it is made anew, once."""
        self._reset()
        fresh = self._connection is None
        try:
            self._begin()
        except NoAnswer:
            raise
        except psycopg.Error:
            if fresh or not self.lost:
                raise
            self._drop()
            self._begin()

    def _begin(self) -> None:
        self._end_who_stands_still()  # the connection is made before the time is taken
        asked_at = self._clock.boottime()
        self._queue = [(_BEGIN, [{}])]
        self._now = self._exchange((NOW.postgresql, {}))[0].fetchall()[0][0]
        self._clock.learn(self._now, asked_at)

    def _end_who_stands_still(self) -> None:
        """Now and then, too: claims pass over locked rows, so nobody may ever wait for those of one who was cut off."""
        connection, now = self.connection, time.monotonic()
        if now >= self._look_at:
            connection.execute(_END_WHO_STANDS_STILL)
            self._look_at = now + (connection.limit or SELDOM)

    def commit(self) -> None:
        if self._events:
            self.lock(locks.TRAIL_END, {})
            self._queue += self._events
        ended = self._exchange(("COMMIT", {}))[0]
        self._events = []
        if ended.statusmessage != "COMMIT":
            raise psycopg.OperationalError("the transaction was rolled back")

    def roll_back(self) -> None:
        """What is not known to be over is ended by letting go of the connection."""
        self._reset()
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
            if self._kept_out:
                connection.execute(_END_WHO_STANDS_STILL)
                self._kept_out = False
        except psycopg.Error:
            self._drop()

    def begin_each(self) -> None:
        """Nothing: each is a transaction."""

    def end_each(self) -> None:
        """Nothing: each is durable."""

    def begin_one(self) -> None:
        self.begin()

    def end_one(self) -> None:
        self.commit()

    def undo_one(self) -> None:
        self.roll_back()

    def close(self) -> None:
        self._drop()

    def _reset(self) -> None:
        self.noted.clear()
        self._known.clear()
        self._queue, self._events = [], []

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # -- what went wrong ---------------------------------------------------------------------------------------------

    def spoils_all(self, error: Exception) -> bool:
        return errors.spoils_all(error)

    def failure_of(self, error: BaseException) -> Failure | None:
        return errors.failure_of(error) if isinstance(error, psycopg.Error) else None
