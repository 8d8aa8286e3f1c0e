"""Who runs next, and when: greenlets instead of threads, a virtual clock, and one source of chance.

Every fake calls `Schedule.pause` before and after an effect; there the actor gives way, may stall for seconds or a day
and a half, and whoever the seed says goes on. So one seed is one interleaving, and replays exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

from greenlet import greenlet

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOREVER = float("inf")
STALLS = (30.0, 30.0, 90.0, 90.0, 200.0, 7_200.0, 129_600.0)
"""Seconds that an actor may be stopped anywhere: from half a lease to 36 hours."""
LATEST = 110.0
"""Seconds after which a request lands whose sender is gone."""


class Crash(BaseException):
    """The process of this actor died here."""


class TooLong(Exception):
    """The simulation took more steps than any healthy one needs."""


@dataclass(eq=False, slots=True)
class Actor:
    """One thread of one process: a worker, the reconciler, an operator's command.

    `at`: seconds of virtual time before which it does not go on; `idle`: it waits for a row that is due. `background`:
    what it does every few hours keeps no world going. `commits`: the steps of its last two commits, which tell what it
    can have seen before an effect; `began`: when its step did.

    `part_of`: the actor of whose process this is another thread, with one request to make; `parts` are under way.
    """

    name: str
    installation: str
    body: Callable[[], None]
    faulty: bool = True
    background: bool = False
    at: float = 0.0
    idle: bool = False
    stalled: bool = False
    over: bool = False
    run: greenlet | None = None
    mode: str = "-"
    phase: str = "-"
    rotation: str = ""
    commits: list[int] = field(default_factory=lambda: [0, 0])
    began: int = 0
    committed_at: float = 0.0
    part_of: Actor | None = None
    parts: list[Actor] = field(default_factory=list)


class Schedule:
    """The hub: holds the time, the chance, the actors, and the requests that are still on their way."""

    def __init__(self, random: Random, *, stall_rate: float, step: float = 0.4, limit: int = 60_000) -> None:
        self.random = random
        self.now = 0.0
        self.steps = 0
        self.actors: list[Actor] = []
        self.trace: list[tuple[Any, ...]] = []
        self.current = Actor("script", "", lambda: None, faulty=False)
        self.script = self.current
        self._stall_rate = stall_rate
        self._step = step
        self._limit = limit
        self._late: list[tuple[float, int, Callable[[], None]]] = []
        self._hub: greenlet | None = None
        self.calm = False
        self.hot_until = 0

    # -- for the fakes -----------------------------------------------------------------------------------------

    def instant(self) -> datetime:
        """The virtual time."""
        return START + timedelta(seconds=round(self.now, 3))

    def pause(self, weight: float = 1.0) -> None:
        """Give way; may stall, so many times as likely as elsewhere."""
        actor = self.current
        if actor is self.script:
            return
        if actor.faulty and not self.calm and self.random.random() < self._stall_rate * weight:
            self._stall(actor, self.random.choice(STALLS))
        self._give_way()

    def _stall(self, actor: Actor, seconds: float) -> None:
        """One thread waits for a slow server, or its whole process is stopped."""
        self.tell("stalls", f"{seconds:.0f}s")
        stopped = actor.part_of is not None and self.random.random() < 0.5
        for each in actor.part_of.parts if actor.part_of is not None and stopped else (actor,):
            each.at, each.stalled = self.now + seconds, True

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""
        self.current.at = self.now + seconds
        self._give_way()

    def rest(self) -> None:
        """Do nothing until a row is due."""
        self.current.idle = True
        self._give_way()
        self.current.idle = False

    def side_by_side(self, bodies: list[Callable[[], None]]) -> None:
        """Do each in an actor of its own, all of the same process; return when all are over. A crash is of them all."""
        me = self.current
        me.parts = [self.add(replace(me, body=each, run=None, part_of=me, parts=[])) for each in bodies]
        while me.parts:
            me.at = FOREVER
            self._give_way()

    def _give_way(self) -> None:
        assert self._hub is not None
        self._hub.switch()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something land by itself after so long."""
        heappush(self._late, (self.now + seconds, self.steps, act))

    def tell(self, *what: Any) -> None:
        """Add a line to the trace."""
        self.trace.append((round(self.now, 2), self.current.name, *what))

    def digest(self) -> str:
        """Equal for equal traces."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    # -- the hub ---------------------------------------------------------------------------------------------------

    def add(self, actor: Actor, after: float = 0.0) -> Actor:
        """Let an actor begin."""
        actor.at = self.now + after
        self.actors.append(actor)
        return actor

    def drop(self, actors: list[Actor]) -> None:
        """End actors where they stand, as if their machine was switched off."""
        for actor in actors:
            actor.over = True
        self.actors = [actor for actor in self.actors if not actor.over]

    def go(
        self,
        wake: Callable[[Actor], float],
        between: Callable[[float], bool],
        quiet: Callable[[], bool],
        stop: Callable[[], bool],
    ) -> None:
        """Run until `quiet` says that nothing more is to come.

        `wake`: seconds at which an idle actor has something to do. `between`: asked before every step with the seconds
        of an idle gap (or 0); may act, and says so. `quiet`: asked when nobody has anything to do; True ends it.
        """
        self._hub = greenlet.getcurrent()
        try:
            while not stop():
                self.steps += 1
                if self.steps > self._limit:
                    raise TooLong
                self.now += self.random.random() * self._step
                self._land()
                if between(0.0):
                    continue
                ready = [a for a in self.actors if (a.at if not a.idle else max(a.at, wake(a))) <= self.now]
                if ready:
                    self._resume(ready[0] if len(ready) == 1 else self.random.choice(ready))
                elif not self._jump(wake, between) and quiet():
                    return
        finally:
            self._end()

    def _land(self) -> None:
        while self._late and self._late[0][0] <= self.now:
            heappop(self._late)[2]()

    def _resume(self, actor: Actor) -> None:
        if actor.run is None:
            actor.run = greenlet(actor.body)
        actor.stalled = False
        self.current = actor
        try:
            actor.run.switch()
        except Crash:
            self._crashed(actor)
        else:
            if actor.run.dead:
                self._ended(actor)
        finally:
            self.current = self.script

    def _ended(self, actor: Actor) -> None:
        self.drop([actor])
        whole = actor.part_of
        if whole is not None and actor in whole.parts:
            whole.parts.remove(actor)
            whole.at = FOREVER if whole.parts else self.now

    def _crashed(self, actor: Actor) -> None:
        """The process is gone with all its threads; what one had sent may land yet."""
        whole = actor.part_of or actor
        parts, whole.parts = whole.parts, []
        for part in parts:
            self._leave(part, lands=part is not actor and part.run is not None and self.random.random() < 0.5)
        if actor.part_of is not None and whole.run is not None:
            with suppress(Crash):
                whole.run.throw(Crash)
        whole.run = None
        whole.at, whole.idle = self.now + 5.0, False
        self.tell("starts again")

    def _leave(self, part: Actor, *, lands: bool) -> None:
        if not lands:
            self.drop([part])
            return
        part.faulty = False
        part.at = min(part.at, self.now + self.random.random() * LATEST)

    def _jump(self, wake: Callable[[Actor], float], between: Callable[[float], bool]) -> bool:
        """To the next moment at which somebody has something to do; False if that is never."""
        times = [a.at if not a.idle else max(a.at, wake(a)) for a in self.actors if a.stalled or not a.background]
        if self._late:
            times.append(self._late[0][0])
        then = min(times, default=FOREVER)
        if then == FOREVER:
            return False
        if not between(then - self.now):
            self.now = max(self.now, then)
        return True

    @property
    def under_way(self) -> bool:
        """Whether some request may still land, or somebody is stalled in the middle of something."""
        return bool(self._late) or any(actor.stalled for actor in self.actors)

    def _end(self) -> None:
        for actor in self.actors:
            if actor.run is not None and not actor.run.dead:
                actor.run.throw(greenlet.GreenletExit)
