"""Inventories of the past: every version of every lockfile in a Git repository's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from rotator.adapters.lockfiles.form import Found, Unreadable
from rotator.adapters.lockfiles.reading import LARGEST, likely, read_bytes
from rotator.adapters.repository.history import Repository
from rotator.adapters.repository.versions import History, Version
from rotator.app.assembly import Assembly
from rotator.app.inventories import declared, inventories_of, known_consumer, origin_of
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.packages import Inventory

PAD = timedelta(days=1)
"""A lockfile is used before it is committed, and until the next one is deployed."""
BATCH = 200
"""Inventories that are recorded together."""


@dataclass(slots=True)
class Filled:
    """What was found of one file of one consumer. `until` is of the version that ends last; None: one has no end."""

    consumer: str
    origin: str
    versions: int = 0
    news: int = 0
    broken: int = 0
    gaps: int = 0
    times: list[tuple[datetime, datetime | None]] = field(default_factory=list)

    @property
    def since(self) -> datetime:
        """When the first version begins."""
        return min(since for since, _ in self.times)

    @property
    def until(self) -> datetime | None:
        """When the last version ends."""
        ends = [until for _, until in self.times if until is not None]
        return max(ends) if len(ends) == len(self.times) else None


@dataclass(slots=True)
class Backfill:
    """The outcome. `shallow`: the history was cut off when it was cloned, so its beginning is not known."""

    commits: int
    shallow: bool
    files: dict[tuple[str, str], Filled] = field(default_factory=dict)


def backfill(
    assembly: Assembly,
    folder: Path,
    *,
    consumer: str | None = None,
    since: datetime | None = None,
    pad: timedelta = PAD,
) -> Backfill:
    """Record every version, held from its commit to the next one, and `pad` longer on both sides.

    `consumer`: whose they are; None: of all whose lockfiles are in it. `since`: leaves out what ended before.
    A version that cannot be read is a gap of its time. Raises `ConfigError` and `Permanent`. Twice: nothing more, but
    what is known by then of the ends.
    """
    config, now = assembly.config, assembly.clock.now()
    if consumer is not None:
        known_consumer(config, consumer)
    repository = Repository.at(folder)
    wished = _wished(config, repository, consumer)
    if consumer is None and not wished:
        raise ConfigError(f"no consumer has a lockfile in {folder}", "add --consumer NAME, or lockfiles: beneath one")
    history = repository.history(lambda path: path in wished or likely(PurePosixPath(path)), now)
    owners = _owners(config, repository, history, wished, consumer)
    if not owners:
        raise ConfigError(f"there is no lockfile in the history of {folder}", "name the repository that has it")
    outcome = Backfill(commits=history.commits, shallow=repository.shallow)
    batch: list[Inventory] = []
    for each in _inventories(repository, history, owners, since, pad):
        batch.append(each)
        if len(batch) >= BATCH:
            _keep(assembly, batch, outcome, now)
            batch = []
    _keep(assembly, batch, outcome, now)
    return outcome


def _keep(assembly: Assembly, batch: Sequence[Inventory], outcome: Backfill, now: datetime) -> None:
    kept = inventories_of(assembly)
    by_file: dict[tuple[str, str], list[Inventory]] = {}
    for each in batch:
        by_file.setdefault((each.consumer, each.origin), []).append(each)
    for (consumer, origin), inventories in by_file.items():
        filled = outcome.files.setdefault((consumer, origin), Filled(consumer, origin))
        filled.news += kept.record(inventories, now)
        for each in inventories:
            _count(filled, each)


def _count(filled: Filled, each: Inventory) -> None:
    filled.versions += 1
    filled.broken += each.kind == BROKEN
    filled.gaps += bool(each.gaps)
    filled.times.append((each.since, each.until))


# -- whose it is -----------------------------------------------------------------------------------------------------


def _wished(config: Config, repository: Repository, consumer: str | None) -> dict[str, list[tuple[str, str]]]:
    """By path in the repository, the consumers whose lockfile it is, and what the journal calls it.

    A clone that is not beneath the config is recognised by the end of the path.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for target in declared(config, consumer):
        path = target.path.resolve()
        if repository.top is not None and path.is_relative_to(repository.top.resolve()):
            inside = path.relative_to(repository.top.resolve()).as_posix()
        elif consumer is not None:
            inside = PurePosixPath(target.origin).as_posix()
        else:
            continue
        found.setdefault(inside, []).append((target.consumer, target.origin))
    return found


def _owners(
    config: Config,
    repository: Repository,
    history: History,
    wished: dict[str, list[tuple[str, str]]],
    consumer: str | None,
) -> dict[str, list[tuple[str, str]]]:
    """The same for all paths that there ever were, also those that a file had before it was moved."""
    paths = dict.fromkeys(version.path for version in history.versions)
    found = {path: list(whose) for path, whose in wished.items() if path in paths}
    if not found and consumer is not None:
        return {path: [(consumer, _origin(config, repository, path))] for path in paths}
    ahead = list(found)
    while ahead:
        path = ahead.pop()
        for before in history.moved.get(path, ()):
            whose = [(name, _origin(config, repository, before)) for name, _ in found[path]]
            if not set(whose) <= set(found.get(before, ())):
                found[before] = list(dict.fromkeys([*found.get(before, ()), *whose]))
                ahead.append(before)
    return found


def _origin(config: Config, repository: Repository, path: str) -> str:
    return origin_of(config, (repository.top or repository.folder).resolve() / path)


# -- what is in it ---------------------------------------------------------------------------------------------------

BROKEN = "broken"
"""The kind of an inventory that could not be read."""


def _inventories(
    repository: Repository,
    history: History,
    owners: dict[str, list[tuple[str, str]]],
    since: datetime | None,
    pad: timedelta,
) -> Iterator[Inventory]:
    with repository.contents() as contents:
        for version in history.versions:
            until = None if version.until is None else version.until + pad
            if version.path not in owners or (since is not None and until is not None and until < since):
                continue
            found = _found(version, contents(version.blob, LARGEST))
            for consumer, origin in owners[version.path]:
                yield Inventory(
                    consumer=consumer,
                    kind=found.kind,
                    origin=origin,
                    commit=version.commit,
                    since=version.since - pad,
                    until=until,
                    components=found.components,
                    gaps=(*found.gaps, *_not_read(version, found, consumer, owners)),
                )


def _found(version: Version, data: bytes | None) -> Found:
    shown = _shown(version)
    if data is None:
        return Found(BROKEN, (), (f"{shown}: its contents are not in this clone",))
    try:
        return read_bytes(data, PurePosixPath(version.path), shown, at=version.path)
    except Unreadable as error:
        return Found(BROKEN, (), (error.message,))


def _not_read(version: Version, found: Found, consumer: str, owners: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Gaps for what it includes that is not this consumer's, too: of it nothing is recorded for them."""
    for each in found.includes:
        if not any(name == consumer for name, _ in owners.get(each, ())):
            yield f"{_shown(version)}: it includes {each}, which is not read with it"


def _shown(version: Version) -> str:
    return f"{version.path}@{version.commit[:12]}"
