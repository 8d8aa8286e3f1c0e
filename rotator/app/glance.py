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


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What was seen. `names`: the credentials in the config, whether the journal knows them or not."""

    now: datetime
    names: frozenset[str]
    credentials: Mapping[str, CredentialRow] = field(default_factory=dict)
    open: Mapping[str, Rotation] = field(default_factory=dict)
    older: str | None = None


def glance(config: str | None, state: str | None) -> Glance:
    """Look. A journal that does not exist yet is empty. Raises `ConfigError`."""
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
        return _at_replicas(path, url, names)
    if not path_of(url, base).exists():
        return Glance(now=now, names=names)
    with look_at(url, base=base) as journal:
        return Glance(
            now=now,
            names=names,
            credentials={row.name: row for row in journal.credentials()},
            open={row.credential: row for row in journal.open_rotations()},
            older=journal.older_than_world(),
        )


def _at_replicas(path: Path, url: str, names: frozenset[str]) -> Glance:
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
