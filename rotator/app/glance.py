"""A quick look at the journal, read-only and without heavy imports, for `status`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rotator.config.errors import ConfigError
from rotator.config.including import load_document
from rotator.config.location import find
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Rotation

REMEMBERED = 20
"""So many rotations are looked at for how long consumers took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What was seen. `names`: the credentials in the config, whether the journal knows them or not.

    `consumers` and `past` are of the one credential that was asked for: those declared, its rotations, newest first.
    """

    now: datetime
    names: frozenset[str]
    credentials: Mapping[str, CredentialRow] = field(default_factory=dict)
    open: Mapping[str, Rotation] = field(default_factory=dict)
    consumers: tuple[str, ...] = ()
    past: tuple[Rotation, ...] = ()
    older: str | None = None


def glance(config: str | None, state: str | None, name: str | None = None) -> Glance:
    """Look; more closely at the credential of that name. A journal that is not there is empty. Raises `ConfigError`."""
    from rotator.adapters.journal.location import for_replicas, path_of
    from rotator.adapters.journal.readonly import look_at

    path = find(config)
    document = load_document(path).value
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no config", "`rotator init` writes one")
    entries = document.get("credentials")
    names = frozenset(map(str, entries)) if isinstance(entries, dict) else frozenset()
    now, base = datetime.now(UTC), path.resolve().parent
    url = state or os.environ.get("ROTATOR_STATE") or _state(document)
    if for_replicas(url):
        return _at_replicas(path, url, names, _consumers(entries, name), name)
    if not _is_there(path_of(url, base)):
        return Glance(now=now, names=names)
    with look_at(url, base=base) as journal:
        return Glance(
            now=now,
            names=names,
            credentials={row.name: row for row in journal.credentials()},
            open={row.credential: row for row in journal.open_rotations()},
            consumers=_consumers(entries, name),
            past=journal.rotations(name, limit=REMEMBERED) if name is not None else (),
            older=journal.older_than_world(),
        )


def _is_there(journal: Path) -> bool:
    """Whether somebody made it already. Raises `ConfigError` where nobody can, because a slip is no fresh start."""
    try:
        if journal.exists():
            return True
        if journal.parent.is_dir():
            return False
    except OSError as error:
        raise ConfigError(f"{journal} cannot be looked at: {error.strerror}", "check its permissions") from None
    raise ConfigError(f"there is no directory {journal.parent}", "make it, or name another place as state")


def _consumers(entries: object, name: str | None) -> tuple[str, ...]:
    entry = entries.get(name) if isinstance(entries, dict) else None
    declared = entry.get("consumers") if isinstance(entry, dict) else None
    return tuple(map(str, declared)) if isinstance(declared, list) else ()


def _at_replicas(path: Path, url: str, names: frozenset[str], consumers: tuple[str, ...], name: str | None) -> Glance:
    """The same at a journal on PostgreSQL, which needs the whole config: its password may be anywhere."""
    from rotator.adapters.journal.errors import NoJournalYet
    from rotator.adapters.journal.postgres.clock import DatabaseClock
    from rotator.adapters.machine import MachineClock
    from rotator.app.assembly import Assembly
    from rotator.app.configs import load_config
    from rotator.app.journals import look_at

    config, clock = replace(load_config(path, lenient=True), state=url), DatabaseClock(MachineClock())
    try:
        with look_at(config, Assembly(config=config).resolver, clock) as journal:
            return Glance(
                now=clock.now(),
                names=names,
                credentials={row.name: row for row in journal.credentials()},
                open={row.credential: row for row in journal.open_rotations()},
                consumers=consumers,
                past=journal.rotations(name, limit=REMEMBERED) if name is not None else (),
                older=journal.older_than_world(),
            )
    except NoJournalYet:
        return Glance(now=clock.now(), names=names)


def _state(document: Mapping[str, object]) -> str:
    state = document.get("state")
    if isinstance(state, dict):
        state = state.get("url")
    if not isinstance(state, str):
        raise ConfigError("the config says no state:", "write state: sqlite:///rotator.db")
    return state
