"""The table of the saga is complete, and its steps keep to what a step may do."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from rotator.domain import keys
from rotator.domain.keys import STRATEGIES, Strategy
from rotator.domain.rotation import TERMINAL, Mode, Phase
from rotator.engine import (
    belonging,
    by_hand,
    containing,
    killing,
    live,
    minting,
    places,
    planning,
    promoting,
    reconciling,
    recorded,
    retiring,
    rolling_back,
    saga,
    staging,
    starting,
    sweeping,
    withdrawing,
    worker,
)
from rotator.engine.saga import TABLE

P = Phase
STEPS = (
    belonging,
    by_hand,
    containing,
    killing,
    live,
    minting,
    places,
    planning,
    promoting,
    retiring,
    rolling_back,
    staging,
    sweeping,
    withdrawing,
)
"""Where steps are, and what steps share."""


# -- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", Phase)
def test_a_phase_has_a_row_exactly_when_something_can_still_happen(phase: Phase) -> None:
    assert (phase in TABLE) is not phase.terminal


def test_every_phase_can_be_reached_from_planned() -> None:
    """`superseded` is no step's doing: an emergency writes it."""
    seen, ahead = set[Phase](), [P.PLANNED]
    while ahead:
        phase = ahead.pop()
        if phase not in seen:
            seen.add(phase)
            row = TABLE.get(phase)
            ahead += [row.then, row.otherwise, *row.also] if row is not None else []
    assert seen == set(Phase) - {P.SUPERSEDED}


@pytest.mark.parametrize("phase", TABLE)
def test_from_every_phase_the_rotation_can_end(phase: Phase) -> None:
    """`stuck` ends by a person's word."""
    seen, ahead = set[Phase](), [phase]
    while ahead:
        each = ahead.pop()
        if each not in seen and each in TABLE:
            seen.add(each)
            ahead += [TABLE[each].then, *TABLE[each].also]
        elif each not in TABLE:
            assert each in TERMINAL
            return
    assert phase is P.STUCK


OTHERWISE = {
    P.PLANNED: P.ROLLED_BACK,
    P.CONTAINING: P.STUCK,
    P.MINTING: P.ROLLING_BACK,
    P.STAGING: P.ROLLING_BACK,
    P.PROMOTING: P.ROLLING_BACK,
    P.LIVE: P.ROLLING_BACK,
    P.RETIRING: P.STUCK,
    P.ROLLING_BACK: P.STUCK,
    P.WITHDRAWING: P.STUCK,
    P.SWEEPING: P.STUCK,
    P.STUCK: P.STUCK,
}


def test_what_fails_for_good_goes_back_before_the_pivot_and_is_parked_behind_it() -> None:
    assert {phase: row.otherwise for phase, row in TABLE.items()} == OTHERWISE


def test_only_the_way_back_leads_out_of_the_way_back() -> None:
    """Once it goes back, no row leads forward again but by a person's `resume`."""
    assert {TABLE[P.ROLLING_BACK].then, *TABLE[P.ROLLING_BACK].also} == {P.WITHDRAWING}
    assert {TABLE[P.WITHDRAWING].then, *TABLE[P.WITHDRAWING].also} == {P.SWEEPING, P.ROLLING_BACK}


def test_nothing_behind_the_pivot_leads_back_in_front_of_it() -> None:
    assert {TABLE[P.RETIRING].then, *TABLE[P.RETIRING].also} == {P.SWEEPING}
    assert {TABLE[P.SWEEPING].then, *TABLE[P.SWEEPING].also} == {P.DONE, P.ROLLED_BACK, P.RETIRING}


# -- what a step may do, by its source -------------------------------------------------------------------------------


def tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def calls(module: ModuleType, receiver: str) -> set[str]:
    """The attributes taken of anything that is named so: `….journal.keys` gives `keys` for `journal`."""
    return {
        node.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and _name(node.value) == receiver
    }


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


WRITES = {"begin", "claim", "commit", "seize", "save", "ask", "sight", "checkpoint", "remember", "restore"} | {
    "set_older_than_world"
}

READS: dict[ModuleType, set[str]] = {
    belonging: {"rotation"},  # is a mark, or a pending place, of a rotation that the journal knows?
    killing: {"holders", "keys"},  # rule 6, and whether it is the same key
    planning: {"rotation"},  # rule 4: what the superseded one intended
    sweeping: {"rotation"},  # is a pending place of one that is over?
}
"""The looks into the journal that steps take past `Recorded`."""


@pytest.mark.parametrize("module", STEPS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_step_asks_the_journal_only_what_is_listed_here(module: ModuleType) -> None:
    assert calls(module, "journal") == READS.get(module, set())


@pytest.mark.parametrize("module", STEPS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_step_commits_or_ends_itself(module: ModuleType) -> None:
    assert not calls(module, "rotation") & {"commit", "save", "forget"}
    assert not calls(module, "journal") & WRITES


def test_only_these_modules_write_to_the_journal() -> None:
    writing = {
        module.__name__.rpartition(".")[2]
        for module in (*STEPS, saga, recorded, reconciling, starting, worker)
        if calls(module, "journal") & WRITES
    }
    assert writing == {"recorded", "reconciling", "starting", "worker"}


@pytest.mark.parametrize("module", STEPS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_step_touches_the_world_only_through_recorded(module: ModuleType) -> None:
    """Provider and stores are asked by `Recorded`; a list of a store's places is the one look that steps take alone."""
    assert calls(module, "provider") == set()
    assert calls(module, "prober") == set()
    stores = {
        node.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Subscript)
        and _name(node.value.value) == "stores"
    }
    assert stores <= {"places"}


def names(module: ModuleType) -> Iterator[str]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


@pytest.mark.parametrize("module", STEPS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_step_knows_a_mode_or_a_strategy_by_name(module: ModuleType) -> None:
    constants = {name for name, value in vars(keys).items() if isinstance(value, Strategy)}
    forbidden = constants | {"STRATEGIES", "Mode", "RULES", *(mode.name for mode in Mode)}
    assert not forbidden & set(names(module))
    texts = {node.value for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)}
    assert not texts & (set(STRATEGIES) - {"overlap"} | {mode.value for mode in Mode})
    assert "mode" not in calls(module, "row")
    assert "name" not in calls(module, "strategy")


def test_those_checks_find_what_they_look_for() -> None:
    assert calls(recorded, "journal") >= {"commit", "credential", "keys"}
    assert calls(saga, "rotation") >= {"save"}
    assert "Mode" in set(names(starting))
    assert calls(recorded, "provider") >= {"mint", "set_state", "keys"}
