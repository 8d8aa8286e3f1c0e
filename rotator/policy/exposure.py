"""Which credentials a bad package exposed, in the order in which they must be replaced, and why each of them.

Pure: what consumers had, what they may read and what opens what is gathered elsewhere. Absence of a record is never
taken for absence of an exposure: whoever has none in the window is unknown, and so is what he reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from rotator.domain.grants import Grant
from rotator.domain.packages import Component, Inventory
from rotator.domain.times import format_time

NAMED = "named by a person"
NOTHING_SAYS = "it had it, and nothing says what it could read then"


class Rank(IntEnum):
    """What a thief can do with it; the lower, the sooner it is replaced."""

    MINTS = 0  # a provider's admin credential: it makes keys that nobody here knows
    UNLOCKS = 1  # it opens a store: whatever is published there next can be read with it
    PUBLISHES = 2  # packages, images or pipelines: its thief makes the next victims
    LEAF = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What there is, and what opens what.

    `credentials`: all names, in their order. `grants`: the first step of each path is a consumer. `unbounded`: by
    consumer, identities of which nobody says what they may read. `lockfiles`: by consumer, the files that tell what it
    has, as inventories call them. `mints`: by credential, the providers whose admin credential it is;
    `unlocks`: by credential, the stores that it opens. `published`: by store, the credentials that are in it; `issued`:
    by provider, the credentials whose keys it issues. `revealing`: providers that show their keys' values to an admin.
    `publishers`: credentials with which packages, images or pipelines are published. `privilege`: what is
    compared among equals, the first number first; the greater, the sooner.
    """

    credentials: tuple[str, ...]
    consumers: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    unbounded: Mapping[str, Collection[str]] = field(default_factory=dict)
    lockfiles: Mapping[str, Collection[str]] = field(default_factory=dict)
    mints: Mapping[str, Collection[str]] = field(default_factory=dict)
    unlocks: Mapping[str, Collection[str]] = field(default_factory=dict)
    published: Mapping[str, Collection[str]] = field(default_factory=dict)
    issued: Mapping[str, Collection[str]] = field(default_factory=dict)
    revealing: frozenset[str] = frozenset()
    publishers: frozenset[str] = frozenset()
    privilege: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def rank(self, credential: str) -> Rank:
        """What a thief can do with it."""
        if self.mints.get(credential):
            return Rank.MINTS
        if self.unlocks.get(credential):
            return Rank.UNLOCKS
        return Rank.PUBLISHES if credential in self.publishers else Rank.LEAF

    def urgency(self, credential: str) -> tuple[int, ...]:
        """The lower, the sooner it is replaced: by rank, then by privilege."""
        return self.rank(credential), *(-number for number in self.privilege.get(credential, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A credential that must be replaced. `why`: each way that leads to it, as steps in words, the shortest first."""

    credential: str
    rank: Rank
    why: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What a bad package exposed.

    `exposed` is in the order of replacement. `consumers`: who had it, with what shows it. `unknown_consumers`: who may
    have had it, and what is not known of them; `unknown`: credentials that only these read, or nobody who is declared.
    """

    exposed: tuple[Exposed, ...]
    consumers: Mapping[str, tuple[str, ...]]
    unknown_consumers: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The exposed credentials, in order."""
        return tuple(each.credential for each in self.exposed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What was bad, and when: both ends of the window belong to it.

    `matches`: whether a component is bad; None: nobody can say, because its version cannot be read. `ecosystems`: those
    of the bad packages; only a record that would name one says that a consumer did not have it.
    """

    ecosystems: frozenset[str]
    matches: Callable[[Component], bool | None]
    start: datetime
    end: datetime


def exposure(
    estate: Estate, inventories: Sequence[Inventory], suspect: Suspect | None, named: Collection[str] = ()
) -> Exposure:
    """The closure: from who had the package over what they read to what that opens, and what the `named` ones open.

    `suspect` None: no package is bad, so of nobody anything is unknown.
    """
    had, unknown = _consumers(estate, inventories, suspect) if suspect is not None else ({}, {})
    ways: dict[str, list[tuple[str, ...]]] = {name: [(NAMED,)] for name in named}
    for grant in estate.grants:
        consumer, *path = grant.path
        for evidence in had.get(consumer, ()):
            ways.setdefault(grant.credential, []).append((f"{consumer} {evidence}", *path))
    _close(estate, ways)
    exposed = [
        Exposed(credential=name, rank=estate.rank(name), why=tuple(sorted(set(ways[name]), key=_shortest)))
        for name in estate.credentials
        if name in ways
    ]
    exposed.sort(key=lambda each: estate.urgency(each.credential))
    return Exposure(
        exposed=tuple(exposed),
        consumers=had,
        unknown_consumers=unknown,
        unknown=_not_covered(estate, ways.keys(), had, unknown) if suspect is not None else {},
    )


def _shortest(way: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    return len(way), way


def _consumers(
    estate: Estate, inventories: Sequence[Inventory], suspect: Suspect
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Who had it, and of whom that is not known; one may be both, for what it had at another time of the window."""
    had: dict[str, tuple[str, ...]] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    by_consumer: dict[str, list[Inventory]] = {name: [] for name in estate.consumers}
    for each in inventories:
        by_consumer.setdefault(each.consumer, []).append(each)
    for consumer, ever in by_consumer.items():
        seen, doubts = _evidence([each for each in ever if each.touches(suspect.start, suspect.end)], suspect)
        for file in estate.lockfiles.get(consumer, ()):
            doubts += _of_a_file(file, [each for each in ever if _is_of(each, file)], suspect)
        if seen and not any(grant.path[0] == consumer for grant in estate.grants):
            doubts.append(NOTHING_SAYS)
        if seen:
            had[consumer] = tuple(seen)
        if doubts:
            unknown[consumer] = tuple(doubts)
    return had, unknown


def _is_of(each: Inventory, file: str) -> bool:
    """Of a folder, what is in it is recorded."""
    return each.origin == file or each.origin.startswith(f"{file}/")


def _of_a_file(file: str, ever: Sequence[Inventory], suspect: Suspect) -> Iterator[str]:
    """A declared file that says nothing of a part of the window; others that do cannot speak for it."""
    if not ever:
        yield f"no record of {file}"
        return
    held = [each for each in ever if each.touches(suspect.start, suspect.end)]
    for ecosystem in sorted(suspect.ecosystems):
        if any(each.speaks_of(ecosystem) for each in ever):
            yield from (f"{file}: {gap}" for gap in _uncovered(held, ecosystem, suspect))


def _evidence(held: Sequence[Inventory], suspect: Suspect) -> tuple[list[str], list[str]]:
    seen: list[str] = []
    doubts = [doubt for ecosystem in sorted(suspect.ecosystems) for doubt in _uncovered(held, ecosystem, suspect)]
    for each in sorted(held, key=lambda inventory: (inventory.since, inventory.origin)):
        for component in each.components:
            verdict = suspect.matches(component)
            what = f"{component.package.name} {component.version or 'in some version'}"
            if verdict:
                seen.append(f"had {what} {during(each)} ({each.origin})")
            elif verdict is None:
                doubts.append(f"{what} in {each.origin} cannot be judged")
        doubts += [f"{each.origin}: {gap}" for gap in each.gaps]
    return list(dict.fromkeys(seen)), list(dict.fromkeys(doubts))


def during(each: Inventory) -> str:
    """From when to when it holds, in words."""
    end = f"until {format_time(each.until)}" if each.until is not None else "to this day"
    return f"from {format_time(each.since)} {end}"


def _uncovered(held: Iterable[Inventory], ecosystem: str, suspect: Suspect) -> Iterator[str]:
    """Parts of the window of which no record says what there was of an ecosystem."""
    at = suspect.start
    for each in sorted((each for each in held if each.speaks_of(ecosystem)), key=lambda inventory: inventory.since):
        if each.since > at:
            yield _nothing(ecosystem, at, min(each.since, suspect.end))
        if each.until is None:
            return
        at = max(at, each.until)
    if at <= suspect.end:
        yield _nothing(ecosystem, at, suspect.end)


def _nothing(ecosystem: str, start: datetime, end: datetime) -> str:
    return f"no record of its {ecosystem} packages from {format_time(start)} to {format_time(end)}"


def _close(estate: Estate, ways: dict[str, list[tuple[str, ...]]]) -> None:
    """Add what the exposed ones open, and what that opens."""
    todo = list(ways)
    while todo:
        name = todo.pop()
        way = min(ways[name], key=_shortest)
        for other, step in _opens(estate, name):
            if other not in ways:
                ways[other] = [(*way, step)]
                todo.append(other)


def _opens(estate: Estate, name: str) -> Iterator[tuple[str, str]]:
    """Other credentials that whoever has this one can read, each with how."""
    for store in estate.unlocks.get(name, ()):
        for other in estate.published.get(store, ()):
            if other != name:
                yield other, f"{name} opens the store {store}, which holds it"
    for provider in estate.mints.get(name, ()):
        for other in estate.issued.get(provider, ()) if provider in estate.revealing else ():
            if other != name:
                yield other, f"{name} is the admin credential of {provider}, which shows the values of its keys"


def _not_covered(
    estate: Estate,
    exposed: Collection[str],
    had: Mapping[str, tuple[str, ...]],
    unknown_consumers: Mapping[str, tuple[str, ...]],
) -> dict[str, str]:
    """Credentials of which nobody can say that they are safe, each with the reason."""
    readers: dict[str, list[str]] = {name: [] for name in estate.credentials}
    for grant in estate.grants:
        readers.setdefault(grant.credential, []).append(grant.path[0])
    unbounded = [
        f"{consumer} may read it as {', '.join(sorted(roles))}, of which nobody says what it reads"
        for consumer, roles in estate.unbounded.items()
        if roles and (consumer in had or consumer in unknown_consumers)
    ]
    found = {}
    for name in estate.credentials:
        if name in exposed:
            continue
        doubtful = sorted({each for each in readers[name] if each in unknown_consumers})
        if doubtful:
            found[name] = f"read by {', '.join(doubtful)}, of which nobody knows what it had"
        elif not readers[name]:
            found[name] = "no consumer is declared that reads it"
        elif unbounded:
            found[name] = unbounded[0]
    return _opened_by(estate, exposed, found)


def _opened_by(estate: Estate, exposed: Collection[str], found: dict[str, str]) -> dict[str, str]:
    """What these open, and what that opens, is no safer than they are."""
    todo = list(found)
    while todo:
        name = todo.pop()
        for other, step in _opens(estate, name):
            if other not in exposed and other not in found:
                found[other] = f"{name} may be exposed: {step}"
                todo.append(other)
    return found
