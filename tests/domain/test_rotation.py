"""What a row says of itself, and how it is changed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.policy import Policy
from rotator.domain.rotation import RULES, TERMINAL, Mode, OldKey, Phase, Proof, Rotation, StoreState
from rotator.domain.secret import Secret

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ROW = Rotation(id="r1", credential="c", mode=Mode.SCHEDULED, reason="due", started_at=NOW, next_at=NOW, since=NOW)


@pytest.mark.parametrize("phase", Phase)
def test_a_rotation_is_over_exactly_when_done_rolled_back_or_superseded(phase: Phase) -> None:
    over = phase in {Phase.DONE, Phase.ROLLED_BACK, Phase.SUPERSEDED}
    assert phase.terminal is over
    assert (phase in TERMINAL) is over
    assert replace(ROW, phase=phase).open is not over


def test_a_stuck_rotation_keeps_its_credential_s_slot() -> None:
    assert replace(ROW, phase=Phase.STUCK).open


def test_every_mode_has_its_rules() -> None:
    assert set(RULES) == set(Mode)
    assert all(replace(ROW, mode=mode).rules is RULES[mode] for mode in Mode)


@pytest.mark.parametrize("mode", [Mode.COMPROMISE, Mode.CONTAIN_FIRST])
def test_an_emergency_replaces_every_key_waits_for_nobody_and_never_goes_back(mode: Mode) -> None:
    rules = RULES[mode]
    assert rules.emergency
    assert rules.every_key
    assert (rules.waits_for_quiet, rules.obeys_windows, rules.may_go_back) == (False, False, False)


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.MANUAL])
def test_an_ordinary_rotation_replaces_the_current_key_alone_and_may_go_back(mode: Mode) -> None:
    rules = RULES[mode]
    assert not rules.emergency
    assert rules.may_go_back
    assert rules.waits_for_quiet
    assert (rules.every_key, rules.contains) == (False, False)


def test_only_the_scheduled_one_obeys_windows_and_only_contain_first_contains() -> None:
    assert [mode for mode in Mode if RULES[mode].obeys_windows] == [Mode.SCHEDULED]
    assert [mode for mode in Mode if RULES[mode].contains] == [Mode.CONTAIN_FIRST]


def test_the_more_urgent_mode_is_claimed_first() -> None:
    order = sorted(Mode, key=lambda mode: RULES[mode].priority)
    assert order == [Mode.SCHEDULED, Mode.MANUAL, Mode.COMPROMISE, Mode.CONTAIN_FIRST]
    assert len({rules.priority for rules in RULES.values()}) == len(Mode)


def test_how_long_both_keys_work_comes_from_the_policy() -> None:
    policy = Policy(every=timedelta(days=30), overlap=timedelta(hours=5), compromise_grace=timedelta(seconds=7))
    found = {mode: RULES[mode].overlap(policy) for mode in Mode}
    assert found == {
        Mode.SCHEDULED: timedelta(hours=5),
        Mode.MANUAL: timedelta(hours=5),
        Mode.COMPROMISE: timedelta(seconds=7),
        Mode.CONTAIN_FIRST: timedelta(0),
    }


# -- stores and old keys ---------------------------------------------------------------------------------------------


def test_a_place_that_nothing_was_done_to_has_an_untouched_state() -> None:
    assert ROW.store("vault", "app") == StoreState(store="vault", ref="app")
    assert ROW.stores == ()


def test_a_place_is_known_by_its_store_and_its_ref_together() -> None:
    row = ROW
    for store, ref in [("vault", "a"), ("vault", "b"), ("file", "a")]:
        row = row.with_store(StoreState(store=store, ref=ref, expected=f"{store}{ref}"))
    row = row.with_store(StoreState(store="vault", ref="a", expected="again"))
    assert len(row.stores) == 3
    assert [row.store(*each).expected for each in [("vault", "a"), ("vault", "b"), ("file", "a")]] == [
        "again",
        "vaultb",
        "filea",
    ]
    assert row.store("file", "b").expected is None


def test_an_old_key_is_changed_in_its_place_and_a_new_one_comes_last() -> None:
    row = ROW.with_old_key(OldKey(key_id="k1")).with_old_key(OldKey(key_id="k2"))
    row = row.with_old_key(OldKey(key_id="k1", proof=Proof.REFUSED)).with_old_key(OldKey(key_id="k3"))
    assert [(each.key_id, each.proof) for each in row.old_keys] == [
        ("k1", Proof.REFUSED),
        ("k2", None),
        ("k3", None),
    ]
    assert row.old_key("k2") == OldKey(key_id="k2")
    assert row.old_key("k4") is None


def test_changing_a_row_leaves_the_one_it_came_from_alone() -> None:
    ROW.with_store(StoreState(store="vault", ref="a"))
    ROW.with_old_key(OldKey(key_id="k1"))
    assert ROW.stores == ()
    assert ROW.old_keys == ()


# -- what may have happened ------------------------------------------------------------------------------------------


def test_a_promotion_into_a_place_that_did_not_exist_is_intended_all_the_same() -> None:
    absent = ""
    assert ROW.with_store(StoreState(store="vault", ref="a", expected=absent)).promotion_intended


def test_no_promotion_is_intended_by_a_place_that_was_only_rewritten_or_left_behind() -> None:
    state = StoreState(store="vault", ref="a", rewritten_at=NOW, left_behind="down", trouble_since=NOW)
    assert not ROW.promotion_intended
    assert not ROW.with_store(state).promotion_intended


def test_a_mint_without_an_outcome_counts_from_its_first_intent() -> None:
    first, last = NOW, NOW + timedelta(hours=1)
    row = replace(ROW, mint_fences=(1, 2), first_mint_at=first, last_mint_at=last)
    assert ROW.minted_since is None
    assert row.minted_since == first
    assert replace(row, minted_at=last, new_key="k2").minted_since == last


def test_no_field_of_a_row_can_hold_a_secret() -> None:
    for kind in (Rotation, StoreState, OldKey):
        assert not [each.name for each in fields(kind) if Secret.__name__ in str(each.type)]
