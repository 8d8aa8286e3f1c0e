"""A quick look at the journal, read-only and without heavy imports, for `status`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.app.pausing import Pause, pause_of
from rotator.config.errors import ConfigError
from rotator.config.including import load_document
from rotator.config.location import find
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Rotation

if TYPE_CHECKING:
    from rotator.config.reading import Config

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
    pause: Pause | None = None
    owners: Mapping[str, str] = field(default_factory=dict)

    def of(self, owners: Collection[str]) -> Glance:
        """What somebody sees who sees only these owners' credentials."""
        names = frozenset(name for name in self.names if self.owners.get(name) in owners)
        return replace(
            self, names=names, open={name: row for name, row in self.open.items() if name in names}, older=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """What a config says, as far as it matters here; `config`: the whole of it, where somebody has read it."""

    names: frozenset[str]
    owners: Mapping[str, str]
    consumers: tuple[str, ...]
    url: str
    base: Path
    config: Config | None = None


def glance(config: str | None, state: str | None, name: str | None = None, in_force: Config | None = None) -> Glance:
    """Look; more closely at the credential of that name. A journal that is not there is empty. Raises `ConfigError`.

    `in_force`: the config that counts, whatever the file says.
    """
    from rotator.adapters.journal.location import for_replicas, path_of
    from rotator.adapters.journal.readonly import look_at

    path = find(config)
    said = _in_file(path, state, name) if in_force is None else _in_force(in_force, name)
    now = datetime.now(UTC)
    if for_replicas(said.url):
        return _at_replicas(path, said, name)
    if not _is_there(path_of(said.url, said.base)):
        return Glance(now=now, names=said.names, owners=said.owners)
    with look_at(said.url, base=said.base) as journal:
        return Glance(
            now=now,
            names=said.names,
            credentials={row.name: row for row in journal.credentials()},
            open={row.credential: row for row in journal.open_rotations()},
            consumers=said.consumers,
            past=journal.rotations(name, limit=REMEMBERED) if name is not None else (),
            older=journal.older_than_world(),
            pause=pause_of(journal, now),
            owners=said.owners,
        )


def _in_file(path: Path, state: str | None, name: str | None) -> _Declared:
    document = load_document(path).value
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no config", "`rotator init` writes one")
    entries = document.get("credentials")
    return _Declared(
        names=frozenset(map(str, entries)) if isinstance(entries, dict) else frozenset(),
        owners=_owners(entries),
        consumers=_consumers(entries, name),
        url=state or os.environ.get("ROTATOR_STATE") or _state(document),
        base=path.resolve().parent,
    )


def _in_force(config: Config, name: str | None) -> _Declared:
    spec = config.credentials.get(name or "")
    return _Declared(
        names=frozenset((*config.credentials, *config.broken)),
        owners={each.name: each.owner for each in config.credentials.values() if each.owner},
        consumers=tuple(spec.consumers) if spec is not None else (),
        url=config.state,
        base=config.base,
        config=config,
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


def _owners(entries: object) -> dict[str, str]:
    named = entries.items() if isinstance(entries, dict) else ()
    return {str(name): str(each["owner"]) for name, each in named if isinstance(each, dict) and each.get("owner")}


def _consumers(entries: object, name: str | None) -> tuple[str, ...]:
    entry = entries.get(name) if isinstance(entries, dict) else None
    declared = entry.get("consumers") if isinstance(entry, dict) else None
    return tuple(map(str, declared)) if isinstance(declared, list) else ()


def _at_replicas(path: Path, said: _Declared, name: str | None) -> Glance:
    """The same at a journal on PostgreSQL, which needs the whole config: its password may be anywhere."""
    from rotator.adapters.journal.errors import NoJournalYet
    from rotator.adapters.journal.postgres.clock import DatabaseClock
    from rotator.adapters.machine import MachineClock
    from rotator.app.assembly import Assembly
    from rotator.app.configs import load_config
    from rotator.app.journals import look_at

    config = replace(said.config or load_config(path, lenient=True), state=said.url)
    clock = DatabaseClock(MachineClock())
    try:
        with look_at(config, Assembly(config=config).resolver, clock) as journal:
            return Glance(
                now=clock.now(),
                names=said.names,
                credentials={row.name: row for row in journal.credentials()},
                open={row.credential: row for row in journal.open_rotations()},
                consumers=said.consumers,
                past=journal.rotations(name, limit=REMEMBERED) if name is not None else (),
                older=journal.older_than_world(),
                pause=pause_of(journal, clock.now()),
                owners=said.owners,
            )
    except NoJournalYet:
        return Glance(now=clock.now(), names=said.names, owners=said.owners)


def _state(document: Mapping[str, object]) -> str:
    state = document.get("state")
    if isinstance(state, dict):
        state = state.get("url")
    if not isinstance(state, str):
        raise ConfigError("the config says no state:", "write state: sqlite:///rotator.db")
    return state
