"""One connection to the database file, and statements that SQLAlchemy compiles once and SQLite then runs directly.

Running a compiled statement through SQLAlchemy costs some 30 µs more than handing its text to sqlite3, and a commit is
five of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement

from rotator.adapters.journal.rows import Record
from rotator.adapters.journal.snapshot import end_snapshot
from rotator.domain.consumers import ConsumerState
from rotator.domain.rotation import OldKey, StoreState

T = TypeVar("T")
Values = Mapping[str, Any]

_DIALECT = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True)
class Written:
    """Of one rotation, under one fence: its parts, and the last link of its chain."""

    fence: int
    old_keys: tuple[OldKey, ...]
    stores: tuple[StoreState, ...]
    consumers: tuple[ConsumerState, ...]
    seq: int
    digest: str


class Statement:
    """A statement of SQLAlchemy Core, compiled when it is first run."""

    __slots__ = ("_core", "_text")

    def __init__(self, core: ClauseElement) -> None:
        self._core = core
        self._text: str | None = None

    @property
    def text(self) -> str:
        """Its SQL, with parameters as `:name`."""
        if self._text is None:
            self._text = str(self._core.compile(dialect=_DIALECT))
        return self._text


class Session:
    """Runs statements on one connection; used by one thread at a time. Raises `sqlite3.Error`.

    `written`: what this connection wrote last of each claimed rotation, so that it need not be asked for or written
    again. It holds as long as the fence does, because whoever else writes the row raises that first.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.written: dict[str, Written] = {}
        self._execute: Callable[[str, Values], sqlite3.Cursor] = connection.execute

    def forget(self) -> None:
        """Something was rolled back, so nothing is known of what was written."""
        self.written.clear()

    def run(self, statement: Statement, values: Values) -> int:
        """The number of rows that it changed."""
        return self._execute(statement.text, values).rowcount

    def run_each(self, statement: Statement, values: Iterable[Values]) -> None:
        """Run it once for each."""
        self.connection.executemany(statement.text, values)

    def all(self, statement: Statement, values: Values) -> list[Record]:
        """The rows that it finds."""
        return self._execute(statement.text, values).fetchall()

    def one(self, statement: Statement, values: Values) -> Record | None:
        """The first row that it finds."""
        found: Record | None = self._execute(statement.text, values).fetchone()
        return found

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is one moment's truth."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            end_snapshot(self.connection)
