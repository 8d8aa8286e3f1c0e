"""A store in memory: compare-and-set of its own, or only detected, or written unread; it remembers who wrote what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Denied, Permanent, Transient
from rotator.ports import ABSENT, StoreCapabilities, Stored
from rotator.testing.simulator.faults import Faults
from rotator.testing.simulator.provider import BY_A_PERSON, Act
from rotator.testing.simulator.schedule import Schedule

HANDS_OVER = "-person"
"""How the name of an actor ends who hands keys over: then much depends on one write of a pending place, too."""

Where = tuple[str, PlaceKind, str]


@dataclass(frozen=True, slots=True)
class Written:
    """What a place holds. `blind`: the write landed on another version than was compared with."""

    version: str
    fields: Mapping[str, str]
    by: Act
    serial: int
    blind: bool = False


class Watcher(Protocol):
    """Told of every effect on places, the moment it happens."""

    def written(self, store: SimulatedStore, where: Where, now: Written | None, before: Written | None) -> None: ...


class SimulatedStore:
    """Implements `rotator.ports.Store`."""

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        faults: Faults,
        *,
        exact: bool,
        history: bool = False,
        readable: bool = True,
    ) -> None:
        self.name = name
        self._schedule = schedule
        self._faults = faults
        self._offers = StoreCapabilities(exact=exact, history=history, readable=readable)
        self.exact = exact
        self.readable = readable
        self.watcher: Watcher
        self.held: dict[Where, Written] = {}
        self.down_until = 0.0
        self.denied = False
        self._versions = 0

    # -- the port ------------------------------------------------------------------------------------------------

    def capabilities(self) -> StoreCapabilities:
        return self._offers

    def read(self, place: Place) -> Stored:
        where = self._place(place)
        self._faults.look(f"read {self.name} {place.kind.value}")
        self._up()
        stored = self._read(where)
        return stored if self.readable else Stored(version=stored.version)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        by, where = Act.of(self._schedule.current), self._place(place)
        if not self.exact:
            return self._write_blindly(where, dict(fields), expected, by)
        what = f"write {self.name} {place.kind.value} {place.of}"
        hot = place.kind is PlaceKind.CURRENT or by.actor.endswith(HANDS_OVER)
        return self._faults.effect(what, lambda: self._write(where, dict(fields), expected, by), hot=hot)

    def remove(self, place: Place, expected: str) -> None:
        by, where = Act.of(self._schedule.current), self._place(place)
        what = f"remove {self.name} {place.kind.value} {place.of}"
        self._faults.effect(what, lambda: self._remove(where, expected, by))

    def places(self, ref: str) -> tuple[Place, ...]:
        self._faults.look(f"places {self.name}")
        self._up()
        return tuple(
            Place(ref=ref, kind=kind, of=of)
            for held, kind, of in self.held
            if held == ref and kind is not PlaceKind.CURRENT
        )

    # -- the truth -------------------------------------------------------------------------------------------------

    def current(self, ref: str) -> Written | None:
        """What consumers read."""
        return self.held.get((ref, PlaceKind.CURRENT, ""))

    def install(self, ref: str, fields: Mapping[str, str], installation: str) -> None:
        """What an installation found when it adopted the credential."""
        self._put((ref, PlaceKind.CURRENT, ""), fields, Act(installation, "adopt", "", "-", "-", 0), blind=False)

    def put(self, ref: str, fields: Mapping[str, str]) -> None:
        """A person writes by hand."""
        self._put((ref, PlaceKind.CURRENT, ""), fields, BY_A_PERSON, blind=False)

    def clear(self, ref: str) -> None:
        """A person deletes what consumers read."""
        before = self.held.pop((ref, PlaceKind.CURRENT, ""))
        self.watcher.written(self, (ref, PlaceKind.CURRENT, ""), None, before)

    def up(self) -> bool:
        """Whether it answers."""
        return not self.denied and self.down_until <= self._schedule.now

    def _place(self, place: Place) -> Where:
        if not self.readable and place.kind is not PlaceKind.CURRENT:
            raise Permanent(f"{self.name} keeps no {place.kind.value} values")
        return (place.ref, place.kind, place.of)

    def _up(self) -> None:
        if self.denied:
            raise Denied(f"{self.name} forbids it", permission="write")
        if self.down_until > self._schedule.now:
            raise Transient(f"{self.name} is down")

    def _read(self, where: Where) -> Stored:
        held = self.held.get(where)
        return Stored(version=held.version, fields=held.fields) if held is not None else Stored(version=ABSENT)

    def _compare(self, where: Where, expected: str) -> None:
        self._up()
        if self._read(where).version != expected:
            raise Conflict(f"{self.name} was written meanwhile")

    def _write(self, where: Where, fields: Mapping[str, str], expected: str, by: Act) -> str:
        self._compare(where, expected)
        return self._put(where, fields, by, blind=False)

    def _write_blindly(self, where: Where, fields: Mapping[str, str], expected: str, by: Act) -> str:
        """Compare, write whatever is there, look again: another's write in between is lost, and ours may be."""
        self._compare(where, expected)

        def land() -> str:
            self._up()
            return self._put(where, fields, by, blind=self._read(where).version != expected)

        hot = where[1] is PlaceKind.CURRENT
        version = self._faults.effect(f"write {self.name} {where[1].value} {where[2]}", land, hot=hot)
        self._faults.look(f"look again {self.name}")
        if self._read(where).version != version:
            raise Conflict(f"{self.name} was written at the same time")
        return version

    def _put(self, where: Where, fields: Mapping[str, str], by: Act, *, blind: bool) -> str:
        self._versions += 1
        before, serial = self.held.get(where), self._schedule.steps
        if before is not None and before.fields == fields and before.by is BY_A_PERSON:
            by, serial = before.by, before.serial  # rewritten as it was: still the person's value
        self.held[where] = now = Written(f"v{self._versions}", fields, by, serial, blind)
        self.watcher.written(self, where, now, before)
        return now.version

    def _remove(self, where: Where, expected: str, by: Act) -> None:
        self._up()
        if where not in self.held:
            return
        self._compare(where, expected)
        before = self.held.pop(where)
        self.watcher.written(self, where, None, before)
