"""One advisory of a feed, with all its names: which packages it is about, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.adapters.advisories.matching import judge
from rotator.config.errors import ConfigError, nearest
from rotator.domain.advisories import GIT, Advisory, Affected, Feed, parted
from rotator.domain.aliases import Aliases
from rotator.domain.packages import Component, Package
from rotator.domain.times import format_time, quoted, roughly

MOST = 1000
"""Packages of one advisory; a record that names more says nothing, and would expose everything."""

MOST_SHOWN = 4
"""Versions of a package that are written out."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A package as an advisory names it."""

    affected: Affected

    @property
    def package(self) -> Package:
        """Which one."""
        return self.affected.package

    def meets(self, component: Component) -> bool | None:
        """Whether it is affected; None where nobody can say."""
        ecosystem, suffix = parted(component.package.ecosystem)
        if Package(ecosystem, component.package.name) != self.package:
            return False
        if suffix and self.affected.suffix and suffix != self.affected.suffix:
            return False
        return judge(self.affected, component.version).affected


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """What a feed says under one of a thing's names. `ids`: all of them; `notes`: what a person should know of it.

    `published`: when the first of its records was; None where none says so. `doubtful`: the feed may lack some of it.
    """

    ids: tuple[str, ...]
    affected: tuple[Affected, ...]
    published: datetime | None
    summary: str
    notes: tuple[str, ...]
    doubtful: bool


def advised(feed: Feed, name: str, *, at: datetime, stale: timedelta) -> Advised:
    """What the feed says. Raises `ConfigError` where that is nothing that counts."""
    standing = [each for each in feed.advisories if each.withdrawn is None]
    names = Aliases()
    for each in standing:
        names.join((each.id, *each.aliases))
    found = _of_that_name(feed, names, name)
    ids = names.sets()[names.root(found)]
    records = [each for each in standing if each.id in ids]
    affected = tuple(dict.fromkeys(one for each in records for one in each.affected))
    _must_be_usable(found, records, affected)
    doubts = (*_age(feed, at, stale), *_broken(feed))
    return Advised(
        ids=tuple(sorted(ids, key=lambda each: (each != found, each))),
        affected=affected,
        published=min((each.published for each in records if each.published is not None), default=None),
        summary=next((each.summary for each in records if each.summary), ""),
        notes=(*doubts, *_vague(affected)),
        doubtful=bool(doubts),
    )


def _of_that_name(feed: Feed, names: Aliases, name: str) -> str:
    """The id as the feed writes it. Raises `ConfigError` for one that it lacks, or that was taken back."""
    known = {each.casefold(): each for ids in names.sets().values() for each in ids}
    taken_back = {each.id.casefold(): each for each in feed.advisories if each.withdrawn is not None}
    if name.casefold() in taken_back:
        raise _withdrawn(taken_back[name.casefold()], known)
    if name.casefold() in known:
        return known[name.casefold()]
    near = nearest(name, [*known.values(), *(each.id for each in taken_back.values())])
    lost = f"; {len(feed.broken)} of its records cannot be read" if feed.broken else ""
    hint = f"did you mean {near}?" if near else "is it a feed of that ecosystem? or name the package with --package"
    raise ConfigError(f"{quoted(feed.origin)} has no advisory {quoted(name)}{lost}", hint)


def _withdrawn(record: Advisory, known: dict[str, str]) -> ConfigError:
    assert record.withdrawn is not None
    others = [known[each.casefold()] for each in record.aliases if each.casefold() in known]
    hint = f"{others[0]} stands: name that one" if others else "if it is bad all the same, name it with --package"
    return ConfigError(f"{record.id} was withdrawn at {format_time(record.withdrawn)}", hint)


def _must_be_usable(name: str, records: Sequence[Advisory], affected: Sequence[Affected]) -> None:
    if not records:
        raise ConfigError(f"the feed names {name} as an alias alone and has no record of it", "take a whole feed")
    if not affected:
        raise ConfigError(f"{name} names no package", "name it with --package")
    if len({each.package for each in affected}) > MOST:
        hint = "no advisory is about so many: name what is bad with --package"
        raise ConfigError(f"{name} and its aliases name more than {MOST} packages", hint)


def _age(feed: Feed, at: datetime, stale: timedelta) -> Iterator[str]:
    newest = feed.newest(at)
    if newest is None:
        yield "the advisories do not say when they were changed: what was found lately may be missing"
    elif at - newest > stale:
        age = roughly(at - newest)
        yield f"the advisories are {age} old, of {format_time(newest)}: what was found since is missing"


def _broken(feed: Feed) -> Iterator[str]:
    if feed.broken:
        yield f"{len(feed.broken)} records of the advisories cannot be read: other names of it may be missing"


def _vague(affected: Sequence[Affected]) -> Iterator[str]:
    for each in affected:
        if each.any_version:
            yield f"the advisory names no version of {each.package.name}: any version counts"
        elif not each.versions and all(span.kind == GIT for span in each.ranges):
            yield f"the advisory names commits of {each.package.name} and no versions: nobody can say who had it"


def described(affected: Sequence[Affected]) -> tuple[str, ...]:
    """Packages and their versions in words, short, each package once."""
    packages: dict[Package, list[Affected]] = {}
    for each in affected:
        packages.setdefault(each.package, []).append(each)
    return tuple(f"{package.name} {_versions(those)}" for package, those in packages.items())


def _versions(those: Sequence[Affected]) -> str:
    if any(each.any_version for each in those):
        return "in any version"
    told = sorted({version for each in those for version in each.versions})
    spans = dict.fromkeys(" ".join(map(" ".join, span.events)) for each in those for span in each.ranges)
    words = [*told[:MOST_SHOWN], *([] if told else list(spans)[:MOST_SHOWN])]
    more = len(told or spans) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
