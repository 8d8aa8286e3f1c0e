"""`reconcile`: what differs is mended or shown, orphans need two sightings, and a lost journal is made again."""

from __future__ import annotations

import json
import shutil

import pytest

from rotator.testing.keyserver import Operation
from tests.cli.scene import NAME, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def rotated(scene: Scene) -> Scene:
    """Once rotated: key-1 is dead, key-2 carries our mark and is published to two places."""
    places = [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}} for name in (NAME, "second")]
    scene.credential(publish=places)
    path = scene.folder / "store" / "second.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"API_KEY": scene.published()}))
    scene.policy(overlap="0s")
    assert scene.say("rotate", NAME, "--wait").code == 0
    return scene


def _orphan(scene: Scene) -> str:
    """A key with the mark of a mint that the journal knows, as a late mint leaves behind."""
    (key,) = scene.keyserver.live(NAME)
    return scene.keyserver.seed_key(NAME, mark=key.mark)[0]


def _forget(scene: Scene) -> None:
    for path in scene.folder.glob("rotator.db*"):
        path.unlink()


def test_when_all_agrees_it_says_so_and_does_nothing(rotated: Scene) -> None:
    deletions = rotated.keyserver.log.calls()[Operation.DELETE]
    answer = rotated.say("reconcile")
    assert (answer.code, answer.out) == (0, "journal, stores and providers agree\n")
    assert rotated.keyserver.log.calls()[Operation.DELETE] == deletions


def test_an_orphan_is_shown_and_lives_until_it_was_seen_twice_and_we_are_told_to(rotated: Scene) -> None:
    orphan = _orphan(rotated)
    for _ in range(2):
        answer = rotated.say("reconcile")
        assert answer.code == 1
        assert f"{orphan} looks like an orphan" in answer.out
        assert orphan in rotated.alive
    answer = rotated.say("reconcile", "--revoke-orphans")
    assert answer.out == f"{NAME}: revoked the orphan {orphan}\n"
    assert rotated.alive == {"key-2"}


def test_an_orphan_seen_for_the_first_time_is_not_revoked(rotated: Scene) -> None:
    orphan = _orphan(rotated)
    assert rotated.say("reconcile", "--revoke-orphans").code == 1
    assert orphan in rotated.alive
    rotated.say("reconcile", "--revoke-orphans")
    assert orphan not in rotated.alive


def test_a_foreign_value_is_shown_with_the_command_that_helps_and_not_overwritten(rotated: Scene) -> None:
    rotated.publish("somebody-elses", "second")
    answer = rotated.say("reconcile")
    assert answer.code == 1
    assert f"files:second.json was changed by hand and is left as it is: `rotator adopt {NAME}` takes it" in answer.out
    assert rotated.published("second") == "somebody-elses"


def test_an_emptied_place_is_written_again(rotated: Scene) -> None:
    rotated.publish("", "second")
    answer = rotated.say("reconcile")
    assert answer.out == f"{NAME}: mended files:second.json, which held no value\n"
    assert rotated.published("second") == rotated.published()
    assert rotated.say("reconcile").code == 0


def test_one_of_our_own_old_values_is_mended(rotated: Scene) -> None:
    first = rotated.published()
    assert rotated.say("rotate", NAME, "--wait").code == 0
    rotated.publish(first, "second")
    assert "mended files:second.json, which was behind: it held key-2" in rotated.say("reconcile").out
    assert rotated.published("second") == rotated.published() != first


def test_a_lost_journal_is_noticed_before_anything_is_minted_or_revoked(rotated: Scene) -> None:
    mints = rotated.mints
    _forget(rotated)
    answer = rotated.say("rotate", NAME)
    assert answer.code == 3
    assert "older than the world" in answer.err
    assert rotated.mints == mints
    assert rotated.alive == {"key-2"}
    assert "nothing runs until `rotator reconcile --rebuild`" in rotated.say("status").out
    assert rotated.say("rotate", "--due").code == 3
    assert rotated.say("reconcile", "--revoke-orphans").code in (1, 3)
    assert rotated.alive == {"key-2"}


def test_a_lost_journal_is_made_again_and_rotates(rotated: Scene) -> None:
    _forget(rotated)
    answer = rotated.say("reconcile", "--rebuild")
    assert answer.code == 0, answer.out
    assert f"{NAME}: the current key is key-2" in answer.out
    answer = rotated.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.out + answer.err
    assert rotated.alive == {"key-3"}
    assert rotated.say("reconcile").code == 0


def test_after_a_rebuild_in_mid_overlap_the_old_key_is_named_and_dies_as_an_orphan(rotated: Scene) -> None:
    rotated.policy(overlap="1h", max_overlap="2h")
    rotated.say("rotate", NAME)
    assert rotated.alive == {"key-2", "key-3"}
    _forget(rotated)
    answer = rotated.say("reconcile", "--rebuild")
    assert answer.code == 0
    assert "key-2" in answer.out
    assert rotated.alive == {"key-2", "key-3"}
    rotated.say("reconcile", "--revoke-orphans")
    rotated.say("reconcile", "--revoke-orphans")
    assert rotated.alive == {"key-3"}


def test_an_old_copy_of_the_journal_claims_nothing_until_it_is_rebuilt(rotated: Scene) -> None:
    copy = rotated.folder / "copy.db"
    shutil.copy(rotated.folder / "rotator.db", copy)
    assert rotated.say("rotate", NAME, "--wait").code == 0
    assert rotated.alive == {"key-3"}
    _forget(rotated)
    shutil.copy(copy, rotated.folder / "rotator.db")
    published, mints = rotated.published(), rotated.mints
    assert rotated.say("rotate", NAME, "--wait").code == 3
    assert rotated.say("reconcile", "--revoke-orphans").code != 0
    assert (rotated.published(), rotated.mints, rotated.alive) == (published, mints, {"key-3"})
    assert rotated.say("reconcile", "--rebuild").code == 0
    assert rotated.say("rotate", NAME, "--wait").code == 0
    assert rotated.alive == {"key-4"}
    assert rotated.say("reconcile").code == 0


def test_a_credential_that_cannot_be_read_keeps_the_journal_marked(rotated: Scene) -> None:
    _forget(rotated)
    assert rotated.say("rotate", NAME).code == 3
    rotated.keyserver.stop()
    answer = rotated.say("reconcile", "--rebuild")
    assert answer.code == 1
    assert "not rebuilt" in answer.out
    assert "nothing runs until `rotator reconcile --rebuild`" in rotated.say("status").out
    rotated.keyserver.start()
    assert rotated.say("rotate", NAME).code == 3
    assert rotated.say("reconcile", "--rebuild").code == 0
    assert rotated.say("rotate", NAME, "--wait").code == 0


def test_a_value_that_is_kept_for_a_proof_outlives_the_journal_and_the_next_emergency_proves_it(scene: Scene) -> None:
    scene.policy(overlap="1h")
    assert scene.say("rotate", NAME).code == 0
    previous = scene.folder / "store" / ".rotator" / "previous" / f"{NAME}.json"
    previous.mkdir(exist_ok=True)
    [pending] = [path for path in (previous.parent.parent / "pending").rglob("*") if path.is_file()]
    said = json.loads(pending.read_text())
    key, value = scene.keyserver.seed_key(NAME)
    kept = previous / key
    kept.touch(mode=0o600)
    kept.write_text(json.dumps({**said, "key_id": key, "value.secret": value}))
    scene.keyserver.delete_key(NAME, key)  # by a rotation that only the lost journal knew
    _forget(scene)
    assert scene.say("reconcile", "--rebuild").code == 0
    report = scene.json("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    [row] = report["rotations"]
    assert {old["key_id"]: old["proof"] for old in row["old_keys"]} == {
        "key-1": "refused",
        "key-2": "refused",
        key: "refused",
    }
    assert not kept.exists()
