"""What verdicts, states and strategies say, and what a key's record shows."""

from __future__ import annotations

import pytest

from rotator.domain import keys
from rotator.domain.keys import STRATEGIES, Key, KeyState, Minted, MintRequest, Strategy, Verdict, slot_of
from rotator.domain.secret import Secret


@pytest.mark.parametrize(
    ("verdict", "authentic"),
    [(Verdict.WORKS, True), (Verdict.FORBIDDEN, True), (Verdict.NOT_YET, False), (Verdict.INVALID, False)],
)
def test_only_a_living_key_s_value_is_authentic(verdict: Verdict, authentic: bool) -> None:
    assert verdict.authentic is authentic


def test_no_verdict_is_left_out_of_that_table() -> None:
    assert {each.name for each in Verdict} == {"WORKS", "FORBIDDEN", "NOT_YET", "INVALID"}


@pytest.mark.parametrize(("state", "live"), [("enabled", True), ("disabled", True), ("deleted", False)])
def test_a_disabled_key_still_lives_and_a_deleted_one_does_not(state: str, live: bool) -> None:
    assert Key(id="k1", state=KeyState(state)).live is live


@pytest.mark.parametrize(
    ("key_id", "slot"),
    [("app_a@51c0ffee", "app_a"), ("app_a", "app_a"), ("sk-1", "sk-1"), ("a@b@c", "a"), ("", ""), ("@x", "")],
)
def test_the_slot_is_what_stands_before_the_first_at(key_id: str, slot: str) -> None:
    assert slot_of(key_id) == slot


def test_every_strategy_of_the_module_is_in_the_table_under_its_own_name() -> None:
    declared = {each.name: each for each in vars(keys).values() if isinstance(each, Strategy)}
    assert declared == STRATEGIES


def test_only_where_the_slot_comes_back_can_a_mint_kill_the_old_key() -> None:
    assert all(each.overlap or each.slots for each in STRATEGIES.values())


def test_a_strategy_without_marks_and_without_slots_finds_its_own_by_the_baseline() -> None:
    unmarked = [each.name for each in STRATEGIES.values() if not each.marked and not each.slots]
    assert unmarked == ["unmarked", "by-hand"]


@pytest.mark.parametrize(
    "record",
    [
        Minted(key_id="k1", value=Secret({"secret": "sk-private"})),
        MintRequest(mark="m", chosen=Secret({"secret": "sk-private"})),
    ],
)
def test_what_carries_a_value_does_not_mention_it(record: object) -> None:
    assert "private" not in repr(record)
    assert "value=" not in repr(record)
    assert "chosen=" not in repr(record)
