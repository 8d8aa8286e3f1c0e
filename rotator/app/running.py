"""Runs rotations on threads until what was asked for is settled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure
from rotator.domain.rotation import Rotation
from rotator.engine.worker import Worker

LOOK = timedelta(milliseconds=200)
"""The longest that the dispatcher sleeps before it looks again: another process may have moved something."""


@dataclass(kw_only=True)
class Run:
    """One process's work. `stop` set: finish the effects in hand, claim nothing more."""

    assembly: Assembly
    owner: str
    parallel: int
    only: Collection[str] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._specs = self.assembly.specs()
        self._worker = Worker(self.owner, self.assembly.journal, self._specs, self.assembly.world_of)

    def until(self, settled: Callable[[], bool]) -> None:
        """Claim and advance until `settled`, which is asked whenever nothing is in hand that could change it."""
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="rotation") as pool:
            busy: set[Future[None]] = set()
            while not self.stop.is_set():
                busy = {future for future in busy if not future.done()}
                claimed = self._claim(self.parallel - len(busy))
                busy |= {pool.submit(self._advance, row, at) for row, at in claimed}
                if not claimed and not busy and settled():
                    return
                if not claimed:
                    self._sleep(busy)

    def _claim(self, limit: int) -> tuple[tuple[Rotation, float], ...]:
        if limit <= 0:
            return ()
        clock, journal = self.assembly.clock, self.assembly.journal
        at = clock.boottime()
        only = self._specs.keys() if self.only is None else self.only
        rows = journal.claim(
            owner=self.owner, now=clock.now(), lease=self.assembly.timing.lease, limit=limit, only=only
        )
        return tuple((row, at) for row in rows)

    def _advance(self, row: Rotation, claimed_at: float) -> None:
        try:
            self._worker.run(row, claimed_at, stop=self.stop.is_set)
        except (ConfigError, Failure) as failure:
            self.failures[row.credential] = failure
        except Exception as error:  # noqa: BLE001 - a defect must not vanish with its thread; its text may hold anything
            message = f"an error of the rotator or a driver itself ({type(error).__name__})"
            self.failures[row.credential] = Failure(message, "report it; `rotator history` shows how far it came")
        else:
            self.failures.pop(row.credential, None)

    def _sleep(self, busy: set[Future[None]]) -> None:
        wake = self.assembly.journal.next_wake(self.only)
        seconds = LOOK.total_seconds()
        if wake is not None:
            seconds = min(seconds, max(0.002, (wake - self.assembly.clock.now()).total_seconds()))
        if busy:
            wait(busy, timeout=seconds, return_when=FIRST_COMPLETED)
        else:
            self.stop.wait(seconds)
