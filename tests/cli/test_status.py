"""`status`, `why` and `history`: what a person reads first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.app.glance import glance
from rotator.config.errors import ConfigError
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.shape import check_report
from tests.journal.places import as_nobody, open_directory

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_without_a_journal_status_says_not_adopted_and_makes_none(scene: Scene) -> None:
    answer = scene.say("status")
    assert answer.code == 0
    assert "not adopted yet" in answer.out
    assert not (scene.folder / "rotator.db").exists()
    assert len(scene.keyserver.log) == 0


def test_a_state_where_no_journal_can_ever_be_is_told_and_not_taken_for_a_fresh_start(scene: Scene) -> None:
    for state in ("sqlite:///no/such/rotator.db", "sqlite:///rotator.yaml/rotator.db"):
        answer = scene.say("status", "--state", state)
        assert (answer.code, answer.out, len(answer.lines)) == (2, "", 2)
        assert "there is no directory" in answer.lines[0]


def test_a_journal_that_may_not_be_looked_at_is_told() -> None:
    with open_directory() as directory:
        config, closed = directory / "rotator.yaml", directory / "closed"
        config.write_text(f"state: sqlite:///{closed}/rotator.db\ncredentials: {{}}\n")
        config.chmod(0o644)
        closed.mkdir(mode=0o700)
        assert glance(str(config), None).names == set()
        with as_nobody(), pytest.raises(ConfigError, match="cannot be looked at"):
            glance(str(config), None)


def test_status_asks_no_provider(scene: Scene) -> None:
    scene.say("adopt", NAME)
    calls = len(scene.keyserver.log)
    assert "fresh" in scene.say("status").out
    assert len(scene.keyserver.log) == calls


def test_what_is_stuck_comes_first_then_what_is_open(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, names=("a", "b", "c"))
        scene.policy(overlap="1h", max_overlap="2h")
        for name in ("a", "b", "c"):
            scene.say("adopt", name)
        assert scene.say("rotate", "b").code == 0
        keyserver.fail(Operation.MINT, FaultKind.FORBIDDEN, calls=None)
        scene.say("rotate", "c")
        answer = scene.say("status")
    listed = [line.split()[0] for line in answer.out.splitlines()[1:] if line and not line.startswith(" ")]
    assert listed[:3] == ["c", "b", "a"]
    assert "stuck" in answer.out
    assert "hint: the admin credential needs" in answer.out


def test_one_credential_is_shown_with_its_places_and_old_keys(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", NAME)
    answer = scene.say("status", NAME)
    assert f"files:{NAME}.json: promoted" in answer.out
    assert "old key key-1: alive" in answer.out
    assert "until the overlap is over" in answer.out


def test_a_held_credential_is_shown_with_the_reason(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME, "--reason", "release week")
    assert "held: release week" in scene.say("status").out


def test_the_object_of_status_has_the_fixed_shape_and_the_open_rotation(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", NAME)
    report = scene.json("status")
    check_report(report)
    (rotation,) = report["rotations"]
    assert (rotation["phase"], rotation["mode"]) == ("live", "manual")
    assert rotation["waiting"]["for"] == "time"
    assert report["coverage"]["waiting"] == 1


def test_a_misspelt_name_is_answered_with_the_nearest(scene: Scene) -> None:
    answer = scene.say("status", "llm-prd")
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines == ["rotator: there is no credential 'llm-prd'", "hint: did you mean llm-prod?"]


def test_status_of_an_older_journal_says_what_to_do(scene: Scene) -> None:
    scene.say("adopt", NAME)
    with_reason = scene.journal()
    with_reason.set_older_than_world("the journal is older than the world: a test")
    with_reason.close()
    assert "reconcile --rebuild" in scene.say("status").out


def test_why_says_every_reason_and_obstacle_and_that_nothing_is_due(scene: Scene) -> None:
    answer = scene.say("why", NAME)
    assert answer.code == 0
    for word in ("compromise", "never_rotated", "age", "open_rotation", "held", "blackout", "outside_window"):
        assert word in answer.out
    assert f"{NAME} is not rotated before" in answer.out
    assert scene.mints == 0


def test_why_names_the_hold_and_the_open_rotation(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", NAME)
    scene.say("hold", NAME, "--reason", "release week")
    scene.say("rotate", "--due")
    lines = {line.split()[1]: line for line in scene.say("why", NAME).out.splitlines() if line.startswith("yes")}
    assert {"open_rotation", "held"} <= lines.keys()
    assert "release week" in lines["held"]


def test_history_is_newest_first_and_its_object_has_the_fixed_shape(scene: Scene) -> None:
    assert scene.say("history").out == "no rotation yet\n"
    scene.policy(overlap="0s")
    for _ in range(2):
        assert scene.say("rotate", NAME, "--wait").code == 0
    answer = scene.say("history", NAME)
    assert answer.out.index("key-2 dead (refused)") < answer.out.index("key-1 dead (refused)")
    report = scene.json("history")
    check_report(report)
    assert [each["old_keys"][0]["key_id"] for each in report["rotations"]] == ["key-2", "key-1"]
    assert len(scene.json("history", "--limit", "1")["rotations"]) == 1


def test_history_says_beneath_a_rotation_why_it_went_back(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.publish("not-ours")
    assert scene.say("rotate", NAME, "--wait").code == 1
    answer = scene.say("history", NAME)
    assert "rolled back" in answer.out
    assert "holds a value that the rotator did not write" in answer.out
    assert json.loads(scene.say("history", "--json").out)["rotations"][0]["error"]["hint"].startswith("`rotator adopt")
