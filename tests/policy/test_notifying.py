"""The table of what people are told: complete, with a command in each row, and over when it is over."""

from __future__ import annotations

import argparse
import ast
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import rotator
from rotator.cli.main import VERBS
from rotator.domain.notices import Notice, Severity, summed_up
from rotator.domain.records import CredentialRow, Event, EventKind
from rotator.domain.rotation import ON_HOLD, Mode, OldKey, Phase, Problem, Proof, Rotation, WaitFor, Waiting
from rotator.domain.vocabulary import ACTIONS
from rotator.policy import notifying
from rotator.policy.notifying import NOBODY, ROWS, Facts, is_over, of_alert, of_commit, standing

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
OWN = {notifying.STUCK, notifying.BACK, notifying.UNPROVEN, notifying.HELD}
SOURCES = Path(rotator.__file__).parent


def row(phase: Phase = Phase.LIVE, **more: Any) -> Rotation:
    made = Rotation(
        id="r1", credential="app", mode=Mode.MANUAL, reason="", started_at=NOW, next_at=NOW, since=NOW, phase=phase
    )
    return replace(made, **more)


def entered(phase: Phase, **detail: str) -> Event:
    return Event(kind=EventKind.PHASE, action="phase", subject=phase.value, detail=detail)


def told(made: Rotation, *events: Event) -> list[tuple[str, str]]:
    return [(each.kind, each.command) for each in of_commit(made, events, NOW)]


# -- complete ----------------------------------------------------------------------------------------------------------


def test_every_word_of_the_vocabulary_has_a_row_or_is_told_to_nobody() -> None:
    assert set(ACTIONS) - set(ROWS) - NOBODY == set()


def test_no_row_is_of_a_word_that_nobody_says_and_none_is_in_both() -> None:
    assert set(ROWS) - OWN <= set(ACTIONS)
    assert set(ACTIONS) >= NOBODY
    assert not set(ROWS) & NOBODY


def _alerts() -> Iterator[str]:
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "alert" and node.args:
                said = node.args[0]
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    yield said.value


def test_every_alert_of_the_sources_is_told_or_passes_by_itself() -> None:
    said = set(_alerts())
    assert len(said) > 8
    assert said - set(ROWS) == {"lease over", "notice not delivered"}


@pytest.mark.parametrize("kind", ROWS)
def test_the_command_of_each_row_is_one_that_there_is(kind: str) -> None:
    words = shlex.split(ROWS[kind].command.replace("{name}", "app"))
    if words[0] == "rotator":
        words = words[1:]
    assert words[0] in VERBS
    module = __import__(f"rotator.cli.{VERBS[words[0]][0]}", fromlist=["options"])
    parser = argparse.ArgumentParser(prog=words[0], exit_on_error=False)
    parser.typed = tuple(words[1:])  # type: ignore[attr-defined] # as the real one has them
    if words[:2] != ["incident", "plan"]:
        module.options(parser, words[0])
        parser.parse_args(words[1:])


# -- alerts ------------------------------------------------------------------------------------------------------------


def test_an_alert_becomes_a_notice_with_the_command_that_mends_it() -> None:
    notice = of_alert("needs a key", "app", "make a key in the console", NOW)
    assert notice is not None
    assert (notice.severity, notice.command, notice.words) == (
        Severity.WARNING,
        "rotator provide app",
        "make a key in the console",
    )


def test_an_alert_of_a_word_that_has_no_row_is_told_all_the_same() -> None:
    notice = of_alert("something new", "app", "words", NOW)
    assert notice is not None
    assert (notice.kind, notice.command) == ("something new", "rotator status app")


def test_what_passes_by_itself_is_told_to_nobody() -> None:
    assert of_alert("lease over", "app", "words", NOW) is None


def test_a_name_that_a_shell_would_read_otherwise_is_quoted_in_the_command() -> None:
    notice = of_alert("needs a key", "app; rm -rf /", "words", NOW)
    assert notice is not None
    assert shlex.split(notice.command) == ["rotator", "provide", "app; rm -rf /"]


def test_the_same_trouble_has_the_same_key_whatever_the_words_and_another_place_another_one() -> None:
    def key(action: str, name: str, words: str) -> str:
        notice = of_alert(action, name, words, NOW)
        assert notice is not None
        return notice.key

    assert key("overlap over", "app", "k1 is used by a") == key("overlap over", "app", "k1 is used by b")
    assert key("consumer not told", "app", "web was not told: 500") == key("consumer not told", "app", "web was 503")
    assert key("consumer not told", "app", "web was not told") != key("consumer not told", "app", "batch was not told")
    assert key("foreign value", "app", "vault:a holds") != key("foreign value", "app", "vault:b holds")
    assert key("overlap over", "app", "") != key("overlap over", "other", "")
    older = "journal older than the world"
    assert key(older, "app", "") == key(older, "other", "")


# -- commits -----------------------------------------------------------------------------------------------------------


def test_a_stuck_rotation_is_told_with_its_problem_and_a_phase_on_the_way_is_not() -> None:
    stuck = row(Phase.STUCK, problem=Problem(message="no room", hint="delete one"))
    (notice,) = of_commit(stuck, [entered(Phase.STUCK)], NOW)
    assert (notice.kind, notice.words, notice.hint) == ("stuck", "no room", "delete one")
    assert notice.command == "rotator resume app"
    assert told(row(), entered(Phase.LIVE)) == []


def test_going_back_and_having_gone_back_are_one_trouble() -> None:
    problem = Problem(message="the provider refuses the new key")
    first = next(of_commit(row(Phase.ROLLING_BACK, problem=problem), [entered(Phase.ROLLING_BACK)], NOW))
    last = next(of_commit(row(Phase.ROLLED_BACK, problem=problem), [entered(Phase.ROLLED_BACK)], NOW))
    assert first.key == last.key
    assert first.command == "rotate app"


def test_an_end_is_told_only_where_a_death_is_not_proven() -> None:
    proven = row(Phase.DONE, old_keys=(OldKey(key_id="k1", proof=Proof.REFUSED),))
    unproven = row(Phase.DONE, old_keys=(OldKey(key_id="k1", proof=Proof.UNPROVEN),))
    assert told(proven, entered(Phase.DONE)) == []
    assert told(unproven, entered(Phase.DONE)) == [("not proven", "rotator prove app")]


def test_a_store_left_behind_is_told_with_the_place_and_why() -> None:
    event = Event(kind=EventKind.OBSERVATION, action="left behind", subject="vault:a/b", detail={"why": "it is away"})
    (notice,) = of_commit(row(), [event], NOW)
    assert (notice.words, notice.command) == ("vault:a/b: it is away", "rotator sync app")


def test_an_intent_tells_nobody_anything() -> None:
    event = Event(kind=EventKind.INTENT, action="left behind", subject="vault:a/b")
    assert told(row(), event) == []


# -- the end -----------------------------------------------------------------------------------------------------------


def _person(**more: Any) -> Rotation:
    return row(waiting=Waiting(until=NOW, for_=WaitFor.PERSON), **more)


@pytest.mark.parametrize(
    ("kind", "still", "over"),
    [
        ("stuck", Facts(row=row(Phase.STUCK)), Facts(row=row(Phase.RETIRING))),
        ("rolled back", Facts(row=row(Phase.ROLLED_BACK)), Facts(row=row(Phase.DONE))),
        ("needs a key", Facts(row=_person()), Facts(row=row(Phase.STAGING))),
        (
            "needs a deletion",
            Facts(row=row(old_keys=(OldKey(key_id="k", to_delete_since=NOW),))),
            Facts(row=row(old_keys=(OldKey(key_id="k", to_delete_since=NOW, first_refused_at=NOW),))),
        ),
        (
            "left behind",
            Facts(credential=CredentialRow(name="app", drift=("vault:a",))),
            Facts(credential=CredentialRow(name="app")),
        ),
        ("journal older than the world", Facts(older=True), Facts()),
        ("leak reported", Facts(), Facts(closed=True)),
        ("stranger's use", Facts(row=row()), Facts(row=row(Phase.DONE))),
        ("does not get on", Facts(row=row(failing_since=NOW)), Facts(row=row())),
    ],
)
def test_it_is_over_when_what_was_told_is_no_longer_so(kind: str, still: Facts, over: Facts) -> None:
    notice = of_alert(kind, "app", "", NOW)
    assert notice is not None
    assert not is_over(notice, still)
    assert is_over(notice, over)


def test_what_has_no_end_that_anybody_could_see_is_never_over() -> None:
    notice = of_alert("foreign value", "app", "vault:a holds", NOW)
    assert notice is not None
    assert not is_over(notice, Facts(row=row(Phase.DONE)))


def test_an_end_has_the_key_of_its_beginning() -> None:
    notice = of_alert("needs a key", "app", "", NOW)
    assert notice is not None
    assert notice.ended(NOW + timedelta(hours=1)).key == notice.key


# -- what stands as it is ----------------------------------------------------------------------------------------------


def test_what_waits_for_a_person_is_told_by_how_it_stands_and_with_the_key_of_its_alert() -> None:
    def key(notice: Notice | None) -> str:
        assert notice is not None
        return notice.key

    asked, stuck = standing(_person(), NOW), standing(row(Phase.STUCK), NOW)
    assert key(asked) == key(of_alert("needs a key", "app", "other words", NOW))
    assert key(stuck) == next(of_commit(row(Phase.STUCK), [entered(Phase.STUCK)], NOW)).key
    late = standing(_person(new_key="k2"), NOW)
    assert late is not None
    assert late.kind == "overlap over"
    emergency = standing(_person(mode=Mode.COMPROMISE), NOW)
    assert emergency is not None
    assert emergency.kind == "exposed until a person acts"
    assert standing(row(), NOW) is None
    assert standing(row(Phase.DONE), NOW) is None


def test_one_that_waits_for_no_key_is_not_told_as_if_it_did() -> None:
    held = row(waiting=Waiting(until=NOW, for_=WaitFor.PERSON, note=ON_HOLD))
    found = standing(held, NOW, held=True)
    assert found is not None
    assert (found.kind, found.command) == ("on hold", "rotator release app")
    assert standing(held, NOW) is None
    older = row(waiting=Waiting(until=NOW, for_=WaitFor.PERSON, note="the fence went back"))
    assert standing(older, NOW, older="the fence went back") is None


# -- many at once ------------------------------------------------------------------------------------------------------


def test_a_thousand_become_one_that_says_how_many_of_which_and_some_of_whose() -> None:
    notices = [of_alert("exposed until a person acts", f"app-{number}", "", NOW) for number in range(1000)]
    notices.append(of_alert("stuck", "last", "", NOW))
    found = summed_up([each for each in notices if each is not None])
    assert found.severity is Severity.CRITICAL
    assert found.what == "1,001 notices"
    assert "1,000 × exposed until a person acts (app-0, app-1, app-2, app-3, app-4 and 995 more)" in found.words
    assert "1 × stuck (last)" in found.words
    assert len(found.each) == 1001
    assert len(found.words) < 500
