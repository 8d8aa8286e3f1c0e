"""The evidence of an incident: what was exposed, what was done to each key and when, and what is left to do.

Plain values without a secret, for people and machines; how they are gathered is `rotator.app.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.domain.rotation import OldKey, Phase, Proof, StoreState

SURE = (Proof.REFUSED, Proof.ABSENT)
"""Proofs that a key is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """One exposed credential and what was done about it.

    `rotation` is None where none could be begun. `why`: each way that leads to it, as steps. `head`: the digest of the
    rotation's newest event, by which this evidence hangs on the trail. `error`: what went wrong last, and what helps.
    """

    credential: str
    provider: str
    console_url: str = ""
    why: tuple[tuple[str, ...], ...] = ()
    rotation: str | None = None
    mode: str | None = None
    phase: Phase | None = None
    started_at: datetime | None = None
    live_at: datetime | None = None
    ended_at: datetime | None = None
    new_key: str | None = None
    minted_at: datetime | None = None
    old_keys: tuple[OldKey, ...] = ()
    stores: tuple[StoreState, ...] = ()
    consumers: tuple[str, ...] = ()
    events: int = 0
    head: str = ""
    error: tuple[str, str] | None = None

    @property
    def proven(self) -> bool:
        """Whether a rotation is done and every old key of it is proven dead."""
        return self.phase is Phase.DONE and all(old.proof in SURE for old in self.old_keys)

    @property
    def dead_at(self) -> datetime | None:
        """When the last of its old keys was proven dead; None while one is not, or where there was none."""
        if not self.proven:
            return None
        return max((old.dead_at for old in self.old_keys if old.dead_at is not None), default=None)

    @property
    def left_behind(self) -> tuple[StoreState, ...]:
        """Places that take no part any more and still hold what they held."""
        return tuple(each for each in self.stores if each.left_behind is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One thing that is left to do: where, what, the command or the console that does it."""

    credential: str
    what: str
    hint: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of an incident, at `made_at`.

    `window`: from when to when the thief could read, None where nobody said. `contained`: whether a person said so.
    `detected_at`: the first command of this incident. `unknown`: credentials that nobody can call safe, with the
    reason. `checkpoint`: number and digest of the signed checkpoint that closes the trail behind this evidence, None
    where there is none.
    """

    incident: str
    reason: str
    installation: str
    made_at: datetime
    detected_at: datetime | None = None
    window: tuple[datetime, datetime] | None = None
    contained: bool = False
    replaced: tuple[Replaced, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    checkpoint: tuple[int, str] | None = None

    @property
    def proven(self) -> int:
        """How many credentials are proven clean."""
        return sum(each.proven for each in self.replaced)

    @property
    def concerned(self) -> int:
        """How many are exposed or unknown."""
        return len(self.replaced) + len(self.unknown)

    @property
    def complete(self) -> bool:
        """Whether there is something, and all of it is proven and nothing left behind."""
        return bool(self.replaced) and not self.left

    @property
    def percent(self) -> float:
        """Coverage: proven dead over exposed and unknown, from 0 to 100. Below 100 it is never rounded up to it."""
        if not self.concerned:
            return 0.0
        share = 100 * self.proven / self.concerned
        return share if self.proven == self.concerned else min(share, 99.9)

    @property
    def left(self) -> tuple[Left, ...]:
        """What is left to do, credential by credential."""
        found = [left for each in self.replaced for left in _left_of(each)]
        found += [
            Left(credential=name, what=f"nobody knows whether it is exposed: {why}", hint=_hint(name))
            for name, why in self.unknown.items()
        ]
        return tuple(found)


def _hint(unknown: str) -> str:
    """What helps where nobody knows: a name with a blank is no credential's."""
    return "close the gap, then the same command" if " " in unknown else f"close the gap, or rotate {unknown} too"


def _left_of(each: Replaced) -> list[Left]:
    name = each.credential
    found = []
    if not each.proven:
        message, hint = each.error or ("", "")
        alive = [old.key_id for old in each.old_keys if old.proof not in SURE]
        keys = f"not proven dead: {', '.join(alive)}" if alive else "its old keys are not proven dead"
        what = f"{keys} ({message})" if message else keys
        found.append(Left(credential=name, what=what, hint=hint or f"rotator prove {name}", url=each.console_url))
    for place in each.left_behind:
        what = f"{place.store}:{place.ref} was left behind: {place.left_behind}"
        found.append(Left(credential=name, what=what, hint="rotator reconcile"))
    return found
