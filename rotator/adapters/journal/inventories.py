"""`rotator.ports.Inventories` on the journal's database.

Components are kept once; those of an inventory are divided into bundles by their names, and a bundle is kept once, too.
So of a lockfile's thousand versions each costs the few bundles in which something changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from rotator.adapters.journal import inventory_statements as sql
from rotator.adapters.journal import locks, reading, rows
from rotator.adapters.journal.rows import micros
from rotator.adapters.journal.session import Session, Statement
from rotator.domain.inventories import Held, Known, Record, bin_of, digest, held
from rotator.domain.packages import Component, Inventory, Package

T = TypeVar("T")
_NOBODY_KNOWS = -1


class Run(Protocol):
    """Does a piece of work in a transaction of its own, or answers a question of one moment."""

    def __call__(self, work: Callable[[Session], T], /) -> T: ...


class JournalInventories:
    """Inventories beside a journal. Raises what the journal raises."""

    def __init__(self, write: Run, read: Run) -> None:
        self._write = write
        self._read = read

    def record(self, inventories: Sequence[Inventory], now: datetime) -> int:
        """Add what is new, all or none. Twice: nothing."""
        records = [Record.of(each) for each in inventories]
        return self._write(lambda session: _record(session, records, inventories, now))

    def history(self, consumer: str | None = None) -> tuple[Inventory, ...]:
        """What was recorded, without components."""
        return tuple(each.inventory for each, _ in self._read(lambda session: _held(session, consumer)))

    def holding(self, packages: Collection[Package]) -> tuple[Inventory, ...]:
        """What ever held one of these packages, with those components alone."""
        if not packages:
            return ()
        return self._read(lambda session: _holding(session, packages))

    def at(self, instant: datetime, consumer: str | None = None) -> tuple[Inventory, ...]:
        """What holds at an instant, whole."""
        return self._read(lambda session: _at(session, instant, consumer))


# -- writing ---------------------------------------------------------------------------------------------------------


def _record(session: Session, records: Sequence[Record], inventories: Sequence[Inventory], now: datetime) -> int:
    session.lock(locks.ALL_INVENTORIES, {})
    known: dict[tuple[str, str], Known] = {}
    added = 0
    for record, inventory in zip(records, inventories, strict=True):
        place = (inventory.consumer, inventory.origin)
        if place not in known:
            found = _records(session, sql.RECORDS_OF_FILE, {"consumer": place[0], "origin": place[1]})
            known[place] = Known(each for each, _ in found)
        if known[place].learn(record):
            _add_contents(session, record.digest, inventory.components)
            values = {**rows.INVENTORY.encode(inventory), "digest": record.digest, "recorded_at": micros(now)}
            session.put(sql.ADD_INVENTORY, [values])
            added += 1
    return added


def _add_contents(session: Session, of_all: str, components: Sequence[Component]) -> None:
    if session.one(sql.CONTENTS_KNOWN, {"digest": of_all}):
        return
    bins: dict[int, set[Component]] = defaultdict(set)
    for each in components:
        bins[bin_of(each)].add(each)
    bundles = {digest(each): each for each in bins.values()}
    known = {name for (name,) in session.all(sql.BUNDLES_KNOWN, {"digests": reading.names(bundles)})}
    for name, bundle in bundles.items():
        if name not in known:
            _add_bundle(session, name, bundle)
    session.put(sql.ADD_CONTENTS, [{"digest": of_all}])
    if bundles:
        session.put(sql.PUT_INTO_CONTENTS, [{"digest": of_all, "bundle_digest": name} for name in bundles])


def _add_bundle(session: Session, name: str, components: Collection[Component]) -> None:
    values = [_encoded(each) for each in components]
    session.put(sql.ADD_BUNDLE, [{"digest": name}])
    session.put(sql.ADD_COMPONENT, values)
    session.put(sql.PUT_INTO_BUNDLE, [{**each, "digest": name} for each in values])


def _encoded(component: Component) -> dict[str, Any]:
    return {
        "ecosystem": rows.text(component.package.ecosystem),
        "name": rows.text(component.package.name),
        "version": rows.text(component.version),
        "elsewhere": rows.text(component.elsewhere),
        "hashed": _NOBODY_KNOWS if component.hashed is None else int(component.hashed),
    }


# -- reading ---------------------------------------------------------------------------------------------------------


def _records(session: Session, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Record, int]]:
    """Records with their numbers, in the order in which they came."""
    found = []
    for row in session.all(statement, values):
        inventory = Inventory(**rows.INVENTORY.fields(row[:-2]), components=())
        found.append((Record(inventory, row[-2]), row[-1]))
    return found


def _held(session: Session, consumer: str | None) -> list[tuple[Held, int]]:
    """What counts, with its numbers."""
    if consumer is None:
        found = _records(session, sql.RECORDS, {})
    else:
        found = _records(session, sql.RECORDS_OF, {"consumer": consumer})
    numbers = {id(record): number for record, number in found}
    return [(each, numbers[id(each.record)]) for each in held(record for record, _ in found)]


def _holding(session: Session, packages: Collection[Package]) -> tuple[Inventory, ...]:
    theirs: dict[int, list[Component]] = defaultdict(list)
    for package in sorted(set(packages)):
        for number, *row in session.all(sql.HOLDING, {"ecosystem": package.ecosystem, "name": package.name}):
            theirs[number].append(_decoded(row))
    if not theirs:
        return ()
    return tuple(
        replace(each.inventory, components=_sorted(theirs[number]))
        for each, number in _held(session, None)
        if number in theirs
    )


def _at(session: Session, instant: datetime, consumer: str | None) -> tuple[Inventory, ...]:
    found = []
    for each, number in _held(session, consumer):
        if each.inventory.touches(instant, instant):
            components = [_decoded(row[1:]) for row in session.all(sql.COMPONENTS_OF, {"number": number})]
            found.append(replace(each.inventory, components=_sorted(components)))
    return tuple(found)


def _decoded(row: Sequence[Any]) -> Component:
    ecosystem, name, version, elsewhere, hashed = row
    return Component(
        package=Package(ecosystem, name),
        version=version,
        elsewhere=elsewhere,
        hashed=None if hashed == _NOBODY_KNOWS else bool(hashed),
    )


def _sorted(components: list[Component]) -> tuple[Component, ...]:
    return tuple(sorted(components, key=Component.place))
