"""`rotator log verify`: was the trail rewritten, has something been put in, taken out, or cut off at the end?

Chains and signatures show what somebody without the installation's key did to what a checkpoint covers. That the newest
checkpoints were not cut off together with their events shows only a head that was noted elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rotator.adapters.journal.errors import Unreadable
from rotator.domain.records import ChainedEvent, Checkpoint
from rotator.domain.times import quoted
from rotator.domain.trail import START, checkpoint_digest, event_digest, signed_text

PAGE = 10_000


class Trail(Protocol):
    """As much of the journal as is verified."""

    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = PAGE) -> tuple[ChainedEvent, ...]:
        """As the port says."""
        ...

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """As the port says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was looked at. `head`: the newest checkpoint's digest, to be noted elsewhere. `unclosed`: events behind it,

    which no signature covers yet.
    """

    events: int
    checkpoints: int
    unclosed: int
    head: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact(Counted):
    """Nothing was rewritten or cut off, at least up to the known head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistentOnly(Counted):
    """Internally consistent only: without a known head nobody can say whether newer checkpoints were cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Counted):
    """Somebody changed the trail; a line for people about each finding."""

    problems: tuple[str, ...]


def verify_log(journal: Trail, public_key: bytes, known_head: str | None = None) -> Intact | ConsistentOnly | Broken:
    """Check every event and checkpoint. `known_head`: the digest of a checkpoint as it was noted outside the journal.

    Raises what the journal raises. Twice: checked again.
    """
    problems: list[str] = []
    try:
        checkpoints = journal.checkpoints()
        problems += _check_checkpoints(checkpoints, public_key, known_head)
        walk = _Walk(checkpoints)
        for event in _all_events(journal):
            walk.step(event)
        problems += walk.problems()
    except Unreadable as error:
        problems.append(error.message)
        return Broken(events=0, checkpoints=0, unclosed=0, head=None, problems=tuple(problems))
    head = checkpoints[-1].digest if checkpoints else None
    counted = {"events": walk.position, "checkpoints": len(checkpoints), "unclosed": walk.unclosed}
    if problems:
        return Broken(**counted, head=head, problems=tuple(problems))
    return ConsistentOnly(**counted, head=head) if known_head is None else Intact(**counted, head=head)


def _all_events(journal: Trail) -> Iterator[ChainedEvent]:
    after, seen = 0, set[str]()
    while page := journal.events(after=after, limit=PAGE):
        # Pages are counted by number: where events were deleted, one begins with the end of the one before.
        yield from (event for event in page if event.digest not in seen)
        after, seen = after + len(page), {event.digest for event in page}


def _check_checkpoints(checkpoints: tuple[Checkpoint, ...], public_key: bytes, known_head: str | None) -> list[str]:
    problems, previous = [], START
    for expected, each in enumerate(checkpoints, start=1):
        if each.number != expected or each.previous != previous:
            problems.append(f"a checkpoint is missing before number {each.number}")
        if each.digest != checkpoint_digest(each.number, each.at, each.heads, each.previous):
            problems.append(f"checkpoint {each.number} was changed")
        elif not verifies(public_key, signed_text(each.digest), each.signature):
            problems.append(f"checkpoint {each.number} was not signed by this installation")
        previous = each.digest
    if known_head is not None and known_head not in {each.digest for each in checkpoints}:
        problems.append("the known head is not there: newer checkpoints were cut off, or all of them replaced")
    return problems


def verifies(public_key: bytes, message: bytes, signature: str) -> bool:
    """Whether the hexadecimal signature was made over the message with the private key of this public one."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(slots=True)
class _Chain:
    """Where the walk stands in one chain; `since` is the position of its first event behind a checkpoint's head."""

    seq: int = 0
    digest: str = START
    unclosed: int = 0
    since: int = 0


class _Walk:
    """All events in the order they were committed, chain by chain, and the heads of checkpoints on the way."""

    def __init__(self, checkpoints: tuple[Checkpoint, ...]) -> None:
        self.position = 0
        self._chains: dict[str, _Chain] = {}
        self._heads = {head: each.number for each in checkpoints for head in each.heads.items()}
        self._closed_up_to = 0
        self._problems: list[str] = []

    def step(self, event: ChainedEvent) -> None:
        self.position += 1
        chain = self._chains.setdefault(event.rotation, _Chain())
        if event.seq != chain.seq + 1 or event.previous != chain.digest:
            self._problems.append(f"an event is missing before number {event.seq} of {quoted(event.rotation)}")
        if event.digest != event_digest(event.rotation, event.seq, event.at, event.fence, event.event, event.previous):
            self._problems.append(f"event {event.seq} of {quoted(event.rotation)} was changed")
        chain.seq, chain.digest = event.seq, event.digest
        chain.since = chain.since if chain.unclosed else self.position
        chain.unclosed += 1
        if self._heads.pop((event.rotation, event.digest), None) is not None:
            chain.unclosed = 0
            self._closed_up_to = self.position

    @property
    def unclosed(self) -> int:
        """Events behind the newest checkpoint."""
        return sum(chain.unclosed for chain in self._chains.values())

    def problems(self) -> list[str]:
        """All findings, once every event was stepped over."""
        cut = [
            f"the events of {quoted(name)} up to checkpoint {number} were rewritten or cut off"
            for (name, _), number in self._heads.items()
        ]
        put_in = [
            f"an event of {quoted(name)} was put in before a checkpoint that does not cover it"
            for name, chain in self._chains.items()
            if chain.unclosed and chain.since < self._closed_up_to
        ]
        return [*self._problems, *cut, *put_in]
