"""Connections to read on: a few that are kept, whoever comes when all are in use waits for one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.postgres.connecting import Connection
from rotator.adapters.journal.postgres.session import PostgresSession
from rotator.domain.failures import Transient

MOST = 8
"""Connections of one process: a server has some hundred for all replicas, and a question takes a millisecond."""


class Readers:
    """Sessions for questions. Safe for many threads."""

    def __init__(self, connect: Callable[[], Connection], clock: DatabaseClock, patience: timedelta) -> None:
        """`patience`: how long to wait for one that is free."""
        self._connect = connect
        self._clock = clock
        self._patience = patience.total_seconds()
        self._room = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[PostgresSession] = []
        self._closed = False

    @contextmanager
    def one(self, *, fresh: bool = False) -> Iterator[PostgresSession]:
        """A session that nobody else uses meanwhile; `fresh`: on a new connection. Raises `Transient`."""
        if not self._room.acquire(timeout=self._patience):
            raise Transient("too many threads read the journal at the same time")
        try:
            session = self._taken(fresh=fresh)
            try:
                yield session
            finally:
                self._give_back(session)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close those that are idle, and those in use when they come back. Twice: nothing more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def _taken(self, *, fresh: bool) -> PostgresSession:
        with self._lock:
            if self._idle and not fresh:
                return self._idle.pop()
        return PostgresSession(self._connect, self._clock)

    def _give_back(self, session: PostgresSession) -> None:
        with self._lock:
            if session.idle and not self._closed:
                self._idle.append(session)
                return
        session.close()
