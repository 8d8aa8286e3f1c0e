"""Inventories from what stands on the command line, and those that consumers have. One place for all kinds of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rotator.app.own_installation import Audited, installed_in
from rotator.config.reading import Config
from rotator.domain.failures import Permanent
from rotator.domain.findings import Unjudged


def from_files(paths: Sequence[Path], *, consumer: str, at: datetime) -> Audited:
    """The inventory of each file or folder, called by its consumer. Raises `Permanent` for what cannot be read."""
    found = Audited()
    for path in paths:
        if not path.is_dir():
            why = "is no kind of lockfile that is known here" if path.exists() else "is not there"
            raise Permanent(f"{path} {why}", "name a lockfile, or a folder like site-packages")
        found += installed_in([path], consumer=consumer, at=at)
    return found


def of_consumers(config: Config) -> Audited:
    """What the config's consumers have, as far as it was recorded: what was not is unknown."""
    return Audited(
        unjudged=tuple(
            Unjudged(what=name, why="no inventory of it was recorded", where=(name,)) for name in config.consumers
        )
    )
