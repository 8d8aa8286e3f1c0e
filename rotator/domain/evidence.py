"""The evidence of an incident: what was exposed, what was done to each key and when, and what is left to do.

Plain values without a secret, for people and machines; how they are gathered is `rotator.app.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from rotator.domain.aftermath import AdminState, Aftermath
from rotator.domain.incidents import LEFT_OUT, NOT_THERE, WAS_IN_IT, Closed
from rotator.domain.made import MadeKind
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
    reason. `after`: foreign keys, trails and admin credentials; None where no command came so far. `checkpoint`: number
    and digest of the signed checkpoint that closes the trail behind this evidence, None where there is none. `closed`:
    when and how a person ended it, None while it is open.
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
    after: Aftermath | None = None
    checkpoint: tuple[int, str] | None = None
    closed: Closed | None = None

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
        """Whether all of it is proven, nothing left behind, and nobody gave it up; of nothing, that was closed."""
        if self.left or (self.closed is not None and self.closed.gave_up):
            return False
        return bool(self.replaced) or self.closed is not None

    @property
    def percent(self) -> float:
        """Coverage: proven dead over exposed and unknown, from 0 to 100. Below 100 it is never rounded up to it."""
        if not self.concerned:
            return 100.0 if self.complete else 0.0
        share = 100 * self.proven / self.concerned
        return share if self.proven == self.concerned else min(share, 99.9)

    @property
    def left(self) -> tuple[Left, ...]:
        """What is left to do, credential by credential."""
        found = [left for each in self.replaced for left in _left_of(each)]
        found += [unsafe(name, why) for name, why in self.unknown.items()]
        begun = any(each.rotation for each in self.replaced)
        return (*found, *(left_after(self.incident, self.after) if begun or self.after is not None else ()))

    @property
    def by_hand(self) -> tuple[Left, ...]:
        """What keeps it from nothing, and is for a person to look at."""
        return by_hand(self.after)


def unsafe(name: str, why: str) -> Left:
    """What nobody can call safe: a name with a blank is no credential's."""
    if why == LEFT_OUT:
        return Left(credential=name, what=why, hint="the same command without --tag and --owner")
    if why.startswith((WAS_IN_IT, NOT_THERE)):
        hint = "put it back into the config, or rotate it too; or `incident close … --incomplete --reason TEXT`"
        return Left(credential=name, what=f"nobody knows whether it is exposed: {why}", hint=hint)
    hint = "close the gap, then the same command" if " " in name else f"close the gap, or rotate {name} too"
    return Left(credential=name, what=f"nobody knows whether it is exposed: {why}", hint=hint)


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


WHOSE = "if nobody knows it: the same command with --revoke-foreign"
AGAIN = "the same command looks again"
JUDGE = "look for yourself, and undo what nobody knows"
LOOK = "the same command, without --no-wait, looks"
NOT_SINCE = "nobody looked for foreign keys since the last command of it"


def left_after(incident: str, after: Aftermath | None) -> list[Left]:
    """Of the keys that nobody here made, and of who can make more. `after` None: nobody so much as began to look."""
    if after is None or after.swept_at is None:
        return [Left(credential=incident, what="nobody looked for foreign keys afterwards", hint=LOOK)]
    urls = {trail.provider: trail.url for trail in after.trails}
    found = [Left(credential=incident, what=NOT_SINCE, hint=LOOK)] if after.stale else []
    found += [
        Left(
            credential=key.beside,
            what=f"foreign key {key.key_id} at {key.provider} {_lives(key.state, key.why)}",
            hint=WHOSE,
            url=urls.get(key.provider, ""),
        )
        for key in after.living
    ]
    found += [
        Left(credential=provider, what=f"key {made.id} of {made.where or 'nobody knows whom'} was made in the window")
        for provider, made in after.keys_elsewhere
    ]
    found += [
        Left(credential=trail.provider, what=f"its trail tells of {trail.cut} more things that are not kept here")
        for trail in after.cut
    ]
    found += [
        Left(credential=name, what=f"foreign keys beside it are not known: {why}", hint=AGAIN)
        for name, why in after.untold.items()
    ]
    if not after.settled and not after.untold:
        found.append(Left(credential=after.incident, what="keys that nobody here made still came and went", hint=AGAIN))
    for admin in after.minting_goes_on:
        dead = "is not proven dead" if admin.state is AdminState.ALIVE else "was not replaced"
        what = f"its admin key {dead}: whoever has it can still mint"
        hint = f"rotate {admin.credential} --assume-compromise" if admin.credential else f"replace it, then {AGAIN}"
        found.append(Left(credential=admin.provider, what=what, hint=hint))
    return [replace(each, url=each.url or urls.get(each.credential, "")) for each in found]


def by_hand(after: Aftermath | None) -> tuple[Left, ...]:
    """What the trails tell of besides keys, and those that could not be read."""
    if after is None:
        return ()
    urls = {trail.provider: trail.url for trail in after.trails}
    found = [
        Left(credential=trail.provider, what=f"its trail was not read, so nobody knows what was made: {trail.untold}")
        for trail in after.unread
    ]
    found += [
        Left(credential=provider, what=f"{made.kind.value} {made.id} {made.name}".rstrip() + ", in the window")
        for provider, made in after.made
        if made.kind is not MadeKind.KEY
    ]
    return tuple(replace(each, hint=JUDGE, url=urls.get(each.credential, "")) for each in found)


def _lives(state: str, why: str) -> str:
    lives = "is deleted, and not proven dead" if state == "deleted" else "may be the thief's, and lives"
    return f"{lives}: {why}" if why else lives
