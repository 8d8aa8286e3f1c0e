"""Those who read the stores: told or not, they acknowledge late, wrongly, twice, for another rotation, or never."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random

from rotator.domain.acknowledgement import acknowledgement
from rotator.domain.consumers import Happened, Heard, News
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.rotation import Rotation
from rotator.engine.acknowledging import acknowledge
from rotator.engine.world import World
from rotator.ports import Way
from rotator.testing.simulator.faults import Faults
from rotator.testing.simulator.provider import SimulatedProvider
from rotator.testing.simulator.schedule import Schedule
from rotator.testing.simulator.store import SimulatedStore

DELAYS = (0.0, 0.0, 5.0, 60.0, 600.0, 1800.0, 7200.0)
"""Seconds until it has read the store again."""
NAMES = ("app", "cron", "web")
MIN_OVERLAPS = (None, timedelta(0), timedelta(minutes=10))


class SimulatedConsumers:
    """Implements `rotator.ports.Consumers` for one installation. `proved`: by whom, for which rotation, with which key.

    It has a chance of its own, so that a world without consumers is the one it was before there were any.
    """

    def __init__(
        self, ref: str, schedule: Schedule, faults: Faults, provider: SimulatedProvider, random: Random
    ) -> None:
        self.ref = ref
        self._schedule = schedule
        self._faults = faults
        self._provider = provider
        self._random = random
        few = random.choice((0, 0, 0, 1, 2, 3))
        self.names = NAMES[:few] or ("c",)
        self.told = frozenset(name for name in NAMES[:few] if random.random() < 0.7)
        self.min_overlap = random.choice(MIN_OVERLAPS) if few else None
        self.proved: set[tuple[str, str, str]] = set()
        self.stores: list[SimulatedStore] = []
        self._spread = timedelta(seconds=random.choice((0, 30, 600)))
        self._seen: set[str] = set()
        self._known = {"a000"}
        self.hire: Callable[[str, Callable[[Credential, World], None]], None]

    # -- the port --------------------------------------------------------------------------------------------------

    def way(self, consumer: str) -> Way | None:
        return Way(kind="webhook", spread=self._spread) if consumer in self.told else None

    def tell(self, consumers: Sequence[str], news: News) -> Mapping[str, Heard | Failure]:
        return {name: self._told(name, news) for name in consumers}

    def _told(self, name: str, news: News) -> Heard | Failure:
        try:
            return self._faults.effect(f"tell {name}", lambda: self._hears(name, news), late=False)
        except Failure as failure:
            return failure

    def _hears(self, name: str, news: News) -> Heard:
        drawn = self._random.random()
        if drawn < 0.15:
            raise Transient("the webhook answers with status 503")
        if drawn < 0.18:
            raise Permanent("the webhook is gone")
        if news.what is Happened.PUT_BACK:
            return Heard()
        self._reacts(name, news.rotation)
        return Heard(self._words(name, news.rotation)) if drawn < 0.5 else Heard()

    # -- what they do ----------------------------------------------------------------------------------------------

    def published(self, row: Rotation) -> None:
        """A promotion began: who is not told finds it by itself, perhaps before the last store has it."""
        if row.id in self._seen or not row.promotion_intended:
            return
        self._seen.add(row.id)
        for name in self.names:
            if name in NAMES and name not in self.told:
                self._reacts(name, row.id)

    def _reacts(self, name: str, rotation: str) -> None:
        if self._random.random() < 0.25:
            return  # a stubborn one
        self._known.add(rotation)
        delay, turns = self._random.choice(DELAYS), self._random.choice((1, 1, 2))

        def acts(spec: Credential, world: World) -> None:
            for turn in range(turns):
                self._schedule.sleep(delay if turn == 0 else 30.0)
                self._says(spec, world, name, rotation)

        self.hire(f"consumer-{name}", acts)

    def _says(self, spec: Credential, world: World, name: str, rotation: str) -> None:
        try:
            done = acknowledge(spec, world, name, self._words(name, rotation))
        except Failure as failure:
            self._schedule.tell("not acknowledged", name, failure.message)
        else:
            self._schedule.tell("acknowledged", name, done.rotation.id, done.again)

    def _words(self, name: str, rotation: str) -> str:
        """Mostly the right ones; what is proved is noted, because only here it is known for sure."""
        drawn = self._random.random()
        held = self._random.choice(self.stores).current(self.ref)
        value = held.fields.get("API_KEY", "") if held is not None else ""
        whose, of = name, rotation
        if drawn < 0.1:
            value = self._random.choice(list(self._provider.by_value))
        elif drawn < 0.2:
            of = self._random.choice(sorted(self._known))
        elif drawn < 0.3:
            whose = self._random.choice(self.names)
        key = self._provider.by_value.get(value)
        if key is not None and whose == name:
            self.proved.add((of, name, key.id))
        return acknowledgement(value, of, whose)
