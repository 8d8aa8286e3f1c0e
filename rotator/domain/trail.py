"""The trail's hash chains and signed checkpoints. Standard library only, so that a log can be checked anywhere.

Each rotation's events form one chain, each credential's another, named `credential:NAME`. A checkpoint holds the heads
of all chains that moved since the last one, is chained to it, and is signed with the installation's key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from rotator.domain.failures import Permanent
from rotator.domain.records import ChainedEvent, Checkpoint, Event
from rotator.domain.times import format_time

START = ""
"""What the first event of a chain, and the first checkpoint, name as their predecessor."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Signer(Protocol):
    """Signs with the installation's key."""

    def sign(self, message: bytes, /) -> bytes:
        """The signature. Twice: the same or another one, each of them valid."""
        ...


def credential_chain(name: str) -> str:
    """The chain of what is written to a credential with no rotation open; no rotation's id has a colon."""
    return f"credential:{name}"


def chained(rotation: str, seq: int, at: datetime, fence: int, event: Event, previous: str) -> ChainedEvent:
    """The event as link `seq`, from 1, behind the one with the digest `previous`."""
    digest = event_digest(rotation, seq, at, fence, event, previous)
    return ChainedEvent(rotation=rotation, seq=seq, at=at, fence=fence, event=event, previous=previous, digest=digest)


def event_digest(rotation: str, seq: int, at: datetime, fence: int, event: Event, previous: str) -> str:
    """SHA-256, in hexadecimal digits, over the previous digest and the event as canonical JSON."""
    body = {
        "rotation": rotation,
        "seq": seq,
        "at": format_time(at),
        "fence": fence,
        "kind": event.kind.value,
        "action": event.action,
        "subject": event.subject,
        "detail": dict(event.detail),
    }
    return sha256(f"{previous}\n{_canonical(body)}".encode()).hexdigest()


def checkpoint_digest(number: int, at: datetime, heads: Mapping[str, str], previous: str) -> str:
    """SHA-256, in hexadecimal digits, over the previous checkpoint's digest and this one as canonical JSON."""
    body = {"number": number, "at": format_time(at), "heads": dict(heads)}
    return sha256(f"{previous}\n{_canonical(body)}".encode()).hexdigest()


def signed_text(digest: str) -> bytes:
    """What is signed: nothing else that the installation signs begins with these words."""
    return f"rotator checkpoint {digest}".encode()


def close(last: Checkpoint | None, at: datetime, heads: Mapping[str, str], signer: Signer | None) -> Checkpoint:
    """The signed checkpoint behind `last`. Raises `Permanent` without a signer."""
    if signer is None:
        raise Permanent("the journal was opened without the installation's key", "name it as installation.key")
    number, previous = (last.number + 1, last.digest) if last else (1, START)
    digest = checkpoint_digest(number, at, heads, previous)
    signature = signer.sign(signed_text(digest)).hex()
    return Checkpoint(number=number, at=at, heads=heads, previous=previous, digest=digest, signature=signature)
