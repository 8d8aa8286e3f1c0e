"""`rotator alive`, as a health check asks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rotator.app.alive import NAME, folder_of, given_folder, write_heartbeat
from rotator.app.configs import load_config
from tests.cli.scene import Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_it_says_nothing_while_the_daemon_works(scene: Scene) -> None:
    write_heartbeat(scene.folder)
    answer = scene.run("alive")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_without_a_daemon_it_ends_with_1_and_says_why(scene: Scene) -> None:
    answer = scene.say("alive")
    assert (answer.code, answer.out) == (1, "")
    assert answer.lines == [
        f"rotator: no daemon runs with its state in {scene.folder}",
        "hint: start it: `rotator daemon`",
    ]


def test_a_heartbeat_of_long_ago_is_none(scene: Scene) -> None:
    write_heartbeat(scene.folder, 0.0)
    answer = scene.say("alive")
    assert answer.code == 1
    assert "s old" in answer.lines[0]


def test_it_makes_no_journal_and_asks_no_provider(scene: Scene) -> None:
    scene.say("alive")
    assert not (scene.folder / "rotator.db").exists()
    assert not scene.keyserver.log.calls()


@dataclass(frozen=True, slots=True, kw_only=True)
class InAnImage(Scene):
    """A scene in whose environment the folder of the state is named, and no config is."""

    def environment(self) -> dict[str, str]:
        return {**Scene.environment(self), "STATE_DIRECTORY": str(self.folder / "state")}

    def with_config(self, arguments: object) -> list[str]:
        return [str(each) for each in arguments]  # type: ignore[attr-defined]


def test_where_the_environment_names_the_folder_no_config_is_read(scene: Scene) -> None:
    image = InAnImage(folder=scene.folder, keyserver=scene.keyserver)
    write_heartbeat(scene.folder / "state")
    scene.config.write_text("rubbish: [")
    assert image.say("alive").code == 0
    (scene.folder / "state" / NAME).unlink()
    answer = image.say("alive")
    assert answer.code == 2, "else the config says where to look"
    assert answer.lines[0] == "rotator: rotator.yaml:2: did not find expected node content"


def test_it_is_beside_the_journals_file_or_where_the_machine_keeps_state(scene: Scene) -> None:
    config = load_config(scene.config)
    assert folder_of(config, {"STATE_DIRECTORY": "/elsewhere"}) == scene.folder
    scene.rewrite(state="postgresql://rotator@db/rotator")
    config = load_config(scene.config)
    assert folder_of(config, {"STATE_DIRECTORY": "/var/lib/rotator:/var/lib/more"}) == Path("/var/lib/rotator")
    assert folder_of(config, {"XDG_STATE_HOME": "/x"}) == Path("/x/rotator")
    assert folder_of(config, {"HOME": "/home/a"}) == Path("/home/a/.local/state/rotator")
    assert given_folder({}) is None
