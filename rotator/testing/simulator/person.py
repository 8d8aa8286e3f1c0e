"""The person who makes keys where the provider mints none: late, twice, the wrong one, and interrupted.

Where the provider has no deletion the same person deletes: late, or much later, and sometimes the wrong key.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from rotator.domain.credential import Credential
from rotator.domain.failures import Denied, Failure
from rotator.domain.rotation import Rotation
from rotator.engine import by_hand, handed, providing
from rotator.engine.handed import NotTaken
from rotator.engine.world import World
from rotator.testing.simulator.provider import SimulatedKey, SimulatedProvider
from rotator.testing.simulator.schedule import START, Schedule
from rotator.testing.simulator.store import SimulatedStore

PAUSES = (20.0, 60.0, 60.0, 300.0, 1_800.0, 3_600.0, 6 * 3_600.0)
"""Seconds between two looks at what is asked for."""
LONG = 30 * 3_600.0
PATIENCE = 600.0
"""Seconds for which a key that was handed over without an answer is not deleted."""


class Person:
    """One who looks now and then. What was made and not handed over is remembered, as on a note beside the screen."""

    def __init__(self, schedule: Schedule, provider: SimulatedProvider, random: Random) -> None:
        self._schedule = schedule
        self._provider = provider
        self._random = random
        self._noted: SimulatedKey | None = None
        self._left: dict[str, float] = {}  # when it was last handed over, or may have been

    def works(self, spec: Credential, world: World, asked: Callable[[str], Rotation | None]) -> None:
        """Look, make, hand over, delete, for ever; may be interrupted anywhere and goes on with what is noted."""
        while True:
            self._schedule.sleep(LONG if self._random.random() < 0.02 else self._random.choice(PAUSES))
            row = asked(spec.name)
            if row is None or not (handed.awaits(row) or by_hand.waiting_keys(row)):
                continue
            actor = self._schedule.current
            actor.rotation, actor.mode, actor.phase = row.id, row.mode.value, row.phase.value
            actor.background = False
            try:
                if handed.awaits(row):
                    self._hands_over(spec, world, row)
                else:
                    self._deletes(spec, row)
            except Denied:
                self._asks_for_access(world)
            except Failure as failure:
                self._schedule.tell("not handed over", failure.message)
                self._tidies_up(spec, failure)
            finally:
                actor.background = True

    def _deletes(self, spec: Credential, row: Rotation) -> None:
        """One of the keys that are asked for, or nothing today; or a wrong one, when there is somebody to mend it."""
        if self._random.random() < 0.3:
            return
        asked = self._random.choice(by_hand.waiting_keys(row))
        if self._random.random() < 0.05 and (living := self._provider.living(spec.principal.name)):
            wrong = self._random.choice(living)
            self._schedule.tell("deletes the wrong key", wrong.id)
            self._provider.delete_in_console(wrong, asked=wrong.id == asked.key_id)
            return
        self._schedule.pause()
        self._schedule.tell("deletes as asked", asked.key_id)
        self._provider.delete_in_console(self._provider.keys_by_id[asked.key_id], asked=True)

    def _hands_over(self, spec: Credential, world: World, row: Rotation) -> None:
        key = self._chosen(spec, row)
        self._schedule.pause()
        self._schedule.tell("hands over", key.id)
        done = providing.provide(spec, world, key.secret, self._schedule.sleep, asked_by=row.id)
        self._schedule.tell("handed over", done.key_id, done.store)
        if not key.handed:
            key.handed, key.listed_from = True, self._schedule.now
        if self._random.random() < 0.1:
            providing.provide(spec, world, key.secret, self._schedule.sleep, asked_by=row.id)
        self._left[key.id] = self._schedule.now
        self._noted = None

    def _chosen(self, spec: Credential, row: Rotation) -> SimulatedKey:
        """Mostly a fresh key, or the one that is noted; sometimes one that was there before.

        Where the provider lists nothing only this person knows how old a key is, and what is noted from before the
        question is thrown away.
        """
        drawn, asked_at = self._random.random(), row.first_mint_at or self._schedule.instant()
        noted = self._noted
        if noted is not None and not self._provider.offers.lists and noted.born <= (asked_at - START).total_seconds():
            self._provider.delete_in_console(noted)
            self._noted = None
        if drawn < 0.15:
            every = self._provider.keys_by_id.values()
            had = [key for key in every if key.principal == spec.principal.name and key.handed]
            # One that was deleted, works on beyond the provider's own word, and cannot be named by it: nobody can tell.
            tells = self._provider.offers.identifies or not self._provider.slow_deaths
            return self._random.choice([key for key in had if tells or key.live] or had)
        if self._noted is None or not self._noted.live or drawn < 0.35:
            whose = self._schedule.current.installation
            self._noted = self._provider.make_in_console(spec.principal.name, whose)
        return self._noted

    def _tidies_up(self, spec: Credential, failure: Failure) -> None:
        """Notes what may have arrived all the same; does what the hint says with keys that are in the way."""
        if not isinstance(failure, NotTaken) and self._noted is not None:
            self._left[self._noted.id] = self._schedule.now
        if "nobody can tell" not in failure.message:
            return
        named = set(failure.message.replace(",", " ").split())
        for key in self._provider.living(spec.principal.name):
            left = self._schedule.now - self._left.get(key.id, -PATIENCE) < PATIENCE
            if key.id in named and key.made_by_hand and key is not self._noted and not left:
                self._provider.delete_in_console(key)

    def _asks_for_access(self, world: World) -> None:
        """No store may be written: somebody gives the permission back."""
        self._schedule.tell("asks for access")
        for store in world.stores.values():
            if isinstance(store, SimulatedStore):
                store.denied = False
