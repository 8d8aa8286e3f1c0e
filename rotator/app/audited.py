"""What is audited: inventories from what stands on the command line, and those that consumers have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from rotator.adapters.journal.location import for_replicas, path_of
from rotator.adapters.lockfiles.reading import lockfiles_in, read_path
from rotator.adapters.lockfiles.site_packages import is_site_packages
from rotator.app.assembly import Assembly
from rotator.app.inventories import consumers_of, declared, inventories_of
from rotator.app.own_environment import OWN, keep_own
from rotator.app.own_installation import Audited, installed_in
from rotator.app.whereabouts import is_of
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.failures import Failure, Permanent
from rotator.domain.findings import Unjudged
from rotator.domain.packages import Inventory

NONE_RECORDED = "no inventory of it was recorded: `rotator audit record`"


def from_files(paths: Sequence[Path], *, consumer: str, at: datetime) -> Audited:
    """The inventory of each file, and of what is in each folder. Raises `Permanent` for what cannot be read."""
    found = Audited()
    for path in (each for given in paths for each in _within(given)):
        if path.is_dir():
            found += installed_in([path], consumer=consumer, at=at)
        else:
            found += _read(path, consumer, at)
    return found


def _within(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise Permanent(f"{path} is not there", "name a lockfile, or a folder like site-packages")
    if not path.is_dir() or is_site_packages(path):
        yield path
        return
    files = lockfiles_in(path)
    if not files:
        raise Permanent(f"there is no lockfile in {path}", "name a lockfile, or a folder like site-packages")
    yield from files


def _read(path: Path, consumer: str, at: datetime) -> Audited:
    found = read_path(path, str(path))
    inventory = Inventory(
        consumer=consumer,
        kind=found.kind,
        origin=str(path),
        since=at,
        components=found.components,
        gaps=found.gaps,
    )
    return Audited(inventories=(inventory,))


def of_consumers(config: Config, at: datetime) -> Audited:
    """What the config's consumers have, as it was recorded; what was not, that is unknown. Makes no journal."""
    consumers = consumers_of(config)
    if not consumers:
        return Audited()
    try:
        held = _recorded(config, at)
    except (ConfigError, Failure) as failure:
        return Audited(unjudged=(Unjudged(what="what consumers have", why=failure.message, where=consumers),))
    lacking = tuple(
        Unjudged(what=name, why=why, where=(name,)) for name in consumers for why in _lacking(config, name, held)
    )
    return Audited(inventories=held, unjudged=lacking)


def _lacking(config: Config, consumer: str, held: Sequence[Inventory]) -> Iterator[str]:
    """What of a consumer was not recorded: nothing at all, or not each file that it declares."""
    origins = {each.origin for each in held if each.consumer == consumer}
    if not origins:
        yield NONE_RECORDED
        return
    for target in declared(config, consumer):
        if not any(is_of(target, origin) for origin in origins):
            yield f"there is no record of {target.origin}"


def keep_own_of(config: Config) -> None:
    """Remember what this rotator's own environment has, where there is a journal that can be written."""
    if not _has_journal(config):
        return
    with suppress(ConfigError, Failure), closing(Assembly(config=config)) as assembly:  # this audit can do without
        keep_own(assembly)


def _has_journal(config: Config) -> bool:
    return for_replicas(config.state) or path_of(config.state, config.base).exists()


def _recorded(config: Config, at: datetime) -> tuple[Inventory, ...]:
    if not _has_journal(config):
        return ()
    assembly = Assembly(config=config)
    try:
        return tuple(each for each in inventories_of(assembly).at(at) if each.consumer != OWN)
    finally:
        assembly.close()
