"""The journal in a PostgreSQL database, for any number of replicas."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg

from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.journal.postgres import errors
from rotator.adapters.journal.postgres.buckets import Granted, pause, reserve
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import NoAnswer
from rotator.adapters.journal.postgres.readers import Readers
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.writer import Writer
from rotator.domain.trail import Signer

T = TypeVar("T")

HEARD = 5.0
"""Seconds within which the connection to write on is made anew where it was lost, and with it the lock of `RUNNING`."""


class PostgresJournal(DurableJournal):
    """Open one with `rotator.adapters.journal.postgres.opening`.

    The time in claims is the database's. A caller's `now` says only how far away `next_at` is for him: it is written as
    far from the database's time, so whoever has a wrong clock neither takes what is not due nor keeps what is. Where a
    write ends in `Transient`, it may have been written or not, and to do it again under the same fence is right.
    """

    def __init__(self, readers: Readers, writer: Writer, clock: DatabaseClock, signer: Signer | None = None) -> None:
        super().__init__(writer, signer)
        self._readers = readers
        self.clock = clock

    def close(self) -> None:
        """Write what was asked for, then log out. Twice: nothing more."""
        super().close()
        self._readers.close()

    def next_wake(self, only: Collection[str] | None = None) -> datetime | None:
        """As the port says. Asked again and again it writes nothing, but is heard now and then where nothing else is.

        So whoever is idle knows what time it is there, and that he may still write: raises `Overtaken` as a write does.
        """
        if self.clock.silent >= HEARD:
            self._writer.run(_nothing)
        return super().next_wake(only)

    def reserve(self, account: str, count: int, interval: timedelta, patience: timedelta) -> Granted:
        """Up to `count` turns of an account that all replicas share, `interval` apart, the last within `patience`."""
        return self._once_more(lambda session: reserve(session, account, count, interval, patience))

    def pause(self, account: str, duration: timedelta) -> None:
        """Nobody has a turn for so long; a longer pause stays. Twice: the same."""
        self._once_more(lambda session: pause(session, account, duration))

    def _look(self, question: Callable[[Session], T]) -> T:
        return self._once_more(question)

    def _once_more(self, question: Callable[[Session], T]) -> T:
        """The answer; on a new connection if the one at hand was lost meanwhile."""
        try:
            with self._readers.one() as session:
                try:
                    return question(session)
                except NoAnswer:
                    raise
                except psycopg.Error:
                    if not session.lost:
                        raise
            with self._readers.one(fresh=True) as session:
                return question(session)
        except psycopg.Error as error:
            raise errors.failure_of(error) from error


def _nothing(session: Session) -> None:
    """A transaction's beginning asks for the time, and makes the connection."""
