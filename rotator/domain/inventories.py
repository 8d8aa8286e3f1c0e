"""Of all that was ever recorded, what holds: one rule for every implementation of `rotator.ports.Inventories`.

Records that are of a commit say themselves when they end; of two about the same commit the later counts. The others are
what somebody saw at `since`, and hold until the next time that somebody looked and saw something else. A commit that
does not say when it ends holds until the first look that was recorded after it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.domain.packages import Component, Inventory

BINS = 32
"""Into so many parts a set of components is divided, so that two versions of a lockfile have most of them in common."""


@dataclass(frozen=True, slots=True)
class Record:
    """An inventory as it was given, its components as their digest alone."""

    inventory: Inventory
    digest: str

    @classmethod
    def of(cls, inventory: Inventory) -> Record:
        """Raises `ValueError` for one that ends before it begins, and `TypeError` for a naive time."""
        for time in (inventory.since, inventory.until):
            if time is not None and time.tzinfo is None:
                raise TypeError("a time without a time zone is no instant")
        if inventory.until is not None and inventory.until < inventory.since:
            raise ValueError(f"{inventory.consumer}: an inventory ends before it begins")
        return cls(replace(inventory, components=()), digest(inventory.components))

    @property
    def contents(self) -> tuple[str, str, tuple[str, ...]]:
        """What it says, whenever."""
        return self.inventory.kind, self.digest, self.inventory.gaps


@dataclass(frozen=True, slots=True)
class Held:
    """A record that counts, and the time for which it does."""

    record: Record
    until: datetime | None

    @property
    def inventory(self) -> Inventory:
        """As it holds, without components."""
        return replace(self.record.inventory, until=self.until)


def held(records: Iterable[Record]) -> list[Held]:
    """What counts of these, which are in the order in which they came: by consumer, origin and time."""
    files: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        files.setdefault((record.inventory.consumer, record.inventory.origin), []).append(record)
    found: list[Held] = []
    for key in sorted(files):
        of_it = _of_a_file(files[key])
        found += sorted(of_it, key=lambda each: (each.record.inventory.since, each.record.inventory.commit))
    return found


def _of_a_file(records: Sequence[Record]) -> list[Held]:
    first: dict[str, int] = {}
    last: dict[str, Record] = {}
    looks: list[tuple[int, Record]] = []
    for place, each in enumerate(records):
        if each.inventory.commit:
            first.setdefault(each.inventory.commit, place)
            last[each.inventory.commit] = each
        else:
            looks.append((place, each))
    times = sorted({each.inventory.since for _, each in looks})
    return [
        *(Held(each, _end_of_commit(each.inventory, first[commit], looks)) for commit, each in last.items()),
        *(Held(each, _end(each.inventory, times)) for _, each in looks),
    ]


def _end(inventory: Inventory, times: Sequence[datetime]) -> datetime | None:
    if inventory.until is not None:
        return inventory.until
    after = bisect_right(times, inventory.since)
    return times[after] if after < len(times) else None


def _end_of_commit(inventory: Inventory, known: int, looks: Sequence[tuple[int, Record]]) -> datetime | None:
    """One that begins before it was made may have been looked past: only who looked once it was known ends it."""
    if inventory.until is not None:
        return inventory.until
    times = (each.inventory.since for place, each in looks if place > known)
    return min((time for time in times if time > inventory.since), default=None)


class Known:
    """What is known of one file of one consumer, while more is recorded."""

    def __init__(self, records: Iterable[Record]) -> None:
        """`records`: in the order in which they came."""
        self._records: list[Record] = []
        self._of_commits: dict[str, Record] = {}
        for each in records:
            self._add(each)

    def learn(self, record: Record) -> bool:
        """Whether it tells something new; then it is known from now on."""
        new = self._is_new(record)
        if new:
            self._add(record)
        return new

    def _add(self, record: Record) -> None:
        self._records.append(record)
        if record.inventory.commit:
            self._of_commits[record.inventory.commit] = record

    def _is_new(self, record: Record) -> bool:
        if record.inventory.commit:
            return self._of_commits.get(record.inventory.commit) != record
        if record in self._records:
            return False
        holding = self._holding(record.inventory.since)
        # Of a commit and a look at the same time the look counts: it is what was there.
        last = max(holding, key=lambda each: (each.inventory.since, not each.inventory.commit), default=None)
        if last is None or last.inventory.until is not None or last.contents != record.contents:
            return True
        # What a commit said after the last look goes on until somebody looks again.
        return not last.inventory.commit and any(
            each.inventory.commit and each.inventory.until is None and each.contents != record.contents
            for each in holding
        )

    def _holding(self, instant: datetime) -> list[Record]:
        return [each.record for each in _of_a_file(self._records) if each.inventory.touches(instant, instant)]


# -- digests ---------------------------------------------------------------------------------------------------------


def bin_of(component: Component) -> int:
    """In which part it is, always the same for a package."""
    text = f"{component.package.ecosystem}\0{component.package.name}"
    return hashlib.sha256(text.encode()).digest()[0] % BINS


def digest(components: Iterable[Component]) -> str:
    """The same for the same components in whatever order."""
    lines = sorted(
        "\0".join((each.package.ecosystem, each.package.name, each.version, each.elsewhere, str(each.hashed)))
        for each in components
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
