"""Inventories held against advisories, an index and other tools' results. It looks, and changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.adapters.advisories.matcher import Matcher, unreadable
from rotator.adapters.index.asking import Index
from rotator.adapters.index.judging import judge_all
from rotator.app.merging import findings_of, unsure_of
from rotator.app.own_environment import OWN
from rotator.app.own_installation import CLOSURE, Audited
from rotator.domain.advisories import Feed, parted
from rotator.domain.findings import HASHES, Finding, Imported, Judged, Match, Signal, State, Unjudged, Withdrawn
from rotator.domain.packages import Component, Inventory

INSTALLED = "site-packages"
OF_OURS = frozenset({"editable", "directory", "path", "virtual"})
"""Elsewhere, and still a folder or a file of whoever wrote the inventory."""
MOST_GAPS = 20
"""Of one inventory, named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What inventories are held against. Every None, and everything empty, was not asked for.

    `at`: the time that it is judged for. `stale`: a feed that has not changed for so long says nothing of today.
    `young`: a release is too young for so long. `without`: names of signals that are not asked for.
    """

    at: datetime
    feed: Feed | None = None
    stale: timedelta = timedelta(days=7)
    index: Index | None = None
    young: timedelta = timedelta(days=7)
    imported: tuple[Imported, ...] = ()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All that came out, worst first, the rotator's own before others'."""

    against: Against
    inventories: tuple[Inventory, ...]
    findings: tuple[Finding, ...]
    unjudged: tuple[Unjudged, ...]
    withdrawn: tuple[Withdrawn, ...]
    judged: tuple[Judged, ...]
    from_sources: tuple[str, ...]

    @property
    def components(self) -> int:
        """Distinct packages in distinct versions."""
        return len({(each.package, each.version) for held in self.inventories for each in held.components})

    @property
    def newest(self) -> datetime | None:
        """The last change that the feed knows of; None without a feed, or without any."""
        return self.against.feed.newest(self.against.at) if self.against.feed is not None else None

    @property
    def stale(self) -> bool:
        """Whether there is a feed that says nothing of today: it is too old, or empty."""
        if self.against.feed is None:
            return False
        return self.newest is None or self.against.at - self.newest > self.against.stale

    @property
    def broken(self) -> tuple[tuple[str, str], ...]:
        """Records that could not be used."""
        return self.against.feed.broken if self.against.feed is not None else ()

    def signals(self, state: State) -> int:
        """How many signals say so."""
        return sum(signal.state is state for each in self.judged for signal in each.signals)

    @property
    def unknown(self) -> int:
        """How many things could not be judged."""
        return len(self.unjudged) + len(self.broken) + self.signals(State.UNKNOWN) + self.stale

    @property
    def code(self) -> int:
        """3 when something could not be judged, else 1 with findings, else 0."""
        return 3 if self.unknown else 1 if self.findings or self.signals(State.BAD) else 0


def audit(audited: Audited, against: Against) -> Audit:
    """Judge all inventories. Raises nothing for what they, the feed or the index hold."""
    inventories = audited.inventories
    held = _held(inventories)
    matcher = Matcher(against.feed) if against.feed is not None else None
    matches, withdrawn = _matches(matcher, held), _withdrawn(matcher, held)
    for each in against.imported:
        matches += [(match, each.origin) for match in each.matches]
    own = frozenset(each.label for each in inventories if each.label == OWN or each.kind == CLOSURE)
    asked = _asked(audited, held)
    return Audit(
        against=against,
        inventories=inventories,
        findings=findings_of(matches, own=own),
        unjudged=(*audited.unjudged, *_unjudged(against, inventories, held), *unsure_of(matches)),
        withdrawn=tuple(sorted(set(withdrawn), key=lambda each: (each.package, each.id))),
        judged=_without(_judged(audited, against, held, asked), against.without),
        from_sources=tuple(sorted({each.package.name for each in held if each not in asked})),
    )


Held = dict[Component, list[Inventory]]


def _held(inventories: Iterable[Inventory]) -> Held:
    """Who has each component; what differs in hashes alone is one of them, with all hashes."""
    found: dict[tuple[object, str, str], list[tuple[Component, Inventory]]] = defaultdict(list)
    for inventory in inventories:
        for component in inventory.components:
            found[component.package, component.version, component.elsewhere].append((component, inventory))
    held: Held = {}
    for group in found.values():
        told = [each.hashed for each, _ in group]
        hashed = False if False in told else True if True in told else None
        hashes = tuple(sorted({each for component, _ in group for each in component.hashes}))
        held[replace(group[0][0], hashed=hashed, hashes=hashes)] = [inventory for _, inventory in group]
    return held


def _matches(matcher: Matcher | None, held: Held) -> list[tuple[Match, str]]:
    if matcher is None:
        return []
    return [
        (match, inventory.label)
        for component, inventories in held.items()
        for match in matcher.matches(component)
        for inventory in inventories
    ]


def _withdrawn(matcher: Matcher | None, held: Held) -> list[Withdrawn]:
    return [] if matcher is None else [each for component in held for each in matcher.withdrawn(component)]


def _unjudged(against: Against, inventories: Sequence[Inventory], held: Held) -> Iterable[Unjudged]:
    for inventory in inventories:
        for gap in inventory.gaps[:MOST_GAPS]:
            yield Unjudged(what=inventory.label, why=gap)
        if len(inventory.gaps) > MOST_GAPS:
            why = f"and {len(inventory.gaps) - MOST_GAPS} more that it does not tell"
            yield Unjudged(what=inventory.label, why=why)
        if not inventory.components:
            yield Unjudged(what=inventory.label, why="it names no package at all")
        if against.feed is None and against.index is None:
            yield Unjudged(what=inventory.label, why="only other tools' results were read")
    if against.feed is not None:
        yield from _beyond(against.feed, held)
        for component, having in held.items():
            if why := unreadable(component):
                what = f"{component.package.name} {component.version}"
                yield Unjudged(what=what, why=why, where=tuple(each.label for each in having))
    for imported in against.imported:
        yield from imported.unjudged


def _beyond(feed: Feed, held: Held) -> Iterable[Unjudged]:
    """Packages of an ecosystem of which the feed has no record: it does not say that they are clean."""
    covered = {affected.package.ecosystem for each in feed.advisories for affected in each.affected}
    beyond: dict[str, list[str]] = defaultdict(list)
    for component, inventories in held.items():
        ecosystem, _ = parted(component.package.ecosystem)
        if ecosystem not in covered:
            beyond[ecosystem] += [each.label for each in inventories]
    for ecosystem, labels in sorted(beyond.items()):
        why = f"the advisories have none for {ecosystem}"
        yield Unjudged(what=f"all of {ecosystem}", why=why, where=tuple(dict.fromkeys(labels)))


def _asked(audited: Audited, held: Held) -> list[Component]:
    """What an index may know: everything that some inventory has otherwise than from its sources."""
    return [
        component
        for component, inventories in held.items()
        if not component.elsewhere and any(not _ours(audited, component, each) for each in inventories)
    ]


def _ours(audited: Audited, component: Component, inventory: Inventory) -> bool:
    """Whether it is installed from its sources. A lockfile says so itself, of each component (`elsewhere`)."""
    return inventory.kind in (INSTALLED, CLOSURE) and (inventory.label, component.package) in audited.sources


def _from_afar(held: Held) -> list[Component]:
    """What comes from no index and from no folder of ours: nobody says who is behind it."""
    return [each for each in held if each.elsewhere and each.elsewhere not in OF_OURS]


def _judged(audited: Audited, against: Against, held: Held, asked: list[Component]) -> list[Judged]:
    judged = [*audited.judged, *(each for imported in against.imported for each in imported.judged)]
    if against.index is None:
        return judged
    looked_up = [*asked, *_from_afar(held)]
    found = judge_all(against.index, looked_up, at=against.at, young=against.young, without=against.without)
    for component, signals in zip(looked_up, found, strict=True):
        where = tuple(dict.fromkeys(each.label for each in held[component]))
        pinned = any(each.kind not in (INSTALLED, CLOSURE) for each in held[component])
        more = (_hashed(component),) if pinned and not component.elsewhere else ()
        judged.append(
            Judged(package=component.package, version=component.version, where=where, signals=(*signals, *more))
        )
    return judged


def _hashed(component: Component) -> Signal:
    if component.hashed is None:
        return Signal(HASHES, State.UNKNOWN, "this kind of inventory does not tell hashes")
    if component.hashed:
        return Signal(HASHES, State.OK, "the lockfile pins hashes")
    return Signal(HASHES, State.BAD, "the lockfile pins no hashes")


def _without(judged: Iterable[Judged], names: frozenset[str]) -> tuple[Judged, ...]:
    left = (replace(each, signals=tuple(s for s in each.signals if s.name not in names)) for each in judged)
    return tuple(each for each in left if each.signals)
