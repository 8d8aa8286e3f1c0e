"""What every journal agrees on, beside the text of its port: the real one and the one in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from rotator.domain.records import CredentialRow, Event, EventKind, KnownKey, Verb
from rotator.domain.rotation import Rotation

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""`next_at` of a parked row."""

OLDER = "journal: older than the world"
"""What the reason why nothing is claimed is kept under."""
REMEMBERED = "remembered: "
"""What the names that callers choose begin with, so that none of them is the journal's own."""

OF_THE_ROTATION = frozenset({Verb.ROLLBACK, Verb.RESUME, Verb.PROVIDE, Verb.ACKNOWLEDGE})
"""What is asked of one rotation and means nothing to the next; a hold is the credential's."""

RESTORED = Event(kind=EventKind.OPERATOR, action="restore")
"""Tells in the trail that a row was entered from what the world remembers."""


class Change(Protocol):
    """As much of `rotator.ports.Change` as is checked."""

    @property
    def credential(self) -> CredentialRow | None: ...

    @property
    def keys(self) -> Sequence[KnownKey]: ...

    @property
    def successor(self) -> Rotation | None: ...


def check_begin(rotation: Rotation, change: Change) -> None:
    """Raises `ValueError` for what cannot begin."""
    _one_credential(rotation.credential, change)
    if change.successor is not None or not rotation.open:
        raise ValueError("a rotation that begins is open and has no successor")


def check_commit(row: Rotation, change: Change) -> None:
    """Raises `ValueError` for a change that is not this row's."""
    _one_credential(row.credential, change)
    if change.successor is not None and (row.open or not change.successor.open):
        raise ValueError("only a row that ends has a successor, and that one is open")


def check_save(name: str, change: Change) -> None:
    """Raises `ValueError` for a change that is not this credential's."""
    _one_credential(name, change)
    if change.successor is not None or change.credential is not None:
        raise ValueError("a credential is saved by itself")


def check_restore(row: Rotation) -> None:
    """Raises `ValueError` for a row that is not over."""
    if row.open:
        raise ValueError("only a rotation that is over is restored")


def _one_credential(name: str, change: Change) -> None:
    """One write is under one credential's fence, which says nothing about another's."""
    for key in change.keys:
        if key.credential != name:
            raise ValueError(f"key {key.key_id} is not {name}'s")
    if change.credential is not None and change.credential.name != name:
        raise ValueError(f"a change of {name} writes {change.credential.name}")
    if change.successor is not None and change.successor.credential != name:
        raise ValueError(f"a rotation of {name} is succeeded by one of {change.successor.credential}")
