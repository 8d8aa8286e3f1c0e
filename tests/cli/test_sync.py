"""`sync`: an added or mended place gets the current value, what a person wrote stays, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from rotator.testing.keyserver import Operation
from tests.cli.scene import NAME, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def place(name: str) -> dict[str, object]:
    return {"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}


@pytest.fixture
def adopted(scene: Scene) -> Scene:
    assert scene.say("adopt", NAME).code == 0
    return scene


def publish_to(scene: Scene, names: Sequence[str]) -> None:
    scene.credential(publish=[place(name) for name in names])


def test_an_added_place_gets_the_current_value(adopted: Scene) -> None:
    publish_to(adopted, (NAME, "second"))
    answer = adopted.say("sync", NAME)
    assert answer.code == 0
    assert answer.out.splitlines() == [
        f"{NAME}: files:{NAME}.json holds the current key",
        f"{NAME}: mended files:second.json, which held no value",
    ]
    assert adopted.published("second") == adopted.published()
    assert adopted.mints == 0
    again = adopted.say("sync", NAME)
    assert (again.code, again.out.count("holds the current key")) == (0, 2)


def test_a_place_in_a_document_of_others_gets_its_field_alone(adopted: Scene) -> None:
    shared = adopted.folder / "store" / "second.json"
    shared.touch(mode=0o600)
    shared.write_text(json.dumps({"THEIRS": "kept"}))
    publish_to(adopted, (NAME, "second"))
    assert adopted.say("sync", NAME).code == 0
    assert json.loads(shared.read_text()) == {"THEIRS": "kept", "API_KEY": adopted.published()}


def test_what_a_person_wrote_stays_and_is_told_with_what_helps(adopted: Scene) -> None:
    publish_to(adopted, (NAME, "second"))
    assert adopted.say("sync", NAME).code == 0
    adopted.publish("by-hand", "second")
    answer = adopted.say("sync", NAME)
    assert answer.code == 1
    assert "was changed by hand and is left as it is" in answer.out
    assert adopted.published("second") == "by-hand"
    adopted.publish("", "second")
    assert adopted.say("sync", NAME).code == 0
    assert adopted.published("second") == adopted.published()


def test_while_a_rotation_is_open_nothing_is_written(adopted: Scene) -> None:
    adopted.policy(overlap="1h", max_overlap="2h")
    assert adopted.say("rotate", NAME).code == 0
    publish_to(adopted, (NAME, "second"))
    answer = adopted.say("sync", NAME)
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"rotator: a rotation of {NAME} is open",
        f"hint: it publishes everywhere itself; `rotator status {NAME}` shows where it stands",
    ]
    assert not (adopted.folder / "store" / "second.json").exists()


def test_a_credential_without_a_key_has_nothing_to_write(scene: Scene) -> None:
    answer = scene.say("sync", NAME)
    assert answer.code == 2
    assert answer.err.splitlines()[1] == f"hint: `rotator adopt {NAME}` takes over what is there"


def test_a_dead_current_key_is_not_spread(adopted: Scene) -> None:
    (key,) = adopted.keyserver.live(NAME)
    assert adopted.keyserver.delete_key(NAME, key.id)
    publish_to(adopted, (NAME, "second"))
    answer = adopted.say("sync", NAME)
    assert answer.code == 1
    assert "the provider refuses the current key" in answer.out
    assert not (adopted.folder / "store" / "second.json").exists()


def test_a_place_that_cannot_be_read_is_told_and_the_others_are_served(adopted: Scene) -> None:
    (adopted.folder / "store" / "broken.json").mkdir()
    publish_to(adopted, (NAME, "broken", "second"))
    answer = adopted.say("sync", NAME)
    assert answer.code == 1
    assert f"`rotator sync {NAME}` tries again" in answer.out
    assert adopted.published("second") == adopted.published()
    assert adopted.keyserver.log.calls()[Operation.DELETE] == 0


def test_a_misspelt_name_is_answered_with_the_nearest(adopted: Scene) -> None:
    answer = adopted.say("sync", "llm-prd")
    assert answer.code == 2
    assert NAME in answer.err
