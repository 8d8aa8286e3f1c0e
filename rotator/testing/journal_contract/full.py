"""A row with something in every field."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.consumers import ConsumerState, PickedUp
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, StoreState, WaitFor, Waiting
from rotator.testing.journal_contract.values import LEASE, NOW, SECOND

FULL = Rotation(
    id="full",
    credential="openai",
    started_at=NOW,
    mode=Mode.CONTAIN_FIRST,
    reason="“stolen”\n",
    next_at=NOW + LEASE,
    since=NOW + SECOND,
    phase=Phase.RETIRING,
    clean=False,
    attempts=3,
    failing_since=NOW,
    waiting=Waiting(until=NOW + SECOND, for_=WaitFor.QUIET, note="k1 is still used"),
    problem=Problem(message="the provider throttles", hint="wait"),
    parked_from=Phase.PROMOTING,
    turns=2,
    ends_as=Phase.ROLLED_BACK,
    ended_at=NOW,
    old_current="k1",
    old_keys=(
        OldKey(
            key_id="k1",
            fingerprint="0123456789abcdef",
            had=True,
            kept_in="vault",
            disabled_at=NOW,
            deleted_at=NOW,
            first_refused_at=NOW,
            proof=Proof.REFUSED,
            dead_at=NOW,
            to_delete_since=NOW,
        ),
        OldKey(key_id="app_a@51c"),
    ),
    fixed=True,
    baseline=("k1", "k0"),
    stores=(
        StoreState(
            store="vault",
            ref="ai/openai",
            expected="",
            version="4",
            promoted_at=NOW,
            put_back_at=NOW,
            rewritten_at=NOW,
            trouble_since=NOW,
            left_behind="sealed",
            unread=True,
        ),
        StoreState(store="aws", ref="prod/openai"),
    ),
    consumers=(
        ConsumerState(
            name="web",
            since=NOW,
            way="webhook",
            tell_at=NOW,
            told_at=NOW + SECOND,
            attempts=3,
            trouble="its webhook answers with status 503",
            picked_up_at=NOW + SECOND,
            how=PickedUp.ACKNOWLEDGED,
        ),
        ConsumerState(name="cron", since=NOW),
    ),
    slot="app_b",
    mint_fences=(1, 2),
    first_mint_at=NOW,
    last_mint_at=NOW,
    escrow="vault",
    new_key="k2",
    minted_at=NOW,
    verified_at=NOW,
    live_at=NOW,
    beyond_pivot=True,
    exposure_end=NOW,
    asked_at=NOW,
    supersedes=("r0",),
    outage=True,
)
"""Every field is different from what it is at first."""


def filled(row: Rotation) -> Rotation:
    """The row with all of `FULL` but for what says which row it is and whose."""
    return replace(
        FULL, id=row.id, credential=row.credential, started_at=row.started_at, fence=row.fence, owner=row.owner
    )
