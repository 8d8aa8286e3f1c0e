"""The vocabulary is closed: what the sources say is what it holds, and what it holds is said somewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import rotator
from rotator.domain.records import Verb
from rotator.domain.vocabulary import ACTIONS

SOURCES = Path(rotator.__file__).parent
FIRST = frozenset({"note", "alert", "intend", "write", "remove", "set_state", "_effect", "true", "also_true"})
"""Methods whose first argument, where it is a text, is an action."""
ELSEWHERE = {"kill": 3, "publish": 1, "_lifecycle": 1, "_revoke_one": 5, "_note": 3}
"""Functions that take one further behind."""


def _said(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in _actions(node):
                either = (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,)
                for each in either:
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield each.value


def _actions(call: ast.Call) -> Iterator[ast.expr]:
    yield from (each.value for each in call.keywords if each.arg == "action" and _name(call) in ("Event", "Write"))
    at = ELSEWHERE.get(_name(call)) if isinstance(call.func, ast.Name) else 0 if _name(call) in FIRST else None
    if at is not None and len(call.args) > (at if _name(call) == "note" else max(at, 1)):
        yield call.args[at]


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    name = getattr(call.func, "attr", "")
    # clients of HTTP have an `ask` of their own
    return "_effect" if name == "ask" and ast.unparse(call.func) == "rotation.ask" else name


def _everything_said() -> dict[str, str]:
    """Each action, and a file that says it."""
    files = [each for each in SOURCES.rglob("*.py") if "testing" not in each.relative_to(SOURCES).parts]
    found = {action: each.name for each in files for action in _said(ast.parse(each.read_text()))}
    return {**found, **{verb.value: "records.py" for verb in Verb}}


def test_no_event_and_no_alert_has_a_word_that_the_vocabulary_lacks() -> None:
    strangers = {action: file for action, file in _everything_said().items() if action not in ACTIONS}
    assert not strangers


def test_every_word_of_the_vocabulary_is_said_somewhere() -> None:
    assert set(ACTIONS) - set(_everything_said()) == {"checkpoint"}


def test_a_word_that_is_not_there_is_noticed() -> None:
    source = 'rotation.note("invented", key_id)\nkill(rotation, key_id, state, "made up")\nEvent(action="no such")\n'
    source += 'rotation.ask(EXPOSED if urgent else "asked", key_id, words)'
    assert set(_said(ast.parse(source))) == {"invented", "made up", "no such", "asked"}


def test_people_can_read_what_each_word_means() -> None:
    table = (SOURCES.parent / "docs" / "log.md").read_text()
    assert not [f"| `{word}` | {means} |" for word, means in ACTIONS.items() if f"| `{word}` | {means} |" not in table]
