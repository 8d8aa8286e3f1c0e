"""Rotations, claimed and advanced on threads of their own for as long as one config is in force."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from rotator.app.assembly import Assembly
from rotator.app.running import Run
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure, Overtaken
from rotator.domain.times import format_time

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until a journal that was away is asked again: twice as many each time."""
BLIP = 3.0
"""Seconds: what passes within them is not told."""
STILL = 3600.0
"""Seconds that nothing in hand takes: a step ends with its lease, and what waits is not in hand."""
JOURNAL = "the journal"
WRITTEN_AT = "the daemon wrote at"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Away:
    """Since when the journal has failed, at which turn it did so last, and whether anybody was told."""

    since: float
    turn: int
    why: str
    told: bool


class Works:
    """Runs from `start` to `stop`, which finishes the effects in hand and gives every row back."""

    def __init__(self, assembly: Assembly, owner: str) -> None:
        self._assembly = assembly
        self._run = Run(assembly=assembly, owner=owner, parallel=assembly.config.parallel)
        self._thread = threading.Thread(target=self._work, name="works")
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._away: _Away | None = None
        self._full = (0, time.monotonic())  # what was let go of so far, and since when there is no room
        self.overtaken: Overtaken | None = None
        """A newer rotator has the journal: nothing is left to do here."""

    def start(self) -> None:
        """Look for work from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing more. Does not wait; twice: nothing more."""
        self._ended.set()
        self._run.stop()

    def wait(self, seconds: float) -> bool:
        """After `stop`: whether all effects are finished, at most so much later."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def room(self) -> int:
        """How many more rotations could be in hand."""
        return self._run.room

    @property
    def turns(self) -> int:
        """Grows as long as somebody looks for work."""
        return self._run.turns

    @property
    def hangs(self) -> bool:
        """Whether all threads have had the same in hand for so long that they will never let go of it."""
        if self.room or self._run.ended != self._full[0]:
            self._full = self._run.ended, time.monotonic()
        return time.monotonic() - self._full[1] > STILL

    @property
    def away(self) -> bool:
        """Whether the journal did not answer when it was last asked."""
        return self._away is not None

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            before = self._run.turns
            try:
                self._run.until(lambda: False)
            except (ConfigError, Failure) as failure:
                if self._run.turns > before:
                    pause = FIRST_PAUSE
                self.is_away(failure)
            except Exception as error:  # noqa: BLE001 - a defect must not end the service; its text may hold anything
                self._assembly.defect("the daemon", error)
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def is_away(self, failure: ConfigError | Failure) -> None:
        """The journal has just not answered, or has not taken what was written. Any thread may say so."""
        if isinstance(failure, Overtaken):
            self.overtaken = failure
        with self._lock:
            since = self._away.since if self._away is not None else time.monotonic()
            told = self._away is not None and self._away.told
            self._away = _Away(since=since, turn=self._run.turns, why=failure.message, told=told)

    def look(self) -> None:
        """Say that the journal is away, if that lasts, and that it is back: it answers, and takes what is written."""
        with self._lock:
            away = self._away
        if away is None:
            return
        if self._run.turns > away.turn and self._takes_writing():
            self._becomes(away, None)
            if away.told:
                self._assembly.told.alert("journal back", JOURNAL, "it answers again")
        elif not away.told and time.monotonic() - away.since >= BLIP:
            self._becomes(away, replace(away, told=True))
            self._assembly.told.alert("journal away", JOURNAL, away.why)

    def _becomes(self, away: _Away, other: _Away | None) -> None:
        """Unless another failure came meanwhile; that it was told stays so."""
        with self._lock:
            if self._away is away:
                self._away = other
            elif self._away is not None:
                self._away = replace(self._away, told=other is not None)

    def _takes_writing(self) -> bool:
        assembly = self._assembly
        try:
            assembly.journal.remember(WRITTEN_AT, format_time(assembly.clock.now()))
        except (ConfigError, Failure):
            return False  # it stays away, as `look` says
        return True
