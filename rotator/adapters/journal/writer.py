"""The one thread that writes: what many threads want to commit at the same time becomes one transaction, one fsync.

What goes wrong in one piece of work undoes that one alone: the transaction is rolled back and done once more, with a
savepoint around each piece. That is rare, and two statements a piece are a fifth of what a commit costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar, cast

from rotator.adapters.journal.errors import failure_of
from rotator.adapters.journal.session import Session
from rotator.domain.failures import Permanent

T = TypeVar("T")

MOST = 128
"""Pieces of work in one transaction: enough for every thread of a process, few enough that nobody waits for long."""


class _Job:
    """One piece of work, its outcome, and a lock that is held until there is one."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[Session], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()


class Writer:
    """Owns the writing connection, which nobody else touches until `close`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._session = Session(connection)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        self._thread = Thread(target=self._write, name="journal writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Session], T]) -> T:
        """Run the work in a transaction and return its result when that is durable.

        Raises what the work raises, and then nothing of it was written; `Transient` or `Permanent` for SQLite's errors.
        """
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise Permanent("the journal is closed")
            self._queue.put(job)
        job.done.acquire()
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    @property
    def waiting(self) -> int:
        """About how many pieces of work wait for the next transaction."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what was asked for, stop, and close the connection. Twice: nothing more."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._session.connection.close()

    def _write(self) -> None:
        while (job := self._queue.get()) is not None:
            batch, last = [job], False
            try:
                while len(batch) < MOST and not last:
                    more = self._queue.get_nowait()
                    if more is None:
                        last = True
                    else:
                        batch.append(more)
            except Empty:
                pass  # whatever else comes is the next batch's
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Job]) -> None:
        try:
            if not self._together(batch):
                self._each_by_itself(batch)
        except BaseException as error:  # noqa: BLE001 - a thread waits for each of these, so this one must not die
            for job in batch:
                job.error = _error_for(error)
            self._roll_back()
        for job in batch:
            job.done.release()

    def _together(self, batch: list[_Job]) -> bool:
        """Whether nothing went wrong in any piece of work; else nothing was written."""
        execute = self._session.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for job in batch:
                job.result = job.work(self._session)
        except sqlite3.OperationalError:
            raise  # the disk or the file: that is not this one's alone
        except Exception:  # noqa: BLE001 - it comes again, and then it is known whose it is
            self._roll_back()
            return False
        execute("COMMIT")
        return True

    def _each_by_itself(self, batch: list[_Job]) -> None:
        execute = self._session.connection.execute
        execute("BEGIN IMMEDIATE")
        for job in batch:
            execute("SAVEPOINT job")
            try:
                job.result = job.work(self._session)
            except sqlite3.OperationalError:
                raise
            except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
                job.error = _error_for(error)
                execute("ROLLBACK TO job")
                self._session.forget()
            execute("RELEASE job")
        execute("COMMIT")

    def _roll_back(self) -> None:
        self._session.forget()
        try:
            if self._session.connection.in_transaction:
                self._session.connection.execute("ROLLBACK")
        except sqlite3.Error:
            return  # SQLite has rolled back already, or the next transaction will say what is wrong


def _error_for(error: BaseException) -> BaseException:
    """What to raise in a waiting thread: a failure of its own for each, where SQLite's error is shared by a batch."""
    return failure_of(error) if isinstance(error, sqlite3.Error) else error
