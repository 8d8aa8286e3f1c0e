"""`rotate --due`: one pass, as a timer runs it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from rotator.testing.keyserver import FaultKind, Operation
from tests.cli.scene import NAME, Scene
from tests.cli.shape import check_report

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def make_due(scene: Scene) -> None:
    """A long time passes: the moment at which it is due lies far behind."""
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        connection.execute("UPDATE credential SET next_due = next_due - 1000 * 86400 * 1000000")
    connection.close()


def test_the_first_pass_adopts_and_rotates_nothing(scene: Scene) -> None:
    answer = scene.say("rotate", "--due")
    assert answer.code == 0, answer.err
    assert scene.mints == 0
    assert "key-1" in scene.say("status").out


def test_a_first_pass_names_keys_that_nobody_knew(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    assert f"{other} also belongs" in scene.say("rotate", "--due").err
    assert other in scene.alive


def test_what_is_due_is_started_and_waits_with_exit_code_0(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", "--due")
    make_due(scene)
    report = scene.json("rotate", "--due")
    check_report(report)
    (rotation,) = report["rotations"]
    assert (rotation["mode"], rotation["phase"]) == ("scheduled", "live")
    assert report["coverage"]["waiting"] == 1
    assert scene.say("rotate", "--due").code == 0
    assert scene.mints == 1


def test_an_open_rotation_is_advanced_to_its_end(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("rotate", "--due")
    make_due(scene)
    for _ in range(5):
        assert scene.say("rotate", "--due").code == 0
    assert scene.alive == {"key-2"}
    assert scene.say("status").out.count("fresh") == 1


def test_a_plan_of_what_is_due_changes_nothing(scene: Scene) -> None:
    scene.say("rotate", "--due")
    assert "nothing can be done" in scene.say("rotate", "--due", "--dry-run").out
    make_due(scene)
    answer = scene.say("rotate", "--due", "--dry-run")
    assert answer.code == 0
    assert "1 credential at 1 provider; 1 old key dies when it is quiet" in answer.out
    assert scene.mints == 0


def test_outside_its_window_nothing_begins(scene: Scene) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).strftime("%a")
    scene.policy(window=f"{tomorrow} 09:00-16:00 UTC")
    scene.say("rotate", "--due")
    make_due(scene)
    assert scene.say("rotate", "--due").code == 0
    assert scene.mints == 0
    assert scene.json("status")["rotations"] == []


def test_it_reconciles_when_it_is_time_and_not_before(scene: Scene) -> None:
    assert scene.say("rotate", "--due").code == 0
    lists = scene.keyserver.log.calls()[Operation.LIST]
    assert scene.say("rotate", "--due").code == 0
    assert scene.keyserver.log.calls()[Operation.LIST] == lists
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        connection.execute("DELETE FROM meta WHERE name LIKE '%reconciled%'")
    connection.close()
    scene.publish("somebody-elses")
    answer = scene.say("rotate", "--due")
    assert "was changed by hand" in answer.err
    assert scene.published() == "somebody-elses"


def test_a_provider_that_is_down_is_told_and_the_next_pass_goes_on(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("rotate", "--due")
    make_due(scene)
    scene.keyserver.fail(Operation.LIST, FaultKind.ERROR_BEFORE, calls=None)
    answer = scene.say("rotate", "--due")
    assert answer.code == 3
    assert "tries again" in answer.out
    assert scene.mints == 0
    scene.keyserver.tell(faults=())
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert scene.alive == {"key-2"}


def test_a_journal_older_than_the_world_ends_a_pass_with_3(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("rotate", NAME, "--wait")
    for path in scene.folder.glob("rotator.db*"):
        path.unlink()
    answer = scene.say("rotate", "--due")
    assert answer.code == 3
    assert answer.lines[-1] == "hint: `rotator reconcile --rebuild` makes it again"
    assert scene.alive == {"key-2"}
