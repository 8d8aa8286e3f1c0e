"""A rotation: one durable saga that takes one credential from its old keys to a new one, as the row that is saved.

The table of what happens in each phase is `rotator.engine.saga`; here is what is known at any moment, and the modes.
No field can hold a secret: values are known by fingerprint, and live in the places of stores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.consumers import ConsumerState
from rotator.domain.policy import Policy


class Phase(StrEnum):
    """Where a rotation stands; what each one does is in the table of `rotator.engine.saga`."""

    PLANNED = "planned"
    CONTAINING = "containing"
    MINTING = "minting"
    STAGING = "staging"
    PROMOTING = "promoting"
    LIVE = "live"
    RETIRING = "retiring"
    ROLLING_BACK = "rolling_back"
    WITHDRAWING = "withdrawing"
    SWEEPING = "sweeping"
    STUCK = "stuck"  # parked: keeps the credential's slot, says why and which command helps
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"

    @property
    def terminal(self) -> bool:
        """Whether the rotation is over; `stuck` is not."""
        return self in TERMINAL


TERMINAL = frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.SUPERSEDED})


class Mode(StrEnum):
    """Why and how a rotation runs; what each one means is its row of `RULES`."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    COMPROMISE = "compromise"
    CONTAIN_FIRST = "contain_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a mode changes in the saga. Steps read these fields and never branch on a mode's name."""

    overlap: Callable[[Policy], timedelta]  # how long both keys work at least
    waits_for_quiet: bool
    obeys_windows: bool
    every_key: bool  # the old keys are all that belong, not the current one alone
    contains: bool  # old keys are disabled before the new one is minted
    priority: int  # claimed first when higher
    may_go_back: bool  # the old value may be put back into use

    @property
    def emergency(self) -> bool:
        """Whether the old keys are taken for stolen."""
        return not self.may_go_back


def _row(
    overlap: Callable[[Policy], timedelta], quiet: int, windows: int, every: int, contain: int, prio: int
) -> Rules:
    return Rules(
        overlap=overlap,
        waits_for_quiet=bool(quiet),
        obeys_windows=bool(windows),
        every_key=bool(every),
        contains=bool(contain),
        priority=prio,
        may_go_back=not every,
    )


RULES: dict[Mode, Rules] = {
    #                          overlap                          quiet windows every contain priority
    Mode.SCHEDULED: _row(lambda p: p.overlap, 1, 1, 0, 0, 0),
    Mode.MANUAL: _row(lambda p: p.overlap, 1, 0, 0, 0, 1),
    Mode.COMPROMISE: _row(lambda p: p.compromise_grace, 0, 0, 1, 0, 2),
    Mode.CONTAIN_FIRST: _row(lambda p: timedelta(0), 0, 0, 1, 1, 3),
}


class WaitFor(StrEnum):
    """What a rotation waits for."""

    TIME = "time"
    QUIET = "quiet"
    PERSON = "person"
    STORE = "store"
    WINDOW = "window"


ON_HOLD = "held; `rotator release` lets it go on"
"""What one says that waits because its credential is on hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A step's word that there is nothing to do before `until`, and what for. `note` is for people."""

    until: datetime
    for_: WaitFor = WaitFor.TIME
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong last, in two lines as they are shown."""

    message: str
    hint: str = ""


class Proof(StrEnum):
    """How the death of an old key is known."""

    REFUSED = "refused"  # the provider said "invalid" twice, a death window apart, and "works" to the new key
    ABSENT = "absent"  # two full lists, a list lag apart, lack it, and its value could never be had
    UNPROVEN = "unproven"  # its value could be had and no longer can: nobody can say


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKey:
    """A key that this rotation replaces, and how far its death is.

    `had`: its value could be had when the old keys were fixed. `kept_in`: the store whose `previous` place holds it.
    `to_delete_since`: when a person was asked to delete it, where the provider has no deletion. `first_refused_at`: the
    beginning of the unbroken run of refusals (or of lists without it) that proves it dead.
    """

    key_id: str
    fingerprint: str | None = None
    had: bool = False
    kept_in: str | None = None
    disabled_at: datetime | None = None
    deleted_at: datetime | None = None
    first_refused_at: datetime | None = None
    proof: Proof | None = None
    dead_at: datetime | None = None
    to_delete_since: datetime | None = None

    @property
    def ending(self) -> bool:
        """Whether all was done for its end that we can do, and the proof is what remains."""
        return self.deleted_at is not None or self.to_delete_since is not None

    @property
    def waits_for_a_person(self) -> bool:
        """Whether a person was asked to delete it, and it was not refused yet."""
        return self.to_delete_since is not None and self.first_refused_at is None and self.proof is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What this rotation did to one of the credential's places.

    `expected` is the version that the promotion's intent committed: from then on the promotion may land. `put_back_at`
    is the same for the old value, `rewritten_at` for the bump of rule 4. `trouble_since`: the first of an unbroken run
    of failures to write. `unread`: the place cannot be read, so that it is promoted when it was written.
    """

    store: str
    ref: str
    expected: str | None = None
    version: str | None = None
    promoted_at: datetime | None = None
    put_back_at: datetime | None = None
    rewritten_at: datetime | None = None
    trouble_since: datetime | None = None
    left_behind: str | None = None  # why
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One row. Changed by `replace` alone; every write of it to the journal carries its fence.

    `next_at` is the time before which nothing is due and, while `owner` is set, the end of the owner's lease.
    `clean`: every claim was released by its owner and nothing was ambiguous.
    """

    id: str
    credential: str
    mode: Mode
    reason: str
    started_at: datetime
    next_at: datetime
    since: datetime  # when the phase began
    phase: Phase = Phase.PLANNED
    fence: int = 0
    owner: str | None = None
    clean: bool = True

    attempts: int = 0
    failing_since: datetime | None = None
    waiting: Waiting | None = None
    problem: Problem | None = None
    parked_from: Phase | None = None  # of a stuck one: where `resume` goes
    turns: int = 0  # how often withdrawing went back to rolling_back
    ends_as: Phase | None = None
    ended_at: datetime | None = None

    old_current: str | None = None
    old_keys: tuple[OldKey, ...] = ()
    fixed: bool = False  # the old keys are fixed; an emergency that joins fixes them anew
    baseline: tuple[str, ...] = ()  # the ids that lived when the rotation was planned
    stores: tuple[StoreState, ...] = ()
    consumers: tuple[ConsumerState, ...] = ()  # since something was published; those that the config named then

    slot: str | None = None
    mint_fences: tuple[int, ...] = ()  # a mint intent was committed at each of these
    first_mint_at: datetime | None = None  # the first intent
    last_mint_at: datetime | None = None  # the last one
    escrow: str | None = None
    new_key: str | None = None
    minted_at: datetime | None = None
    verified_at: datetime | None = None
    live_at: datetime | None = None
    beyond_pivot: bool = False

    exposure_end: datetime | None = None  # an emergency's: a key minted later is safe; None: unknown
    asked_at: datetime | None = None  # when the last emergency was commanded
    supersedes: tuple[str, ...] = ()
    outage: bool = False  # an outage was accepted and has begun; it counts until the rotation is live

    @property
    def rules(self) -> Rules:
        """What the mode means."""
        return RULES[self.mode]

    @property
    def open(self) -> bool:
        """Whether the rotation still keeps its credential's slot."""
        return self.phase not in TERMINAL

    def store(self, name: str, ref: str) -> StoreState:
        """What was done to the place `name:ref`; an untouched state where nothing was."""
        for each in self.stores:
            if (each.store, each.ref) == (name, ref):
                return each
        return StoreState(store=name, ref=ref)

    def with_store(self, state: StoreState) -> Rotation:
        """The row with this place's state in it."""
        others = tuple(each for each in self.stores if (each.store, each.ref) != (state.store, state.ref))
        return replace(self, stores=(*others, state))

    def old_key(self, key_id: str) -> OldKey | None:
        """The old key of that id, or None."""
        return next((each for each in self.old_keys if each.key_id == key_id), None)

    def with_old_key(self, key: OldKey) -> Rotation:
        """The row with this old key in it, in its place or at the end."""
        if self.old_key(key.key_id) is None:
            return replace(self, old_keys=(*self.old_keys, key))
        return replace(self, old_keys=tuple(key if each.key_id == key.key_id else each for each in self.old_keys))

    def consumer(self, name: str) -> ConsumerState | None:
        """How far the consumer of that name is, or None."""
        return next((each for each in self.consumers if each.name == name), None)

    def with_consumer(self, state: ConsumerState) -> Rotation:
        """The row with this consumer's state in it, in its place or at the end."""
        if self.consumer(state.name) is None:
            return replace(self, consumers=(*self.consumers, state))
        return replace(self, consumers=tuple(state if each.name == state.name else each for each in self.consumers))

    @property
    def minted_since(self) -> datetime | None:
        """From when on a key of this rotation may exist: a mint counts from its intent, a person's from the asking."""
        return self.minted_at or self.first_mint_at

    @property
    def usable(self) -> bool:
        """Whether an old key may still be used by whoever has it, as far as this row tells."""
        return not self.fixed or any(
            each.disabled_at is None and each.deleted_at is None and each.proof is None for each in self.old_keys
        )

    @property
    def promotion_intended(self) -> bool:
        """Whether a promotion may have landed, or may still land, anywhere."""
        return any(each.expected is not None for each in self.stores)
