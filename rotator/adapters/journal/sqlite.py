"""The journal on one SQLite file: for many threads and several processes of one host.

Open one with `rotator.adapters.journal.opening.open_journal`. There is one writer at a time, so nothing is locked row
by row, and the time in claims is the caller's: all of them are on one machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rotator.adapters.journal import errors
from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.journal.errors import Newer, NotAJournal
from rotator.adapters.journal.rows import Record, micros
from rotator.adapters.journal.session import Question, Session, Statement
from rotator.adapters.journal.snapshot import end_snapshot
from rotator.adapters.journal.version import HEAD, overtaken, version_of
from rotator.adapters.journal.writer import Writer
from rotator.domain.failures import Failure, Transient
from rotator.domain.trail import Signer

T = TypeVar("T")


class SqliteJournal(DurableJournal):
    """The journal in a file."""

    def __init__(self, engine: Engine, writer: Writer, signer: Signer | None = None) -> None:
        """`engine` gives connections to read on."""
        super().__init__(writer, signer)
        self._engine = engine

    def close(self) -> None:
        """Write what was asked for, then let go of the file. Twice: nothing more."""
        super().close()
        self._engine.dispose()

    def _look(self, question: Callable[[Session], T]) -> T:
        try:
            pooled = self._engine.raw_connection()
            try:
                return question(SqliteSession(cast("sqlite3.Connection", pooled.driver_connection)))
            finally:
                pooled.close()
        except sqlite3.Error as error:
            raise errors.failure_of(error) from error
        except DBAPIError as error:  # SQLAlchemy's wrapping of what sqlite3 said to a new connection
            raise errors.failure_of(cast("sqlite3.Error", error.orig)) from error
        except PoolTimeout as error:
            raise Transient("too many threads read the journal at the same time") from error


class SqliteSession(Session):
    """One connection. Raises `sqlite3.Error`, and `Overtaken` where a newer rotator migrated the file meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self.connection = connection
        self._seen: int | None = None  # SQLite's own count of changes to the tables; None: nobody watches them
        self._execute: Callable[[str, Mapping[str, Any]], sqlite3.Cursor] = connection.execute

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        return self._execute(statement.text, values).rowcount

    def ahead(self, questions: Sequence[Question]) -> None:
        """Nothing: there are no round trips."""

    def put(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        if len(values) == 1:
            self._execute(statement.text, values[0])
        else:
            self.connection.executemany(statement.text, values)

    note = put

    def ask(self, *questions: Question) -> list[list[Record]]:
        return [self.all(statement, values) for statement, values in questions]

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Record]:
        return self._execute(statement.text, values).fetchall()

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Record | None:
        found: Record | None = self._execute(statement.text, values).fetchone()
        return found

    def lock(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Nothing: whoever writes is alone."""

    def now(self, given: datetime) -> int:
        return micros(given)

    def begin_reading(self) -> None:
        self.connection.execute("BEGIN")

    def end_reading(self) -> None:
        end_snapshot(self.connection)

    def begin(self) -> None:
        self.noted.clear()
        self.connection.execute("BEGIN IMMEDIATE")
        self._still_ours()

    def watch(self) -> None:
        """From now on see whether somebody changes the tables. To be called before it is looked whose they are."""
        self._seen = self._tables()

    def _tables(self) -> int:
        (count,) = self.connection.execute("PRAGMA schema_version").fetchone()
        return int(count)

    def _still_ours(self) -> None:
        """Nobody stops the commands that run beside a daemon when a newer daemon migrates the file."""
        if self._seen is None:
            return
        count = self._tables()
        if count == self._seen:
            return
        try:
            if version_of(self.connection) != HEAD:
                raise NotAJournal("the journal was replaced by another one", "restore it")
        except Newer as newer:
            raise overtaken(newer) from None
        self._seen = count

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            return  # SQLite has rolled back already, or the next transaction will say what is wrong

    begin_each = begin
    end_each = commit

    def begin_one(self) -> None:
        self.connection.execute("SAVEPOINT job")

    def end_one(self) -> None:
        self.connection.execute("RELEASE job")

    def undo_one(self) -> None:
        self.connection.execute("ROLLBACK TO job")
        self.connection.execute("RELEASE job")

    def close(self) -> None:
        self.connection.close()

    def spoils_all(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.OperationalError)

    def failure_of(self, error: BaseException) -> Failure | None:
        return errors.failure_of(error) if isinstance(error, sqlite3.Error) else None
