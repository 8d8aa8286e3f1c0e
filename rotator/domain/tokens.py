"""Tokens of the API: who may do what. The token itself is shown once and kept nowhere; what is kept is its hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

PREFIX: Final = "rotk_"
"""How every token begins, so that whoever searches for secrets knows it."""
BYTES: Final = 32
"""Random bytes of a token: with 256 bits nobody guesses one, so a plain hash of it is as good as a slow one."""
LENGTH: Final = len(PREFIX) + 43


class Role(StrEnum):
    """What the holder may do. Of the last three each may what the one before it may."""

    CONSUMER = "consumer"  # post the inventories of one consumer, and nothing else
    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # rotate, hold, release, hand over
    RESPONDER = "responder"  # emergencies: assume a compromise, revoke, open and close incidents


_ORDER: Final = (Role.VIEWER, Role.OPERATOR, Role.RESPONDER)


def includes(held: Role, needed: Role) -> bool:
    """Whether who has the role `held` may do what needs `needed`; a consumer is apart from all others."""
    if Role.CONSUMER in (held, needed):
        return held is needed
    return _ORDER.index(held) >= _ORDER.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of one token.

    `digest`: SHA-256 of its text in hexadecimal digits. `owners`: whose credentials it sees and touches; none: all.
    `consumer`: whose inventories it posts, with that role alone. `why`: of a break-glass token, what it was made for.
    """

    name: str
    digest: str
    role: Role
    created_at: datetime
    owners: tuple[str, ...] = ()
    consumer: str = ""
    why: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything at this instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def standing(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if self.valid(now) else "expired"


def fresh_text() -> str:
    """A new token. Twice: another one."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def digest_of(text: str) -> str:
    """What is kept and looked up: who measures how long that takes learns of the hash, from which nothing follows."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def looks_like_one(text: str) -> bool:
    """Whether it has the form of a token; what has not is never looked up."""
    return len(text) == LENGTH and text.startswith(PREFIX) and text.isascii()


def chain(name: str) -> str:
    """The chain of the trail that tells of a token; no rotation's id has a colon."""
    return f"token:{name}"
