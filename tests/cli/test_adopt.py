"""`adopt`: what exists is taken over, read-only, and no other key stays alive in silence."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
SHARED = {"principal": NAME}


def test_the_key_that_consumers_read_becomes_the_current_one_and_nothing_is_changed(scene: Scene) -> None:
    before = (scene.folder / "store" / f"{NAME}.json").read_bytes()
    answer = scene.say("adopt", NAME)
    assert (answer.code, answer.out) == (0, f"{NAME}: key-1 is the current key\n")
    assert (scene.folder / "store" / f"{NAME}.json").read_bytes() == before
    assert scene.alive == {"key-1"}
    assert {record.operation.value for record in scene.keyserver.log} <= {"list", "resource", "identify"}


def test_twice_is_the_same(scene: Scene) -> None:
    assert scene.say("adopt", NAME) == scene.say("adopt", NAME)


def test_while_a_rotation_is_open_nothing_is_adopted(scene: Scene) -> None:
    scene.policy(overlap="1h")
    assert scene.say("rotate", NAME).code == 0
    before = scene.json("status")
    answer = scene.say("adopt", NAME)
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines[0] == f"rotator: a rotation of {NAME} is open"
    assert answer.lines[1] == f"hint: `rotator status {NAME}` shows where it stands"
    assert scene.json("status") == before


def test_who_begins_to_rotate_while_another_does_joins_him(scene: Scene) -> None:
    """Each finds that nothing is adopted yet, and all but one come too late to adopt it."""
    scene.keyserver.tell(latency=0.2)
    scene.policy(overlap="1h")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: scene.run("rotate", NAME), range(4)))
    assert [answer.code for answer in answers] == [0] * 4, answers
    assert len(scene.alive) == 2


def test_other_living_keys_of_an_exclusive_principal_are_named(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    answer = scene.say("adopt", NAME)
    assert answer.code == 1
    assert f"{other} also belongs" in answer.out
    assert other in scene.alive


def test_foreign_keys_of_a_shared_principal_are_named_and_left_alone(scene: Scene) -> None:
    scene.credential(principal=SHARED)
    other, _ = scene.keyserver.seed_key(NAME)
    answer = scene.say("adopt", NAME)
    assert answer.code == 1
    assert f"{other} is a foreign key" in answer.out
    assert scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes").code == 3, "it may be the thief's"
    assert other in scene.alive


def test_where_nobody_can_tell_the_person_says_which(tmp_path: Path) -> None:
    with Keyserver(Behaviour(identify=False)) as keyserver:
        scene = make(tmp_path, keyserver, identifies=False)
        other, _ = keyserver.seed_key(NAME)
        answer = scene.say("adopt", NAME)
        assert answer.code == 2
        assert answer.lines[0].endswith("nobody can tell which of the provider's keys the stores hold")
        assert answer.lines[1] == f"hint: `rotator adopt {NAME} --key-id ID` with one of key-1, {other}"
        assert "not adopted yet" in scene.say("status").out
        assert scene.say("adopt", NAME, "--key-id", "no-such").code == 2
        assert scene.say("adopt", NAME, "--key-id", "key-1").code == 1
        assert "key-1" in scene.say("status").out


def test_the_same_ambiguity_stops_a_rotation_before_anything_is_minted(tmp_path: Path) -> None:
    with Keyserver(Behaviour(identify=False)) as keyserver:
        scene = make(tmp_path, keyserver, identifies=False)
        keyserver.seed_key(NAME)
        for words in (["rotate", NAME], ["rotate", NAME, "--dry-run"]):
            answer = scene.say(*words)
            assert answer.code == 2
            assert "--key-id" in answer.out + answer.err
        assert scene.mints == 0


def _publish_twice(scene: Scene, second: str) -> None:
    places = [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}} for name in (NAME, "second")]
    scene.credential(publish=places)
    path = scene.folder / "store" / "second.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"API_KEY": second}))


def test_different_values_in_two_stores_are_refused(scene: Scene) -> None:
    _publish_twice(scene, scene.keyserver.seed_key(NAME)[1])
    answer = scene.say("adopt", NAME)
    assert answer.code == 2
    assert answer.lines[0].endswith(f"files:{NAME}.json and files:second.json hold different values")
    assert "not adopted yet" in scene.say("status").out


def test_a_value_that_the_provider_refuses_is_not_adopted(scene: Scene) -> None:
    scene.publish("never-was-a-key")
    answer = scene.say("adopt", NAME)
    assert answer.code == 2
    assert "the provider refuses the value" in answer.lines[0]
    assert "not adopted yet" in scene.say("status").out


def test_with_no_value_anywhere_the_first_rotation_mints_the_first_key(scene: Scene) -> None:
    scene.publish("")
    scene.keyserver.delete_key(NAME, "key-1")
    assert f"`rotate {NAME}` makes the first key" in scene.say("adopt", NAME).out
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert len(scene.alive) == 1
    assert scene.published() != ""


def test_a_rotation_that_adopts_on_its_way_names_the_other_keys(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0
    assert f"{other} also belongs" in answer.err
    assert other in scene.alive
