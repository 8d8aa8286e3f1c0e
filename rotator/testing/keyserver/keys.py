"""The values of the keys' state machine: keys, slots, and what a list shows of them. Secrets are held as digests."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

LONG = 20
"""Characters from which on a secret is long enough to show some of them."""


class KeyState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


class _Dated(Protocol):
    @property
    def at(self) -> float: ...


D = TypeVar("D", bound=_Dated)


def as_of(history: Sequence[D], instant: float) -> D | None:
    """Find the entry in force at `instant` in a history, oldest first; None before the first one."""
    return next((entry for entry in reversed(history) if entry.at <= instant), None)


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on (epoch seconds; minus infinity: always) the key is in `state`."""

    at: float
    state: KeyState


@dataclass(frozen=True, slots=True)
class Holding:
    """From `at` on the slot holds `tag`: that of the key `key_id`, or of its emptiness."""

    at: float
    tag: str
    key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key that was ever issued; deleted ones are kept, to be told from unknown ones.

    serial: place in the order of issue.
    hint: the end of the secret, or nothing if it is too short to show a part of.
    scopes: None: may do everything.
    created_by: `admin`, or the id of the key with which it was asked for; None: nobody asked over the wire.
    changes: oldest first, never empty.
    """

    id: str
    principal: str
    serial: int
    hint: str
    created_at: float
    changes: tuple[Change, ...]
    mark: str | None = None
    created_by: str | None = None
    slot: str | None = None
    expires_at: float | None = None
    scopes: tuple[str, ...] | None = None

    @property
    def state(self) -> KeyState:
        return self.changes[-1].state

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def accepted(self, now: float, *, propagation: float, death: float) -> tuple[bool, bool]:
        """Say whether the key is accepted as seen (before, after) its last change; equal once that has got about."""
        return _views(self.changes, now, propagation, death)


def _views(changes: Sequence[Change], now: float, propagation: float, death: float) -> tuple[bool, bool]:
    if not changes:
        return False, False
    last = changes[-1]
    after = last.state is KeyState.ENABLED
    # a difference, not a sum: minus infinity plus an endless window would be no number
    if now - last.at >= (propagation if after else death):
        return after, after
    before, _ = _views(changes[:-1], last.at, propagation, death)
    return before, after


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a mint asks for; every part may be None.

    slot, expects: the slot to fill, and the tag that it must hold now (None: whatever it holds).
    secret: a value chosen by the caller.
    fingerprint: becomes the tag of the slot (None: the service makes one).
    expires_in: seconds, above 0.
    """

    mark: str | None = None
    slot: str | None = None
    expects: str | None = None
    secret: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    expires_in: float | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and, this once, its secret."""

    key: Key
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A key, or an emptied slot (`deleted`, with the fresh tag in its id), as a list shows it."""

    id: str
    state: KeyState
    mark: str | None = None
    created_at: float | None = None
    created_by: str | None = None
    last_used_at: float | None = None
    last_used_by: str | None = None
    expires_at: float | None = None
    slot: str | None = None
    scopes: tuple[str, ...] | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list; `after` is where the next page starts, None at the end."""

    keys: tuple[Listed, ...]
    after: str | None


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def hint(secret: str) -> str:
    """Show the last four characters of a secret that is long enough for them to give nothing away."""
    return f"…{secret[-4:]}" if len(secret) >= LONG else ""
