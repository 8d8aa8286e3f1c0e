"""`log`: what was rewritten or cut off is found, and the trail can be taken elsewhere."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.cli.scene import NAME, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def rotated(scene: Scene) -> Scene:
    scene.policy(overlap="0s")
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert scene.say("reconcile").code == 0  # closes a checkpoint
    return scene


def test_a_trail_that_nobody_touched_is_consistent(rotated: Scene) -> None:
    answer = rotated.say("log", "verify")
    assert answer.code == 0
    assert "internally consistent only" in answer.out
    head = answer.out.split("; head ")[1].strip()
    assert "nothing was rewritten" in rotated.say("log", "verify", "--head", head).out


def test_a_rewritten_byte_is_found(rotated: Scene) -> None:
    path = rotated.folder / "rotator.db"
    data = path.read_bytes()
    assert b"asked" in data
    path.write_bytes(data.replace(b"asked", b"Asked"))
    answer = rotated.say("log", "verify")
    assert answer.code == 3
    assert answer.lines[0] == "rotator: the trail is not what was written"
    assert len(answer.lines) == 2


def test_a_trail_cut_off_at_its_end_is_found_by_its_head(rotated: Scene) -> None:
    head = rotated.say("log", "verify").out.split("; head ")[1].strip()
    with sqlite3.connect(rotated.folder / "rotator.db") as connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        connection.execute("DELETE FROM event")
        connection.execute("DELETE FROM checkpoint")
    connection.close()
    assert rotated.say("log", "verify", "--head", head).code == 3


@pytest.mark.parametrize("head", ["zz", "0" * 63, "0" * 65, "A" * 64])
def test_a_head_that_is_no_digest_is_bad_usage_and_no_alarm(rotated: Scene, head: str) -> None:
    answer = rotated.say("log", "verify", "--head", head)
    assert (answer.code, answer.out, answer.lines[0]) == (2, "", "rotator: --head is no digest")


def test_an_export_takes_no_head(rotated: Scene) -> None:
    answer = rotated.say("log", "export", "--head", "0" * 64)
    assert (answer.code, answer.out, answer.lines[0]) == (2, "", "rotator: --head is for verify alone")


def test_a_head_that_was_never_written_is_found(rotated: Scene) -> None:
    assert rotated.say("log", "verify", "--head", "0" * 64).code == 3


def test_the_export_is_one_object_a_line_with_every_intent_and_no_secret(rotated: Scene) -> None:
    lines = [json.loads(line) for line in rotated.say("log", "export").out.splitlines()]
    actions = [(line["kind"], line["action"]) for line in lines]
    assert ("intent", "mint") in actions
    assert ("outcome", "mint") in actions
    assert all(line["digest"] and line["at"].endswith("Z") for line in lines)
    assert rotated.published() not in rotated.say("log", "export").out
