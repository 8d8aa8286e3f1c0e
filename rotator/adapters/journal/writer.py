"""The one thread that writes: what many threads want to commit at the same time becomes one transaction, one fsync.

What goes wrong in one piece of work undoes that one alone: the transaction is rolled back and done once more, each
piece by itself. That is rare, and on SQLite the two statements of a savepoint are a fifth of what a commit costs.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar, cast

from rotator.adapters.journal.session import Question, Session
from rotator.domain.failures import Closed

T = TypeVar("T")

MOST = 128
"""Pieces of work in one transaction: enough for every thread of a process, few enough that nobody waits for long."""

Ahead = Callable[[Session], Question | None]


class _Job:
    """One piece of work, its outcome, and a lock that is held until there is one."""

    __slots__ = ("ahead", "done", "error", "result", "work")

    def __init__(self, work: Callable[[Session], Any], ahead: Ahead | None) -> None:
        self.work = work
        self.ahead = ahead
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()


class Writer:
    """Owns the writing session, which nobody else touches until `close`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        self._thread = Thread(target=self._write, name="journal writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Session], T], *, ahead: Ahead | None = None) -> T:
        """Run the work in a transaction and return its result when that is durable.

        `ahead`: tells what the work will first `Session.run`, if that is known before anything was asked.

        Raises what the work raises, and then nothing of it was written; `Transient` or `Permanent` for the
        database's errors, and `Closed`. Of a `Transient` for a lost connection nobody knows if it was written.
        """
        job = _Job(work, ahead)
        with self._gate:
            if self._closed:
                raise Closed("the journal is closed", "a daemon opens it again with its next config")
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
        self._session.close()

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
                job.error = self._error_for(error)
            self._roll_back()
        for job in batch:
            job.done.release()

    def _together(self, batch: list[_Job]) -> bool:
        """Whether nothing went wrong in any piece of work; else nothing was written."""
        session = self._session
        session.begin()
        try:
            session.ahead([first for job in batch if job.ahead is not None and (first := job.ahead(session))])
            for job in batch:
                job.result = job.work(session)
            session.commit()
        except Exception as error:
            if session.spoils_all(error):
                raise
            self._roll_back()  # it comes again, and then it is known whose it is
            return False
        return True

    def _each_by_itself(self, batch: list[_Job]) -> None:
        self._session.begin_each()
        for job in batch:
            self._alone(job)
        self._session.end_each()

    def _alone(self, job: _Job) -> None:
        session = self._session
        try:
            session.begin_one()
            job.result = job.work(session)
            session.end_one()
        except Exception as error:
            if not session.each_is_durable and session.spoils_all(error):
                raise
            job.error = self._error_for(error)
            session.forget()
            session.undo_one()

    def _roll_back(self) -> None:
        self._session.forget()
        self._session.roll_back()

    def _error_for(self, error: BaseException) -> BaseException:
        """What to raise in a waiting thread: a failure of its own for each, where a batch shares the driver's error."""
        return self._session.failure_of(error) or error
