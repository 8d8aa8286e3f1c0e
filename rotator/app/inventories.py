"""Inventories of the config's consumers: whose they are, how their files are called, and recording them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.lockfiles.reading import lockfiles_in, read_path
from rotator.app.assembly import Assembly
from rotator.app.pausing import OWN
from rotator.config.errors import ConfigError, nearest
from rotator.config.reading import Config
from rotator.domain.packages import Inventory
from rotator.domain.records import Event, EventKind
from rotator.ports import Inventories


@dataclass(frozen=True, slots=True)
class Target:
    """One file of one consumer. `origin`: what it is called in the journal, the same whoever records it from where."""

    consumer: str
    path: Path
    origin: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was read of one file. `news`: whether it is not what was recorded last; `first`: nothing was."""

    inventory: Inventory
    news: bool
    first: bool


def inventories_of(assembly: Assembly) -> Inventories:
    """Where they are kept: beside the journal, in the same database. Raises `ConfigError`."""
    opened = assembly.opened
    assert isinstance(opened, DurableJournal)
    return opened.inventories


def consumers_of(config: Config) -> tuple[str, ...]:
    """All that the config names, declared or not, sorted."""
    named = {name for spec in config.credentials.values() for name in spec.consumers}
    return tuple(sorted({*config.consumers, *named}))


def known_consumer(config: Config, name: str) -> str:
    """The name, if there is such a consumer. Raises `ConfigError` with the nearest one."""
    known = consumers_of(config)
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else "declare it beneath consumers:"
        raise ConfigError(f"there is no consumer {name!r}", hint)
    return name


def origin_of(config: Config, path: Path) -> str:
    """A path as the journal calls it: relative to the config where it is beneath it, and else absolute."""
    absolute = Path(os.path.normpath(config.base / path))
    return str(absolute.relative_to(config.base)) if absolute.is_relative_to(config.base) else str(absolute)


def declared(config: Config, consumer: str | None = None) -> tuple[Target, ...]:
    """The lockfiles that the config names, of one consumer or of all."""
    return tuple(
        Target(name, config.base / file, origin_of(config, Path(file)))
        for name, entry in config.consumers.items()
        if consumer in (None, name)
        for file in entry.lockfiles
    )


def chosen(config: Config, consumer: str | None, paths: Sequence[Path]) -> tuple[Target, ...]:
    """What to record: these files and folders, or without any what the config names. Raises `ConfigError`."""
    if consumer is not None:
        known_consumer(config, consumer)
    if not paths:
        found = declared(config, consumer)
        if not found:
            whose = f"the consumer {consumer} names" if consumer else "no consumer names"
            raise ConfigError(f"{whose} {'no ' if consumer else ''}lockfiles", "write lockfiles: [uv.lock] beneath it")
        return tuple(target for each in found for target in _within(each))
    return tuple(_whose(config, consumer, file) for path in paths for file in _files(path))


def record(assembly: Assembly, targets: Sequence[Target], now: datetime) -> Iterator[Recorded]:
    """Read all of them, then record each. Raises `Unreadable` for the first that is no inventory: nothing is recorded.

    Twice: nothing more.
    """
    read = [_look(target, now) for target in targets]
    kept = inventories_of(assembly)
    known = {(each.consumer, each.origin) for each in kept.history()}
    for each in read:
        news = kept.record([each], now) > 0
        if news:
            detail = {"file": each.origin, "packages": str(len(each.components))}
            event = Event(kind=EventKind.OPERATOR, action="recorded", subject=each.consumer, detail=detail)
            assembly.journal.note(OWN, (event,), now)
        yield Recorded(each, news, (each.consumer, each.origin) not in known)


def _look(target: Target, now: datetime) -> Inventory:
    found = read_path(target.path, target.origin)
    return Inventory(
        consumer=target.consumer,
        kind=found.kind,
        origin=target.origin,
        since=now,
        components=found.components,
        gaps=found.gaps,
    )


def _within(target: Target) -> Iterator[Target]:
    """A folder that the config names is what is installed in it."""
    if not target.path.is_dir():
        yield target
        return
    for file in _files(target.path):
        origin = target.origin if file == target.path else str(Path(target.origin, file.name))
        yield Target(target.consumer, file, origin)


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    try:
        found = lockfiles_in(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
    if not found:
        hint = "name a lockfile, a bill of materials or a site-packages"
        raise ConfigError(f"there is no lockfile in {path}", hint)
    return found


def _whose(config: Config, consumer: str | None, path: Path) -> Target:
    absolute = Path(os.path.normpath(Path.cwd() / path))
    origin = origin_of(config, absolute)
    if consumer is None:
        owners = {each.consumer for each in declared(config) if each.origin == origin}
        if len(owners) != 1:
            raise ConfigError(f"nobody says whose inventory {path} is", "add --consumer NAME")
        (consumer,) = owners
    return Target(consumer, absolute, origin)
