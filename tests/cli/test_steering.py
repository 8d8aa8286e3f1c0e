"""An operator's word: hold, release, rollback, resume, revoke, prove."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.app.proving import revoke
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.test_due import assembled

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def slow_death(tmp_path: Path) -> Iterator[Scene]:
    """A rotation beyond its pivot: the old key is disabled, and deleted an hour later."""
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, death_window="1h")
        scene.policy(overlap="0s")
        assert scene.say("rotate", NAME).code == 0
        assert scene.json("status")["rotations"][0]["phase"] == "retiring"
        yield scene


def _live(scene: Scene) -> None:
    """A rotation whose new key is live and whose old one works for an hour."""
    scene.policy(overlap="1h", max_overlap="2h")
    assert scene.say("rotate", NAME).code == 0


def _stick(scene: Scene) -> None:
    """A rotation that is stuck before it minted anything."""
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.MINT, FaultKind.FORBIDDEN)
    answer = scene.say("rotate", NAME)
    assert (answer.code, scene.alive) == (3, {"key-1"})
    assert f"{NAME}: stuck: " in answer.out


def test_a_hold_stops_before_the_next_effect_and_a_release_lets_it_go_on(scene: Scene) -> None:
    scene.policy(overlap="1s")
    scene.say("rotate", NAME)
    assert scene.say("hold", NAME, "--reason", "release week").code == 0
    time.sleep(1.1)
    answer = scene.say("rotate", "--due")
    assert answer.code == 0
    assert scene.alive == {"key-1", "key-2"}
    assert "held" in scene.say("status").out
    assert scene.say("release", NAME).code == 0
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert scene.alive == {"key-2"}


def test_nothing_scheduled_begins_while_a_credential_is_held(scene: Scene) -> None:
    scene.policy(every="1h", jitter="0%")
    scene.say("adopt", NAME)
    assert "held until" in scene.say("hold", NAME).out
    _make_due(scene)
    assert scene.say("rotate", "--due").code == 0
    assert scene.mints == 0
    scene.say("release", NAME)
    assert scene.say("rotate", "--due").code == 0
    assert scene.mints == 1


def _make_due(scene: Scene) -> None:
    """A long time passes: the moment at which it is due lies far behind."""
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        connection.execute("UPDATE credential SET next_due = next_due - 1000 * 86400 * 1000000")
    connection.close()


def test_a_person_is_told_that_a_held_credential_waits(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME)
    answer = scene.say("rotate", NAME)
    assert "`rotator release` lets it go on" in answer.out
    assert scene.mints == 0


def test_an_emergency_ignores_a_hold_and_says_so(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME)
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0
    assert f"held, and rotated all the same: {NAME}" in answer.err
    assert scene.alive == {"key-2"}


def test_a_rollback_puts_the_old_value_back_and_withdraws_the_new_key(scene: Scene) -> None:
    old = scene.published()
    _live(scene)
    assert scene.published() != old
    assert "rollback asked for" in scene.say("rollback", NAME, "--reason", "it broke").out
    assert scene.published() != old
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 1
    assert answer.out == f"{NAME}: rolled back: rolled back by an operator\n"
    assert scene.published() == old
    assert scene.alive == {"key-1"}


def test_a_rollback_that_comes_too_late_is_told_and_changes_nothing(slow_death: Scene) -> None:
    answer = slow_death.say("rollback", NAME)
    assert answer.code == 2
    assert answer.lines[0] == f"rotator: {NAME} cannot go back: its old key is dying or dead"
    assert len(answer.lines) == 2
    assert slow_death.json("status")["rotations"][0]["phase"] == "retiring"


def test_a_rollback_without_a_rotation_is_told(scene: Scene) -> None:
    answer = scene.say("rollback", NAME)
    assert answer.code == 2
    assert answer.lines == [
        f"rotator: {NAME} has no open rotation",
        f"hint: `rotator history {NAME}` shows past ones",
    ]


def test_what_is_stuck_goes_on_after_a_resume(scene: Scene) -> None:
    _stick(scene)
    answer = scene.say("rotate", NAME)
    assert answer.code == 3
    assert answer.lines[0].startswith(f"rotate: {NAME} is stuck: ")
    assert scene.say("rotate", "--due").code == 3
    assert scene.mints == 1
    assert scene.say("resume").out.startswith(f"{NAME}: resume asked for")
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert scene.alive == {"key-2"}


def test_what_is_stuck_can_be_rolled_back(scene: Scene) -> None:
    _stick(scene)
    assert scene.say("rollback", NAME).code == 0
    assert scene.say("rotate", "--due").code == 1
    assert scene.alive == {"key-1"}


def test_nothing_stuck_is_resumed_twice_or_when_it_runs(scene: Scene) -> None:
    assert scene.say("resume").out == "nothing is stuck\n"
    _live(scene)
    answer = scene.say("resume", NAME)
    assert answer.code == 2
    assert answer.lines[0].startswith(f"rotator: {NAME} is not stuck: live")


def test_a_revocation_without_a_terminal_needs_yes(scene: Scene) -> None:
    answer = scene.say("revoke", NAME)
    assert answer.code == 2
    assert answer.lines[1].startswith("hint: add --yes")
    assert scene.alive == {"key-1"}


def test_a_revocation_kills_every_key_and_holds_the_credential(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    scene.say("adopt", NAME)
    answer = scene.say("revoke", NAME, "--yes")
    assert answer.code == 0
    assert {"key-1: deleted", f"{other}: deleted"} <= set(answer.out.splitlines())
    assert scene.alive == set()
    assert "held" in scene.say("status").out
    assert scene.say("rotate", "--due").code == 0
    assert scene.mints == 0
    assert scene.say("revoke", NAME, "--yes").code == 0


def test_where_keys_open_sessions_a_revocation_stays_for_logins_that_are_under_way(
    keyserver: Keyserver, tmp_path: Path
) -> None:
    scene = make(tmp_path, keyserver, login_window="1s")
    scene.say("adopt", NAME)
    with assembled(scene) as assembly:

        def interrupted(seconds: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            revoke(assembly, assembly.config.credentials[NAME], sleep=interrupted)
    assert keyserver.log.calls()[Operation.DELETE] == 1
    answer = scene.say("revoke", NAME, "--yes")
    assert answer.out.splitlines()[:3] == [
        "key-1: deleted",
        "waiting 1 s for logins that are under way, to end them",
        f"{NAME} is held: no schedule brings it back",
    ]
    assert keyserver.log.calls()[Operation.DELETE] == 3
    assert "deleted" not in scene.say("revoke", NAME, "--yes").out


def test_a_revocation_leaves_foreign_keys_alone(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    other, _ = scene.keyserver.seed_key(NAME)
    scene.say("adopt", NAME)
    assert scene.say("revoke", NAME, "--yes").code == 0
    assert scene.alive == {other}


def test_a_revocation_of_a_credential_in_mid_rotation_is_refused(scene: Scene) -> None:
    _live(scene)
    answer = scene.say("revoke", NAME, "--yes")
    assert answer.code == 2
    assert answer.lines[0] == f"rotator: {NAME} has an open rotation"
    assert scene.alive == {"key-1", "key-2"}


def test_a_death_is_shown_again_by_two_lists_that_lack_the_key(scene: Scene) -> None:
    scene.policy(overlap="0s")
    assert scene.say("prove", NAME).out == f"{NAME} has had no other key yet\n"
    scene.say("rotate", NAME, "--wait")
    answer = scene.say("prove", NAME)
    assert answer.code == 0
    assert answer.out == "key-1: absent: two lists lack it and was proven dead before\n"


def test_a_key_that_lives_is_unproven(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    scene.say("adopt", NAME)
    answer = scene.say("prove", NAME)
    assert answer.code == 3
    assert answer.out == f"{other}: unproven: listed as living\n"
    assert other in scene.alive


def test_in_the_overlap_the_old_key_is_asked_and_works(scene: Scene) -> None:
    _live(scene)
    answer = scene.say("prove", NAME)
    assert (answer.code, answer.out) == (3, "key-1: unproven: the provider says: works\n")
