"""One credential with all that is known of it: how it stands, why, where it is published, its keys and its past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.app.assembly import Assembly
from rotator.app.gathering import by_a_person, gather
from rotator.app.need import Act
from rotator.app.steering import can_go_back
from rotator.config.errors import ConfigError
from rotator.config.recognise import secrets_hidden
from rotator.domain.credential import Credential
from rotator.domain.records import CredentialRow, KnownKey, Verb
from rotator.domain.rotation import Phase, Proof, Rotation
from rotator.policy.decision import Blocked, Finding, NotDue, Rotate, decide, why

PAST = 20
"""Rotations that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A key. `proof`: how its death is known, where a rotation that is shown tells it."""

    key: KnownKey
    current: bool
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCredential:
    """All of it. `spec`: None where its entry cannot be used, and then `broken` says why; or where it is `gone`.

    `why`: every reason to rotate it and all that stands in the way, each with its answer. `acts`: what an operator may
    do now that makes sense.
    """

    name: str
    now: datetime
    spec: Credential | None
    policy: str
    broken: ConfigError | None
    row: CredentialRow
    open: Rotation | None
    why: tuple[Finding, ...] = ()  # type: ignore[type-arg] # reasons and obstacles
    decision: Rotate | Blocked | NotDue | None = None
    by_hand: str | None = None
    keys: tuple[Kept, ...] = ()
    past: tuple[Rotation, ...] = ()
    acts: tuple[Verb | Act, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether the config has it no more: it is rotated no more, and only the journal tells of it."""
        return self.spec is None and self.broken is None

    @property
    def age(self) -> timedelta | None:
        """Of its key; None: nobody knows."""
        return self.now - self.row.current_since if self.row.current_since is not None else None

    @property
    def allowed(self) -> timedelta | None:
        """How old its key may become."""
        if self.spec is not None and self.spec.policy.every is not None:
            return self.spec.policy.every
        since, due = self.row.current_since, self.row.next_due
        return max(due - since, timedelta(seconds=1)) if since is not None and due is not None else None

    @property
    def share(self) -> float | None:
        """Its age of what is allowed."""
        age, allowed = self.age, self.allowed
        return max(age / allowed, 0.0) if age is not None and allowed is not None else None


def told_of(assembly: Assembly, names: Collection[str]) -> frozenset[str]:
    """Those of which anything is known: by the config, or, where it has them no more, still by the journal."""
    config, journal = assembly.config, assembly.journal
    gone = [name for name in names if name not in config.credentials and name not in config.broken]
    kept = {row.name for row in journal.credentials_among(gone)} if gone else set()
    never = {name for name in gone if name not in kept and not journal.rotations(name, limit=1)}
    return frozenset(names) - never


def one_credential(assembly: Assembly, name: str) -> OneCredential:
    """Raises what the journal does. Twice: a new look."""
    journal, spec = assembly.journal, assembly.config.credentials.get(name)
    broken = assembly.config.broken.get(name)
    row, open_row, past = journal.credential(name), journal.open_rotation(name), journal.rotations(name, limit=PAST)
    facts = gather(assembly, spec) if spec is not None else None
    hand = by_a_person(assembly, spec) if spec is not None else None
    return OneCredential(
        name=name,
        now=assembly.clock.now(),
        spec=spec,
        policy=assembly.config.policies.get(name, ""),
        broken=broken,
        row=row,
        open=open_row,
        why=why(facts) if facts is not None else (),
        decision=decide(facts) if facts is not None else None,
        by_hand=secrets_hidden(hand) if hand is not None else None,
        keys=tuple(_kept(journal.keys(name), row, past)),
        past=past,
        acts=tuple(_acts(spec, row, open_row)) if spec is not None or broken is not None else (),
    )


def _kept(keys: Sequence[KnownKey], row: CredentialRow, past: Sequence[Rotation]) -> list[Kept]:
    """The newest first."""
    proofs = {old.key_id: old.proof for rotation in reversed(past) for old in rotation.old_keys if old.proof}
    return [
        Kept(key=key, current=key.key_id == row.current, proof=proofs.get(key.key_id))
        for key in sorted(keys, key=lambda each: each.since, reverse=True)
    ]


def _acts(spec: Credential | None, row: CredentialRow, open_row: Rotation | None) -> list[Verb | Act]:
    found: list[Verb | Act] = []
    if open_row is not None and open_row.phase is Phase.STUCK:
        found.append(Verb.RESUME)
    if row.held:
        found.append(Verb.RELEASE)
    if spec is not None and open_row is None and not row.held:
        found.append(Act.ROTATE)
    if open_row is not None and can_go_back(open_row):
        found.append(Verb.ROLLBACK)
    if not row.held:
        found.append(Verb.HOLD)
    return found
