"""Inventories that a consumer posts about itself: only added to, and seen when they came, whatever they say."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from rotator.adapters.lockfiles.reading import read_bytes
from rotator.app.assembly import Assembly
from rotator.app.inventories import inventories_of, known_consumer
from rotator.config.errors import ConfigError
from rotator.domain.inventories import digest
from rotator.domain.packages import Inventory
from rotator.domain.times import format_time, quoted

BACK_DATED = "back-dated"
"""How the gap begins that marks what a consumer says of a time before it said so."""
EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Posted:
    """One file. `news`: whether it is not what was recorded last."""

    inventory: Inventory
    news: bool


def post(
    assembly: Assembly, consumer: str, files: Sequence[tuple[str, bytes]], claimed: datetime | None
) -> tuple[Posted, ...]:
    """Record what a consumer has now, all files or none. Twice: nothing more.

    `claimed`: since when it says that it has them. That is recorded besides, as what it is: with a gap, so that what it
    does not name may have been there all the same, and it ends nothing that was recorded before. So it can add to what
    is exposed, and take nothing away. Raises `Unreadable`, and `ConfigError` for names and times that are none.
    """
    known_consumer(assembly.config, consumer)
    now = assembly.clock.now()
    if claimed is not None and not EARLIEST <= claimed <= now:
        raise ConfigError("it was not had in the future, nor before 2005", "leave out had_since")
    looks = [_look(consumer, name, data, now) for name, data in files]
    kept = inventories_of(assembly)
    posted = []
    for look in looks:
        earlier = [_claim(look, claimed, now)] if claimed is not None and claimed < now else []
        posted.append(Posted(look, kept.record([*earlier, look], now) > 0))
    return tuple(posted)


def _look(consumer: str, name: str, data: bytes, now: datetime) -> Inventory:
    origin = _origin(name)
    found = read_bytes(data, PurePosixPath(origin), origin)
    return Inventory(
        consumer=consumer,
        kind=found.kind,
        origin=origin,
        since=now,
        components=found.components,
        gaps=found.gaps,
    )


def _claim(look: Inventory, claimed: datetime, now: datetime) -> Inventory:
    gap = f"{BACK_DATED}: {look.consumer} said at {format_time(now.replace(microsecond=0))} that it had this before"
    about = f"{look.origin}\0{digest(look.components)}\0{format_time(claimed)}"
    mark = f"posted-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
    return replace(look, since=claimed, until=now, gaps=(*look.gaps, gap), commit=mark)


def _origin(name: str) -> str:
    """As the config would call it: a path beneath its folder."""
    path = PurePosixPath(name)
    if not name or len(name) > LONGEST or not name.isprintable() or path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{quoted(name)} is no name of a file", "a path relative to the config, like web/uv.lock")
    return str(path)
