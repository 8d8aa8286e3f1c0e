"""`rotate --due`: one pass, as a timer runs it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.housekeeping import tidy
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.shape import check_report

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def make_due(scene: Scene) -> None:
    """A long time passes: the moment at which it is due lies far behind."""
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        connection.execute("UPDATE credential SET next_due = next_due - 1000 * 86400 * 1000000")
    connection.close()


@contextmanager
def assembled(scene: Scene) -> Iterator[Assembly]:
    """Its config, put together in this process."""
    assembly = Assembly(config=load_config(scene.config))
    try:
        yield assembly
    finally:
        assembly.close()


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


def test_a_pass_does_not_wait_for_an_overlap_and_with_wait_it_does(scene: Scene) -> None:
    scene.policy(overlap="3s")
    scene.say("rotate", "--due")
    make_due(scene)
    assert scene.say("rotate", "--due").code == 0
    assert scene.json("status")["rotations"][0]["phase"] == "live"
    report = scene.json("rotate", "--due", "--wait")
    assert [each["phase"] for each in report["rotations"]] == ["done"]
    assert scene.alive == {"key-2"}


def test_what_is_being_put_back_is_waited_for_too(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", NAME)
    scene.say("rollback", NAME)
    scene.policy(overlap="0s")
    report = scene.json("rotate", "--due", "--wait")
    assert [each["phase"] for each in report["rotations"]] == ["rolled_back"]


def test_what_waits_for_a_person_is_not_waited_for(scene: Scene) -> None:
    scene.policy(overlap="1s")
    scene.say("rotate", NAME)
    scene.say("hold", NAME)
    report = scene.json("rotate", "--due", "--wait")
    assert [each["phase"] for each in report["rotations"]] == ["retiring"]
    assert scene.alive == {"key-1", "key-2"}
    scene.say("release", NAME)
    report = scene.json("rotate", "--due", "--wait")
    assert [each["phase"] for each in report["rotations"]] == ["done"]


def test_wait_is_over_where_nothing_is_open_and_at_the_deadline(scene: Scene) -> None:
    assert scene.say("rotate", "--due", "--wait").code == 0
    scene.policy(overlap="2d", max_overlap="3d")
    make_due(scene)
    scene.lease("10s")
    assert scene.say("rotate", "--due", "--wait", "--deadline", "12s").code == 0
    assert "key-1" in scene.alive


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


def test_a_deadline_that_is_far_away_changes_nothing(scene: Scene) -> None:
    scene.policy(overlap="1h", max_overlap="2h")
    scene.say("rotate", "--due")
    make_due(scene)
    answer = scene.say("rotate", "--due", "--deadline", "10m")
    assert (answer.code, scene.mints) == (0, 1)
    assert "the deadline is near" not in answer.err


def test_near_its_deadline_it_begins_no_further_step_and_the_next_pass_goes_on(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    names = tuple(f"c{number}" for number in range(4))
    scene = make(tmp_path, keyserver, names)
    scene.policy(overlap="0s")
    scene.say("rotate", "--due")
    make_due(scene)
    scene.rewrite(defaults={"lease": "40s", "isolation": "off", "parallel": 1})
    keyserver.fail(Operation.LIST, FaultKind.SLOW, seconds=5.0)
    answer = scene.say("rotate", "--due", "--deadline", "44s")  # a lease before its end it is near
    assert answer.code == 0, answer.err
    assert answer.lines[-1] == "the deadline is near: what is left goes on with the next pass"
    rows = scene.json("status")["rotations"]
    assert len(rows) == 4
    assert {row["phase"] for row in rows} != {"done"}
    with scene.journal() as journal:
        assert not [row.credential for row in journal.rotations() if row.owner], "nobody holds what nobody works on"
    keyserver.tell(faults=())
    assert scene.say("rotate", "--due", "--wait").code == 0
    assert scene.mints == 4
    assert all(len(keyserver.live(name)) == 1 for name in names)


def test_a_pass_of_the_reconciler_that_ends_early_is_gone_on_with_behind_its_last(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver, ("a", "b", "c"))
    scene.say("rotate", "--due")
    with assembled(scene) as assembly:
        assembly.journal.remember("reconciled at", None)
        calls = iter([False, False, True, True])
        tidy(assembly, stop=lambda: next(calls))  # two of them, and time is up
        assert assembly.journal.recall("reconciled up to") == "b"
        assert assembly.journal.recall("reconciled at") is None
        before = keyserver.log.calls()[Operation.LIST]
        tidy(assembly)
        assert keyserver.log.calls()[Operation.LIST] - before == 1
        assert assembly.journal.recall("reconciled up to") is None
        assert assembly.journal.recall("reconciled at") is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--deadline", "2s"), "--deadline leaves no time to begin anything"),
        (("--deadline", "0s"), "--deadline leaves no time to begin anything"),
        (("--deadline", "soon"), "--deadline: 'soon' is not a duration"),
        (("--deadline", "5"), "--deadline: '5' is not a duration"),
        (("--deadline", ""), "an empty word is given as --deadline"),
    ],
    ids=str,
)
def test_a_deadline_that_makes_no_sense_is_refused_and_nothing_is_done(
    scene: Scene, words: tuple[str, ...], message: str
) -> None:
    answer = scene.say("rotate", "--due", *words)
    assert (answer.code, answer.lines[0]) == (2, f"rotate: {message}")
    assert len(answer.lines) == 2
    assert not scene.keyserver.log.calls()


def test_a_deadline_is_for_what_is_due_alone(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, "--deadline", "10m")
    assert (answer.code, answer.lines[0]) == (2, "rotate: --deadline is for --due alone")
    assert scene.mints == 0
