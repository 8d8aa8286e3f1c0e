"""Whether an emergency joins the open rotation or supersedes it, in every phase."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from rotator.domain.changes import NEVER
from rotator.domain.failures import Fenced
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, OldKey, Phase, Proof, Rotation
from rotator.engine.starting import assume_compromise, joins, start
from rotator.ports import Change
from tests.engine.small_world import NAME, START, TIMING, SmallWorld

P = Phase
HOUR = timedelta(hours=1)
EARLIER, LATER = START - HOUR, START + HOUR
OPEN = tuple(phase for phase in Phase if not phase.terminal)
NO_MINT: dict[str, Any] = {}
INTENDED: dict[str, Any] = {"mint_fences": (1,), "first_mint_at": START, "last_mint_at": START}
MINTED: dict[str, Any] = {**INTENDED, "minted_at": START, "new_key": "k2"}

NOTHING = {P.PLANNED, P.CONTAINING, P.MINTING}
"""Joined while no mint was intended."""
BY_TIME = {P.MINTING, P.STAGING, P.PROMOTING, P.LIVE, P.RETIRING}
"""Joined when the key was minted after the exposure end."""


def emergency(small: SmallWorld, *, contain_first: bool = False, exposure_end: datetime | None = None) -> Rotation:
    return assume_compromise(
        small.spec,
        small.journal,
        small.others,
        small.clock,
        owner="the emergency",
        lease=TIMING.lease,
        contain_first=contain_first,
        exposure_end=exposure_end,
        reason="LiteLLM",
    )


def opened(phase: Phase, mode: Mode = Mode.SCHEDULED, **fields: object) -> tuple[SmallWorld, Rotation]:
    """A rotation in that phase, held by a worker that is far from the end of its lease."""
    small = SmallWorld()
    return small, small.begin(mode, phase=phase, **fields).row


# -- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", OPEN)
def test_before_any_mint_intent_the_emergency_joins_and_otherwise_supersedes(phase: Phase) -> None:
    _, row = opened(phase)
    for exposure_end in (EARLIER, START, LATER):
        assert joins(row, exposure_end) is (phase in NOTHING)


@pytest.mark.parametrize("fields", [INTENDED, MINTED], ids=["intended", "minted"])
@pytest.mark.parametrize("phase", OPEN)
def test_a_key_minted_after_the_exposure_end_is_joined_up_to_retiring(phase: Phase, fields: dict[str, Any]) -> None:
    _, row = opened(phase, **fields)
    assert joins(row, EARLIER) is (phase in BY_TIME)
    assert joins(row, START) is (phase in BY_TIME)
    assert joins(row, START + timedelta(microseconds=1)) is False
    assert joins(row, LATER) is False


def test_a_mint_without_an_outcome_counts_from_its_first_intent_however_late_the_last_one_is() -> None:
    _, row = opened(P.MINTING, mint_fences=(1, 2), first_mint_at=EARLIER, last_mint_at=LATER)
    assert not joins(row, START)


@pytest.mark.parametrize("contain_first", [False, True])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", OPEN)
def test_in_every_phase_one_rotation_is_open_afterwards_unclaimed_and_an_emergency(
    phase: Phase, mode: Mode, contain_first: bool
) -> None:
    for fields, end in product((NO_MINT, INTENDED, MINTED), [None, EARLIER, LATER]):
        small, row = opened(phase, mode, **fields)
        small.clock.move(timedelta(minutes=1))
        found = emergency(small, contain_first=contain_first, exposure_end=end)
        now = small.clock.now()
        assert small.journal.open_rotation(NAME) == found
        assert (found.owner, found.next_at) == (None, now)
        assert found.rules.emergency
        assert not found.fixed
        assert found.asked_at == now
        before = small.journal.rotation(row.id)
        assert before is not None
        if joins(row, end or now):
            assert found.id == row.id
            assert found.fence > row.fence
            assert not found.clean  # its owner did not release it
        else:
            assert found.supersedes == (row.id,)
            assert found.phase is P.PLANNED
            assert (before.phase, before.owner, before.ended_at) == (P.SUPERSEDED, None, now)
            undone = replace(before, phase=row.phase, owner=row.owner, ended_at=None, fence=row.fence, clean=row.clean)
            assert (
                replace(undone, since=row.since, next_at=row.next_at, problem=row.problem, waiting=row.waiting) == row
            )
        assert small.effects() == []


@pytest.mark.parametrize("phase", OPEN)
def test_the_former_owner_can_write_nothing_any_more(phase: Phase) -> None:
    small, row = opened(phase)
    emergency(small)
    with pytest.raises(Fenced):
        small.journal.commit(row, START, Change())


# -- joining ---------------------------------------------------------------------------------------------------------


def test_joined_before_the_mint_it_looks_at_everything_again() -> None:
    for phase in (P.PLANNED, P.MINTING):
        small, _ = opened(phase, fixed=True, old_keys=(OldKey(key_id="k1"),), failing_since=START, attempts=9)
        found = emergency(small)
        assert (found.phase, found.attempts, found.failing_since) == (P.PLANNED, 0, None)


def test_joined_with_a_key_it_goes_on_where_it_stands_and_fixes_the_old_keys_anew() -> None:
    proven = OldKey(key_id="k1", proof=Proof.REFUSED)
    small, row = opened(P.RETIRING, **MINTED, fixed=True, old_keys=(proven,), beyond_pivot=True, live_at=START)
    found = emergency(small, exposure_end=EARLIER)
    assert (found.phase, found.fixed, found.new_key) == (P.RETIRING, False, "k2")
    assert (found.old_keys, found.beyond_pivot, found.live_at) == ((proven,), True, START)
    assert found.exposure_end == EARLIER
    assert found.started_at == row.started_at


def test_joined_while_containing_it_stays_containing() -> None:
    small, _ = opened(P.CONTAINING, Mode.CONTAIN_FIRST, outage=True, exposure_end=EARLIER)
    found = emergency(small)
    assert (found.phase, found.mode, found.outage) == (P.CONTAINING, Mode.CONTAIN_FIRST, True)


@pytest.mark.parametrize(
    ("before", "phase", "fields", "contain_first", "after"),
    [
        (Mode.SCHEDULED, P.PLANNED, {}, False, Mode.COMPROMISE),
        (Mode.SCHEDULED, P.PLANNED, {}, True, Mode.CONTAIN_FIRST),
        (Mode.COMPROMISE, P.MINTING, {}, True, Mode.CONTAIN_FIRST),
        (Mode.CONTAIN_FIRST, P.PLANNED, {}, False, Mode.CONTAIN_FIRST),
        (Mode.CONTAIN_FIRST, P.CONTAINING, {}, False, Mode.CONTAIN_FIRST),
        (Mode.CONTAIN_FIRST, P.STAGING, MINTED, False, Mode.CONTAIN_FIRST),
        (Mode.SCHEDULED, P.LIVE, MINTED, False, Mode.COMPROMISE),
        (Mode.SCHEDULED, P.LIVE, MINTED, True, Mode.COMPROMISE),  # nothing is left to contain before its key
        (Mode.MANUAL, P.RETIRING, MINTED, True, Mode.COMPROMISE),
    ],
)
def test_the_mode_of_a_joined_rotation(
    before: Mode, phase: Phase, fields: dict[str, Any], contain_first: bool, after: Mode
) -> None:
    small, row = opened(phase, before, **fields)
    found = emergency(small, contain_first=contain_first, exposure_end=EARLIER)
    assert (found.id, found.mode) == (row.id, after)


def test_the_later_exposure_end_of_two_emergencies_counts() -> None:
    for first, second in [(EARLIER, START), (START, EARLIER)]:
        small = SmallWorld()
        emergency(small, exposure_end=first)
        assert emergency(small, exposure_end=second).exposure_end == START


# -- superseding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [P.ROLLING_BACK, P.WITHDRAWING, P.SWEEPING, P.STUCK])
def test_what_goes_back_sweeps_or_is_stuck_is_superseded_whenever_its_key_was_minted(phase: Phase) -> None:
    small, row = opened(phase, **MINTED, parked_from=P.STAGING if phase is P.STUCK else None)
    found = emergency(small, exposure_end=EARLIER)
    assert found.supersedes == (row.id,)


def test_a_parked_row_that_nobody_would_wake_is_superseded_at_once() -> None:
    small, row = opened(P.STUCK, parked_from=P.STAGING, **INTENDED)
    small.journal.commit(replace(row, owner=None, next_at=NEVER), START, Change())
    found = emergency(small)
    assert found.supersedes == (row.id,)
    assert found.next_at == small.clock.now()


def test_a_successor_inherits_containment_outage_and_all_that_was_superseded_before() -> None:
    small, row = opened(P.STAGING, Mode.CONTAIN_FIRST, **MINTED, outage=True, supersedes=("r0",))
    found = emergency(small, exposure_end=LATER)
    assert (found.mode, found.outage, found.supersedes) == (Mode.CONTAIN_FIRST, True, (row.id, "r0"))
    assert (found.new_key, found.mint_fences, found.old_keys) == (None, (), ())


def test_a_successor_of_an_ordinary_rotation_has_no_outage_of_its_own() -> None:
    small, _ = opened(P.STAGING, **MINTED)
    found = emergency(small, exposure_end=LATER)
    assert (found.supersedes, found.phase) == (("r1",), P.PLANNED)
    assert (found.mode, found.outage) == (Mode.COMPROMISE, False)


# -- a second emergency, and none open -------------------------------------------------------------------------------


def test_with_nothing_open_an_emergency_begins_and_its_exposure_ends_now_if_nobody_knows() -> None:
    small = SmallWorld()
    found = emergency(small)
    assert (found.mode, found.phase, found.exposure_end) == (Mode.COMPROMISE, P.PLANNED, START)
    assert (found.supersedes, found.owner) == ((), None)


def test_a_second_emergency_before_the_mint_is_the_same_rotation() -> None:
    small = SmallWorld()
    first = emergency(small)
    assert emergency(small).id == first.id
    assert len(small.journal.rotations(NAME)) == 1


def test_a_second_emergency_joins_what_was_minted_since_the_exposure_and_supersedes_it_when_unknown() -> None:
    for end, same in [(START, True), (None, False)]:
        small = SmallWorld()
        first = emergency(small)
        rotation = small.claim()
        rotation.update(phase=P.LIVE, **MINTED)
        rotation.commit()
        small.clock.move(HOUR)
        assert (emergency(small, exposure_end=end).id == first.id) is same


def test_an_emergency_does_not_ask_whether_the_credential_is_held() -> None:
    small, row = opened(P.PLANNED)
    small.journal.ask(NAME, Verb.HOLD, "an audit", START)
    assert emergency(small).id == row.id
    assert small.journal.claim(owner="me", now=START, lease=TIMING.lease, limit=1)


# -- ordinary beginnings ---------------------------------------------------------------------------------------------


def test_a_second_ordinary_rotation_is_not_begun_and_the_first_stays_as_it_is() -> None:
    small = SmallWorld()

    def begin(mode: Mode) -> Rotation | None:
        return start(small.spec, small.journal, small.others, small.clock, mode=mode, reason="due")

    first = begin(Mode.SCHEDULED)
    assert first is not None
    assert begin(Mode.MANUAL) is None
    assert small.journal.open_rotation(NAME) == first
    assert [each.event.action for each in small.journal.events()] == ["begin"]
