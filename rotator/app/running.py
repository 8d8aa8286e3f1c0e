"""Runs rotations on threads until what was asked for is settled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure, Fenced
from rotator.domain.rotation import Rotation
from rotator.engine.worker import Worker
from rotator.ports import Change

LOOK = timedelta(milliseconds=200)
"""The longest that the dispatcher sleeps before it looks again: another process may have moved something."""


@dataclass(kw_only=True)
class Run:
    """One process's work."""

    assembly: Assembly
    owner: str
    parallel: int
    only: Collection[str] | None = None
    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._specs = self.assembly.specs()
        self._worker = Worker(self.owner, self.assembly.journal, self._specs, self.assembly.world_of)
        self._claims = self.only
        self._busy = 0
        self._freed = threading.Condition()
        self._stopping = False

    def stop(self) -> None:
        """Finish the effects in hand, claim nothing more.

        Takes no lock, so that a signal's handler may call it wherever the main thread is: an Event's lock may be the
        very one that it holds. The dispatcher sees it within `LOOK`.
        """
        self._stopping = True

    def until(self, settled: Callable[[], bool]) -> None:
        """Claim and advance until `settled`, which is asked whenever nothing is in hand that could change it."""
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="rotation") as pool:
            while not self._stopping:
                busy = self._busy
                claimed = self._claim(self.parallel - busy)
                with self._freed:
                    self._busy += len(claimed)
                for row, at in claimed:
                    pool.submit(self._advance, row, at)
                if not claimed and not busy and settled():
                    return
                if not claimed:
                    self._sleep(busy)

    def _claim(self, limit: int) -> tuple[tuple[Rotation, float], ...]:
        if limit <= 0:
            return ()
        clock, journal = self.assembly.clock, self.assembly.journal
        at = clock.boottime()
        rows = journal.claim(
            owner=self.owner, now=clock.now(), lease=self.assembly.timing.lease, limit=limit, only=self._claims
        )
        return tuple((row, at) for row in rows if row.credential in self._specs or self._give_back(row))

    def _give_back(self, row: Rotation) -> bool:
        """False, always. A credential that this config does not have: its rotation is somebody else's from now on.

        Naming all that are configured in every claim would cost as much as they are many.
        """
        self._claims = frozenset(self._specs)
        now = self.assembly.clock.now()
        with suppress(Fenced, Failure):  # what was claimed beside it is waiting to be run
            self.assembly.journal.commit(replace(row, owner=None, next_at=now), now, Change())
        return False

    def _advance(self, row: Rotation, claimed_at: float) -> None:
        try:
            self._run(row, claimed_at)
        finally:
            with self._freed:
                self._busy -= 1
                self._freed.notify()

    def _run(self, row: Rotation, claimed_at: float) -> None:
        try:
            self._worker.run(row, claimed_at, stop=lambda: self._stopping)
        except (ConfigError, Failure) as failure:
            self.failures[row.credential] = failure
        except Exception as error:  # noqa: BLE001 - a defect must not vanish with its thread; its text may hold anything
            message = f"an error of the rotator or a driver itself ({type(error).__name__})"
            self.failures[row.credential] = Failure(message, "report it; `rotator history` shows how far it came")
        else:
            self.failures.pop(row.credential, None)

    def _sleep(self, busy: int) -> None:
        """Until a thread is free, as `busy` were, or something is due."""
        seconds = LOOK.total_seconds()
        if busy < self.parallel:
            wake = self.assembly.journal.next_wake(self._claims)
            if wake is not None:
                seconds = min(seconds, max(0.002, (wake - self.assembly.clock.now()).total_seconds()))
        with self._freed:
            self._freed.wait_for(lambda: self._busy < busy, timeout=seconds)
