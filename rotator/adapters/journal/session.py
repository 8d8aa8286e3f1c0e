"""What a piece of work may do with one connection to the database, and statements that are compiled once.

Running a compiled statement through SQLAlchemy costs some 30 µs more than handing its text to the database's driver,
and a commit is five of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement

from rotator.adapters.journal.rows import Record
from rotator.domain.consumers import ConsumerState
from rotator.domain.failures import Failure
from rotator.domain.rotation import OldKey, StoreState

T = TypeVar("T")
Link = tuple[int, str]
"""A chain's last link: its number and its digest."""

_SQLITE = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True)
class Written:
    """Of one rotation, under one fence: its parts, and the last link of its chain."""

    fence: int
    old_keys: tuple[OldKey, ...]
    stores: tuple[StoreState, ...]
    consumers: tuple[ConsumerState, ...]
    link: Link


class Statement:
    """A statement of SQLAlchemy Core, compiled for a database when it is first run there.

    `postgresql`: the same for PostgreSQL, where it is written another way.
    """

    def __init__(self, core: ClauseElement, *, postgresql: Callable[[], ClauseElement] | None = None) -> None:
        self._core = core
        self._postgresql = postgresql

    @cached_property
    def text(self) -> str:
        """Its SQL for SQLite, with parameters as `:name`."""
        return str(self._core.compile(dialect=_SQLITE))

    @cached_property
    def postgresql(self) -> str:
        """Its SQL for PostgreSQL, with parameters as psycopg takes them: `%(name)s`."""
        # The dialect of a driver would say each parameter's type, which the server finds by itself.
        from sqlalchemy.dialects.postgresql.base import PGDialect

        core = self._core if self._postgresql is None else self._postgresql()
        return str(core.compile(dialect=PGDialect(paramstyle="pyformat")))  # type: ignore[no-untyped-call]


Question = tuple[Statement, Mapping[str, Any]]


class Session(ABC):
    """Runs statements on one connection; used by one thread at a time. Raises what the database's driver raises.

    `written`: what this connection wrote last of each claimed rotation, so that it need not be asked for or written
    again. It holds as long as the fence does, because whoever else writes the row raises that first, in this process or
    in another one. `noted`: the last links of the chains that were lengthened in this transaction.
    """

    each_is_durable = False
    """Whether `end_one` makes a piece of work durable by itself; else they become so together."""

    def __init__(self) -> None:
        self.written: dict[str, Written] = {}
        self.noted: dict[str, Link] = {}

    def forget(self) -> None:
        """Something was rolled back, so nothing is known of what was written."""
        self.written.clear()
        self.noted.clear()

    # -- statements --------------------------------------------------------------------------------------------

    @abstractmethod
    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """The number of rows that it changed."""

    @abstractmethod
    def ahead(self, questions: Sequence[Question]) -> None:
        """What `run` will be asked for in this transaction: it may do so now, in one round trip for all."""

    @abstractmethod
    def put(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each, by the end of the transaction and before whatever is run or asked next."""

    @abstractmethod
    def note(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each, by the end of the transaction: new events, whose order is that of commits."""

    @abstractmethod
    def ask(self, *questions: Question) -> list[list[Record]]:
        """The rows that each finds, in one round trip."""

    @abstractmethod
    def lock(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Keep others from what the statement finds until the transaction ends, where they are not kept out anyway."""

    @abstractmethod
    def now(self, given: datetime) -> int:
        """The time that counts in claims, in microseconds since 1970: the caller's, or the database's own."""

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Record]:
        """The rows that it finds."""
        return self.ask((statement, values))[0]

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Record | None:
        """The first row that it finds."""
        found = self.all(statement, values)
        return found[0] if found else None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is one moment's truth."""
        self.begin_reading()
        try:
            yield
        finally:
            self.end_reading()

    @abstractmethod
    def begin_reading(self) -> None:
        """From here on nothing changes for this session."""

    @abstractmethod
    def end_reading(self) -> None:
        """Until here."""

    # -- transactions: the writer's ------------------------------------------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction."""

    @abstractmethod
    def commit(self) -> None:
        """Make it durable."""

    @abstractmethod
    def roll_back(self) -> None:
        """Undo it, if there is one; never raises."""

    @abstractmethod
    def begin_each(self) -> None:
        """What comes is done piece by piece, each of which may be undone alone."""

    @abstractmethod
    def begin_one(self) -> None:
        """Begin a piece."""

    @abstractmethod
    def end_one(self) -> None:
        """It went well."""

    @abstractmethod
    def undo_one(self) -> None:
        """It did not."""

    @abstractmethod
    def end_each(self) -> None:
        """Make all that went well durable."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    # -- what went wrong -------------------------------------------------------------------------------------------

    @abstractmethod
    def spoils_all(self, error: Exception) -> bool:
        """Whether it is the disk or the connection, and not one piece of work."""

    @abstractmethod
    def failure_of(self, error: BaseException) -> Failure | None:
        """The failure that a port may raise for an error of the database's driver; None for any other error."""
