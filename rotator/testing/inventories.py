"""Inventories in plain lists: for tests of other people's code. Forgets everything at exit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock

from rotator.domain.inventories import Held, Known, Record, held
from rotator.domain.packages import Component, Inventory, Package


class MemoryInventories:
    """`rotator.ports.Inventories` without a file. One lock around each method: safe for threads, not for processes."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._records: list[Record] = []
        self._components: dict[str, tuple[Component, ...]] = {}

    def record(self, inventories: Sequence[Inventory], now: datetime) -> int:
        """Add what is new. Twice: nothing."""
        records = [Record.of(each) for each in inventories]
        with self._lock:
            before = len(self._records)
            for record, inventory in zip(records, inventories, strict=True):
                if self._known(record).learn(record):
                    self._records.append(record)
                    components = sorted(set(inventory.components), key=Component.place)
                    self._components[record.digest] = tuple(components)
            return len(self._records) - before

    def history(self, consumer: str | None = None) -> tuple[Inventory, ...]:
        """What was recorded, without components."""
        return tuple(each.inventory for each in self._held(consumer))

    def holding(self, packages: Collection[Package]) -> tuple[Inventory, ...]:
        """What ever held one of these packages, with those components alone."""
        found = []
        for each in self._held(None):
            theirs = tuple(one for one in self._components[each.record.digest] if one.package in packages)
            if theirs:
                found.append(replace(each.inventory, components=theirs))
        return tuple(found)

    def at(self, instant: datetime, consumer: str | None = None) -> tuple[Inventory, ...]:
        """What holds at an instant, whole."""
        return tuple(
            replace(each.inventory, components=self._components[each.record.digest])
            for each in self._held(consumer)
            if each.inventory.touches(instant, instant)
        )

    def _known(self, record: Record) -> Known:
        place = (record.inventory.consumer, record.inventory.origin)
        return Known(each for each in self._records if (each.inventory.consumer, each.inventory.origin) == place)

    def _held(self, consumer: str | None) -> list[Held]:
        with self._lock:
            return held(each for each in self._records if consumer in (None, each.inventory.consumer))
