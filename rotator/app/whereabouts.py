"""Who had a package when, which credentials each could read, and of whom nobody can say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.inventories import Target, consumers_of, declared, inventories_of
from rotator.app.own_environment import OWN
from rotator.app.wanting import Wanted
from rotator.config.reading import Config
from rotator.domain.grants import Readable
from rotator.domain.packages import ECOSYSTEM_OF, Inventory
from rotator.domain.times import quoted
from rotator.policy.grants import readable
from rotator.ports import Inventories

Span = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A consumer had a version. `commit`: of the first inventory that says so, "" where it is of none."""

    consumer: str
    version: str
    since: datetime
    until: datetime | None
    origin: str
    commit: str
    readable: Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Of a consumer nobody can say it, for the reason in `why`."""

    consumer: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """`known_since`: of each consumer with a record, since when anything is known of it."""

    found: tuple[Sighting, ...]
    unknown: tuple[Unknown, ...]
    known_since: dict[str, datetime]

    @property
    def code(self) -> int:
        """3 when of somebody nobody can say it, or what they could read, else 1 when somebody had it, else 0."""
        incomplete = self.unknown or any(each.readable.unknown for each in self.found)
        return 3 if incomplete else 1 if self.found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is asked about; None: however long ago, and until now."""

    start: datetime | None = None
    end: datetime | None = None

    def cut(self, span: Span) -> bool:
        """Whether something of that time is within."""
        since, until = span
        begun = self.end is None or since <= self.end
        return begun and (self.start is None or until is None or until > self.start)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What must be covered by records; `start` None: from the first on."""

    ecosystem: str
    start: datetime | None
    end: datetime


def where(assembly: Assembly, wanted: Wanted, window: Window) -> Whereabouts:
    """Look. Raises what the journal raises."""
    kept, config, now = inventories_of(assembly), assembly.config, assembly.clock.now()
    ever = tuple(_whole(kept, each) for each in kept.history())
    history = [each for each in ever if window.cut((each.since, each.until))]
    holding = [each for each in kept.holding([wanted.package]) if window.cut((each.since, each.until))]
    sure, perhaps = _split(holding, wanted)
    found = tuple(replace(each, readable=_readable(config, each.consumer)) for each in _merged(sure))
    others = [each for each in ever if each.consumer != OWN]  # what this rotator had is told; what it lacks is no gap
    consumers = sorted({*consumers_of(config), *(each.consumer for each in others)})
    asked = _Asked(wanted.package.ecosystem, window.start, now if window.end is None else window.end)
    unknown = [
        why
        for consumer in consumers
        for why in (
            *_unrecorded(config, consumer, ever, asked),
            *_perhaps(consumer, perhaps),
            *_gaps(consumer, history),
        )
    ]
    known_since: dict[str, datetime] = {}
    for each in others:
        known_since[each.consumer] = min(each.since, known_since.get(each.consumer, each.since))
    return Whereabouts(found=found, unknown=tuple(unknown), known_since=known_since)


def _whole(kept: Inventories, each: Inventory) -> Inventory:
    """With its components where it depends on them of which ecosystem it speaks: a bill of materials."""
    if each.kind in ECOSYSTEM_OF:
        return each
    held = kept.at(each.since, each.consumer)
    return next((other for other in held if (other.origin, other.commit) == (each.origin, each.commit)), each)


def is_of(target: Target, origin: str) -> bool:
    """Whether a record by this origin is of a declared file; of a folder, what is in it is recorded."""
    return origin == target.origin or origin.startswith(f"{target.origin}/")


def _readable(config: Config, consumer: str) -> Readable:
    entry = config.consumers.get(consumer)
    runs_as = entry.identities if entry is not None else ()
    return readable(consumer, runs_as, config.identities, config.credentials.values())


# -- who had it ------------------------------------------------------------------------------------------------------


def _split(holding: Iterable[Inventory], wanted: Wanted) -> tuple[list[Sighting], list[Sighting]]:
    """Those that had it, and those of which the version cannot be compared."""
    sure: list[Sighting] = []
    perhaps: list[Sighting] = []
    for inventory in holding:
        for component in inventory.components:
            meets = wanted.meets(component)
            if meets is False:
                continue
            (sure if meets else perhaps).append(
                Sighting(
                    consumer=inventory.consumer,
                    version=component.version,
                    since=inventory.since,
                    until=inventory.until,
                    origin=inventory.origin,
                    commit=inventory.commit,
                    readable=Readable(grants=()),
                )
            )
    return sure, perhaps


def _merged(found: Iterable[Sighting]) -> Iterator[Sighting]:
    """What follows without a break is one: many commits leave a version as it is."""

    def of(each: Sighting) -> tuple[str, str, str]:
        return each.consumer, each.origin, each.version

    current: Sighting | None = None
    for each in sorted(found, key=lambda each: (*of(each), each.since)):
        if current is None or of(current) != of(each) or (current.until is not None and each.since > current.until):
            if current is not None:
                yield current
            current = each
        else:
            current = replace(current, until=_later(current.until, each.until))
    if current is not None:
        yield current


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


# -- of whom nobody can say ------------------------------------------------------------------------------------------


def _unrecorded(config: Config, consumer: str, ever: Sequence[Inventory], asked: _Asked) -> Iterator[Unknown]:
    """No record at all, of a file, of the ecosystem, or of a file for a part of the time."""
    theirs = [each for each in ever if each.consumer == consumer]
    if not theirs:
        yield Unknown(consumer=consumer, why="it has no record")
        return
    targets = declared(config, consumer)
    for target in targets:
        if not any(is_of(target, each.origin) for each in theirs):
            yield Unknown(consumer=consumer, why=f"there is no record of {target.origin}")
    speaking = [each for each in theirs if each.speaks_of(asked.ecosystem)]
    if not speaking:
        yield Unknown(consumer=consumer, why=f"it has no record of its {asked.ecosystem} packages")
    for of_it, end in _by_file(speaking, targets, asked.end):
        files = ", ".join(sorted({each.origin for each in of_it}))
        spans = sorted(((each.since, each.until) for each in of_it), key=lambda span: span[0])
        for hole in _holes(spans, spans[0][0] if asked.start is None else asked.start, end):
            yield Unknown(consumer=consumer, why=f"{files}: {_hole(hole, spans[0][0])}")


def _by_file(
    records: Sequence[Inventory], targets: Sequence[Target], end: datetime
) -> Iterator[tuple[list[Inventory], datetime]]:
    """Those of each declared file, then all others together: of one file another says nothing. Each with its end.

    Beside a declared file the others end when the last of them does: what was moved there is not missing since.
    """
    files = [[each for each in records if is_of(target, each.origin)] for target in targets]
    yield from ((each, end) for each in files if each)
    rest = [each for each in records if not any(is_of(target, each.origin) for target in targets)]
    if rest:
        last = max(end if each.until is None else min(each.until, end) for each in rest)
        yield rest, last if any(files) else end


def _holes(spans: Sequence[Span], start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """What of a time no span covers; the spans are sorted by their beginnings."""
    reached = start
    for since, until in spans:
        if since > end:
            break
        if since > reached:
            yield reached, since
        if until is None:
            return
        reached = max(reached, until)
    if reached < end or reached == start == end:
        yield reached, end


def _hole(hole: tuple[datetime, datetime], first: datetime) -> str:
    """Today's lockfile says nothing of March."""
    start, end = (each.strftime("%Y-%m-%d %H:%M") for each in hole)
    if hole[1] <= first:
        return f"nothing is known from {start} to {end}: its first record is of {first.strftime('%Y-%m-%d %H:%M')}"
    return f"nothing is known from {start} to {end}"


def _perhaps(consumer: str, perhaps: Iterable[Sighting]) -> Iterator[Unknown]:
    said = {
        f"{each.origin} has it in {quoted(each.version) + ', which is no version' if each.version else 'any version'}"
        for each in perhaps
        if each.consumer == consumer
    }
    for why in sorted(said):
        yield Unknown(consumer=consumer, why=why)


def _gaps(consumer: str, history: Iterable[Inventory]) -> Iterator[Unknown]:
    """One line for each file, with the first gap: a file may have hundreds, in each of its versions."""
    gaps: dict[str, list[str]] = {}
    for each in history:
        if each.consumer == consumer:
            gaps.setdefault(each.origin, []).extend(each.gaps)
    for found in gaps.values():
        told = list(dict.fromkeys(found))
        if told:
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            yield Unknown(consumer=consumer, why=f"{told[0]}{more}")
