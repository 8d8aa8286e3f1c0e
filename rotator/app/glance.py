"""A quick look at the journal, read-only and without heavy imports, for `status`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rotator.config.document import read_document
from rotator.config.errors import ConfigError
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
    from rotator.adapters.journal.location import path_of
    from rotator.adapters.journal.readonly import look_at

    path = find(config)
    document = read_document(path).value
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no config", "`rotator init` writes one")
    names, now, base = _names(path, document), datetime.now(UTC), path.resolve().parent
    url = state or os.environ.get("ROTATOR_STATE") or _state(document)
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


def _names(path: Path, document: Mapping[str, object]) -> frozenset[str]:
    found = set(_keys(document.get("credentials")))
    include = document.get("include") or []
    for pattern in [include] if isinstance(include, str) else include if isinstance(include, list) else []:
        for each in sorted(path.resolve().parent.glob(str(pattern))):
            value = read_document(each).value
            found |= set(_keys(value.get("credentials") if isinstance(value, dict) else None))
    return frozenset(found)


def _keys(value: object) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) else []


def _state(document: Mapping[str, object]) -> str:
    state = document.get("state")
    if isinstance(state, dict):
        state = state.get("url")
    if not isinstance(state, str):
        raise ConfigError("the config says no state:", "write state: sqlite:///rotator.db")
    return state
