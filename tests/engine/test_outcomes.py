"""Where a row goes after a step: each failure, on each side of the pivot, in each phase."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.changes import NEVER
from rotator.domain.failures import (
    Ambiguous,
    CapFull,
    Conflict,
    Denied,
    Failure,
    Permanent,
    Transient,
    Undecidable,
)
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase, Problem, Rotation, WaitFor, Waiting
from rotator.engine import outcomes
from rotator.engine.outcomes import OLD_KEY_DEAD
from rotator.engine.saga import TABLE
from rotator.engine.world import Timing
from rotator.ports import Change
from tests.engine.small_world import NAME, SmallWorld

P = Phase
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)
TIMING = Timing()
ORDINARY, EMERGENCY = (Mode.SCHEDULED, Mode.MANUAL), (Mode.COMPROMISE, Mode.CONTAIN_FIRST)
GOING_BACK = (P.ROLLING_BACK, P.WITHDRAWING)
MOVING = tuple(phase for phase in TABLE if phase is not P.STUCK)
GIVING_UP = (P.PLANNED, P.CONTAINING, P.MINTING, P.STAGING, P.PROMOTING)
BEFORE = (P.PLANNED, P.CONTAINING, P.MINTING, P.STAGING, P.PROMOTING, P.LIVE, P.RETIRING)
"""Phases in which the pivot may still lie ahead; `retiring` passes it by its first intent."""


def row(phase: Phase = P.STAGING, mode: Mode = Mode.SCHEDULED, **fields: object) -> Rotation:
    base = Rotation(
        id="r1",
        credential="c",
        mode=mode,
        reason="a test",
        started_at=NOW,
        next_at=NOW,
        since=NOW,
        phase=phase,
        owner="me",
        fence=3,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def failed(before: Rotation, failure: Failure, now: datetime = NOW) -> Rotation:
    return outcomes.failed(before, TABLE[before.phase], failure, now, TIMING)


def untouched(before: Rotation, after: Rotation, *but: str) -> bool:
    """Whether nothing but these fields changed."""
    return replace(before, **{name: getattr(after, name) for name in but}) == after


# -- tried again -----------------------------------------------------------------------------------------------------

PASSING = [Transient("down"), Transient("slow", throttled=True), Conflict("raced"), Ambiguous("no answer")]


@pytest.mark.parametrize("beyond", [False, True])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", MOVING)
@pytest.mark.parametrize("failure", PASSING, ids=lambda each: type(each).__name__ + str(getattr(each, "throttled", "")))
def test_what_may_pass_is_tried_again_in_the_same_phase_and_changes_nothing_else(
    failure: Failure, phase: Phase, mode: Mode, beyond: bool
) -> None:
    before = row(phase, mode, beyond_pivot=beyond)
    after = failed(before, failure)
    assert untouched(before, after, "attempts", "failing_since", "next_at", "waiting", "problem")
    assert after.failing_since == NOW
    assert after.next_at > NOW
    assert after.waiting == Waiting(until=after.next_at, note=failure.message)
    assert after.problem == Problem(message=failure.message)


def test_a_throttle_is_no_attempt_and_everything_else_that_passes_is() -> None:
    before = row(attempts=4)
    assert failed(before, Transient("slow", throttled=True)).attempts == 4
    for failure in (Transient("down"), Conflict("raced"), Ambiguous("no answer")):
        assert failed(before, failure).attempts == 5


def test_the_first_failure_of_an_unbroken_run_is_remembered_and_not_the_last() -> None:
    after = row()
    for hours in range(5):
        after = failed(after, Transient("down"), NOW + timedelta(hours=hours))
    assert after.failing_since == NOW
    assert after.attempts == 5


@given(st.integers(0, 10_000), st.text(min_size=1), st.sampled_from(Mode))
def test_the_pause_is_durable_bounded_and_the_same_whoever_computes_it(attempts: int, key: str, mode: Mode) -> None:
    before = row(mode=mode, attempts=attempts, id=key)
    pause = failed(before, Transient("down")).next_at - NOW
    longest = timedelta(seconds=30) if mode in EMERGENCY else timedelta(minutes=5)
    assert SECOND <= pause <= longest * 1.25
    assert failed(before, Transient("again")).next_at - NOW == pause


@given(st.integers(0, 100), st.sampled_from(Mode))
def test_the_pause_never_shrinks_with_the_attempts(attempts: int, mode: Mode) -> None:
    assert outcomes.backoff(row(mode=mode, attempts=attempts)) <= outcomes.backoff(
        row(mode=mode, attempts=attempts + 1)
    )


def test_pauses_of_different_rotations_are_spread() -> None:
    assert len({outcomes.backoff(row(id=f"r{number}")) for number in range(20)}) > 5


def test_a_server_s_own_word_on_when_to_come_back_is_taken() -> None:
    assert failed(row(), Transient("slow", retry_after=timedelta(seconds=17))).next_at == NOW + timedelta(seconds=17)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("asked", [timedelta(days=-1), timedelta(days=3650), timedelta.max], ids=str)
def test_a_hostile_word_on_when_to_come_back_neither_spins_nor_stops_the_rotation(asked: timedelta, mode: Mode) -> None:
    pause = failed(row(mode=mode), Transient("slow", retry_after=asked)).next_at - NOW
    assert timedelta(0) < pause <= timedelta(days=1)


# -- giving up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", MOVING)
def test_an_ordinary_rotation_gives_up_a_day_after_the_first_failure_until_its_key_is_live(phase: Phase) -> None:
    before = row(phase, failing_since=NOW)
    for failure in PASSING:
        assert failed(before, failure, NOW + DAY - SECOND).phase is phase
        after = failed(before, failure, NOW + DAY)
        assert after.phase is (TABLE[phase].otherwise if phase in GIVING_UP else phase)
        assert (after.ends_as is P.ROLLED_BACK) is (after.phase is not phase and after.phase is P.ROLLING_BACK)


@pytest.mark.parametrize("phase", MOVING)
@pytest.mark.parametrize("failure", PASSING, ids=lambda each: type(each).__name__ + str(getattr(each, "throttled", "")))
def test_behind_the_pivot_and_in_an_emergency_it_never_gives_up(failure: Failure, phase: Phase) -> None:
    later = NOW + timedelta(days=400)
    for before in [row(phase, beyond_pivot=True), *(row(phase, mode) for mode in EMERGENCY)]:
        after = failed(replace(before, failing_since=NOW), failure, later)
        assert after.phase is phase
        assert later < after.next_at < later + timedelta(hours=1)


@pytest.mark.parametrize("phase", BEFORE)
def test_mere_stalling_is_no_reason_to_give_up(phase: Phase) -> None:
    """A claim that nobody served for weeks is no failure: the first one after it begins a run."""
    before = row(phase, since=NOW - timedelta(days=30), started_at=NOW - timedelta(days=30))
    after = failed(before, Transient("down"))
    assert after.phase is phase
    assert after.failing_since == NOW


@pytest.mark.parametrize("phase", BEFORE)
def test_a_phase_that_lasted_long_before_it_failed_has_a_day_from_the_failure_on(phase: Phase) -> None:
    before = row(phase, since=NOW - timedelta(days=30), started_at=NOW - timedelta(days=30), failing_since=NOW)
    assert failed(before, Transient("down"), NOW + DAY - SECOND).phase is phase


@pytest.mark.parametrize("phase", BEFORE)
def test_a_step_that_worked_or_a_hold_ends_the_run_of_failures(phase: Phase) -> None:
    before = row(phase, failing_since=NOW - DAY, attempts=50)
    held = outcomes.moved(before, TABLE[phase], Waiting(until=NOW + DAY, for_=WaitFor.PERSON), NOW)
    assert (held.failing_since, held.attempts) == (None, 0)
    assert failed(held, Transient("down"), NOW + DAY * 3).phase is phase


# -- for good --------------------------------------------------------------------------------------------------------

FOR_GOOD = [Permanent("never", "a hint"), CapFull("full", "a hint")]


@pytest.mark.parametrize("failure", FOR_GOOD, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("mode", ORDINARY)
@pytest.mark.parametrize("phase", MOVING)
def test_what_never_works_follows_the_table_and_keeps_the_reason(phase: Phase, mode: Mode, failure: Failure) -> None:
    after = failed(row(phase, mode, attempts=3, failing_since=NOW), failure)
    assert after.phase is TABLE[phase].otherwise
    assert after.problem == Problem(message=failure.message, hint="a hint")
    assert (after.attempts, after.failing_since) == (0, None)
    assert (after.ended_at is not None) is after.phase.terminal
    assert after.parked_from is (phase if after.phase is P.STUCK else None)


@pytest.mark.parametrize("failure", FOR_GOOD, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("phase", MOVING)
def test_behind_the_pivot_and_in_an_emergency_what_never_works_is_parked(phase: Phase, failure: Failure) -> None:
    for before in [row(phase, beyond_pivot=True), *(row(phase, mode) for mode in EMERGENCY)]:
        after = failed(before, failure)
        assert (after.phase, after.parked_from) == (P.STUCK, phase)
        assert after.ends_as is before.ends_as


@pytest.mark.parametrize("failure", [Denied("no", "a hint", permission="write"), Undecidable("which?", "a hint")])
@pytest.mark.parametrize("beyond", [False, True])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", MOVING)
def test_what_only_a_person_can_settle_is_parked_wherever_it_happens(
    phase: Phase, mode: Mode, beyond: bool, failure: Failure
) -> None:
    before = row(phase, mode, beyond_pivot=beyond, ends_as=P.ROLLED_BACK if phase in GOING_BACK else None)
    after = failed(before, failure)
    assert (after.phase, after.parked_from, after.next_at) == (P.STUCK, phase, NEVER)
    assert after.waiting == Waiting(until=NEVER, for_=WaitFor.PERSON)
    assert after.problem == Problem(message=failure.message, hint="a hint")
    assert after.ends_as is before.ends_as


# -- a step that did not fail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", MOVING)
def test_a_step_without_a_word_leads_to_the_next_phase_at_once(phase: Phase) -> None:
    after = outcomes.moved(row(phase, attempts=2, failing_since=NOW), TABLE[phase], None, NOW + SECOND)
    assert after.phase is TABLE[phase].then
    assert (after.since, after.next_at) == (NOW + SECOND, NOW + SECOND)
    assert (after.attempts, after.failing_since, after.waiting, after.parked_from) == (0, None, None, None)


@pytest.mark.parametrize("phase", MOVING)
def test_a_step_leads_nowhere_but_where_its_row_says(phase: Phase) -> None:
    allowed = {TABLE[phase].then, *TABLE[phase].also}
    for target in Phase:
        if target in allowed:
            assert outcomes.moved(row(phase), TABLE[phase], target, NOW).phase is target
        else:
            with pytest.raises(AssertionError, match="does not lead"):
                outcomes.moved(row(phase), TABLE[phase], target, NOW)


@pytest.mark.parametrize("phase", MOVING)
def test_a_step_that_waits_stays_where_it_is_and_its_phase_did_not_begin_again(phase: Phase) -> None:
    waiting = Waiting(until=NOW + DAY, for_=WaitFor.QUIET, note="still used")
    before = row(phase)
    after = outcomes.moved(before, TABLE[phase], waiting, NOW + SECOND)
    assert (after.waiting, after.next_at) == (waiting, NOW + DAY)
    assert untouched(before, after, "waiting", "next_at")


def test_what_waited_for_is_over_already_is_due_now_and_not_in_the_past() -> None:
    assert outcomes.moved(row(), TABLE[P.STAGING], Waiting(until=NOW - DAY), NOW).next_at == NOW


def test_the_way_back_keeps_its_reason_to_the_end() -> None:
    after = failed(row(P.STAGING), Permanent("the provider refuses the new key", "look"))
    for phase in (P.WITHDRAWING, P.SWEEPING, P.ROLLED_BACK):
        target = P.ROLLED_BACK if phase is P.ROLLED_BACK else None
        after = outcomes.moved(after, TABLE[after.phase], Waiting(until=NOW), NOW)
        after = outcomes.moved(after, TABLE[after.phase], target, NOW)
        assert after.phase is phase
        assert after.problem == Problem(message="the provider refuses the new key", hint="look")
        assert after.ends_as is P.ROLLED_BACK
    assert after.ended_at == NOW


def test_a_problem_that_passed_is_forgotten() -> None:
    before = failed(row(), Transient("down"))
    assert outcomes.moved(before, TABLE[P.STAGING], None, NOW).problem is None


# -- what operators ask ----------------------------------------------------------------------------------------------


def parked(at: Phase, **fields: object) -> Rotation:
    mode = fields.pop("mode", Mode.SCHEDULED)
    assert isinstance(mode, Mode)
    return failed(row(at, mode, **fields), Undecidable("which?"))


@pytest.mark.parametrize("mode", ORDINARY)
@pytest.mark.parametrize("stuck", [False, True])
@pytest.mark.parametrize("phase", MOVING)
def test_rollback_goes_back_where_that_is_possible_and_changes_nothing_elsewhere(
    phase: Phase, stuck: bool, mode: Mode
) -> None:
    before = parked(phase, mode=mode) if stuck else row(phase, mode)
    after = outcomes.answered(before, Verb.ROLLBACK, NOW)
    if phase not in BEFORE:
        assert after == before
    elif phase is P.PLANNED:
        assert (after.phase, after.ended_at, after.parked_from) == (P.ROLLED_BACK, NOW, None)
    else:
        assert (after.phase, after.ends_as, after.parked_from) == (P.ROLLING_BACK, P.ROLLED_BACK, None)
        assert after.next_at == NOW
        assert after.problem == Problem(message="rolled back by an operator")


@pytest.mark.parametrize("stuck", [False, True])
@pytest.mark.parametrize("phase", MOVING)
def test_nobody_can_roll_back_an_emergency_or_what_has_passed_the_pivot(phase: Phase, stuck: bool) -> None:
    for fields in ({"beyond_pivot": True}, {"mode": Mode.COMPROMISE}, {"mode": Mode.CONTAIN_FIRST}):
        before = parked(phase, **fields) if stuck else row(phase, **fields)
        assert outcomes.answered(before, Verb.ROLLBACK, NOW) == before


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", MOVING)
def test_resume_goes_on_where_it_was_parked_and_does_nothing_to_one_that_moves(phase: Phase, mode: Mode) -> None:
    moving = row(phase, mode)
    assert outcomes.answered(moving, Verb.RESUME, NOW) == moving
    before = parked(phase, mode=mode)
    after = outcomes.answered(before, Verb.RESUME, NOW + SECOND)
    assert (after.phase, after.parked_from, after.next_at) == (phase, None, NOW + SECOND)
    assert after.waiting is None
    assert (after.attempts, after.failing_since) == (0, None)


def test_a_way_back_that_was_parked_and_resumed_still_ends_rolled_back() -> None:
    before = parked(P.WITHDRAWING, ends_as=P.ROLLED_BACK)
    assert outcomes.answered(before, Verb.RESUME, NOW).ends_as is P.ROLLED_BACK


def test_with_the_old_key_dead_resume_goes_forward() -> None:
    back = row(P.ROLLING_BACK, ends_as=P.ROLLED_BACK)
    before = failed(back, Permanent(f"{OLD_KEY_DEAD}, so there is nothing to go back to"))
    assert before.phase is P.STUCK
    after = outcomes.answered(before, Verb.RESUME, NOW)
    assert (after.phase, after.ends_as) == (P.PROMOTING, None)
    other = failed(back, Permanent("the old key's value is in no store any more"))
    assert outcomes.answered(other, Verb.RESUME, NOW).phase is P.ROLLING_BACK


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", TABLE)
def test_hold_and_release_change_the_credential_and_never_where_the_rotation_stands(phase: Phase, mode: Mode) -> None:
    small = SmallWorld()
    rotation = small.begin(mode, phase=phase, parked_from=P.STAGING if phase is P.STUCK else None)
    small.journal.ask(NAME, Verb.HOLD, "an audit", NOW)
    outcomes.answer(rotation, rotation.world.journal.commit(rotation.row, NOW, Change(), heed=True))
    assert (small.credential().held, small.credential().held_why) == (True, "an audit")
    assert small.committed().phase is phase
    assert (small.committed().owner is None) is (phase is P.STUCK)
    small.journal.ask(NAME, Verb.RELEASE, "over", NOW)
    outcomes.answer(rotation, rotation.world.journal.commit(rotation.row, NOW, Change(), heed=True))
    assert (small.credential().held, small.credential().held_why) == (False, "")
    assert small.committed().phase is phase
    assert small.effects() == []


def test_requests_are_answered_in_the_order_in_which_they_were_asked_and_once() -> None:
    small = SmallWorld()
    rotation = small.begin(phase=P.STAGING)
    for verb in (Verb.HOLD, Verb.ROLLBACK, Verb.RELEASE):
        small.journal.ask(NAME, verb, "why", NOW)
    outcomes.answer(rotation, rotation.world.journal.commit(rotation.row, NOW, Change(), heed=True))
    assert small.committed().phase is P.ROLLING_BACK
    assert not small.credential().held
    told = [each.event.action for each in small.journal.events() if each.event.kind == "operator"]
    assert told == ["hold", "rollback", "release"]
    assert rotation.world.journal.commit(rotation.row, NOW, Change(), heed=True) == ()
