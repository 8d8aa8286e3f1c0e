"""Rotations over a provider that is only described: by a file beside the config, with nothing else of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.providers.described import changed, description

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    made = make(tmp_path, keyserver, driver="rest", description="mine.yaml")
    _write(made, {})
    made.policy(overlap="0s")
    return made


def _write(scene: Scene, changes: dict[str, object]) -> None:
    path = scene.folder / "mine.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(changed(description("keyserver"), changes)))


def test_a_key_of_a_described_provider_is_replaced_and_the_old_one_proven_dead(scene: Scene) -> None:
    (rotation,) = scene.json("rotate", NAME, "--wait")["rotations"]
    assert rotation["phase"] == "done", rotation
    assert scene.alive == {"key-2"}
    assert scene.mints == 1
    assert [old["proof"] for old in rotation["old_keys"]] == ["refused"]
    assert scene.published().startswith("ks_")


@pytest.mark.parametrize("isolation", ["process", "sandbox"])
def test_in_a_process_of_its_own_it_is_handed_the_table_and_reads_no_file(scene: Scene, isolation: str) -> None:
    scene.rewrite(defaults={"lease": "20s", "isolation": isolation})
    (rotation,) = scene.json("rotate", NAME, "--wait")["rotations"]
    assert rotation["phase"] == "done", rotation
    assert scene.alive == {"key-2"}
    _write(scene, {"verify.path": "nowhere"})
    refused = scene.say("rotate", NAME)
    assert (refused.code, len(refused.lines)) == (2, 2)
    assert f"{scene.folder / 'mine.yaml'}:" in refused.err
    assert "description.verify.path is no path" in refused.err


def test_in_an_emergency_too(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes", "--wait")
    assert answer.code == 0, answer.err
    assert scene.alive == {"key-2"}


def test_check_says_what_is_wrong_with_it_and_where(scene: Scene) -> None:
    assert scene.say("check").code == 0
    _write(scene, {"verify.path": "nowhere"})
    answer = scene.say("check")
    assert answer.code != 0
    assert f"{scene.folder / 'mine.yaml'}:" in answer.out + answer.err
    assert "description.verify.path is no path" in answer.out + answer.err
    refused = scene.say("rotate", NAME)
    assert (refused.code, len(refused.lines)) == (2, 2)
    assert scene.mints == 0


def test_what_its_admin_credential_needs_is_printed(scene: Scene) -> None:
    assert "the keyserver's admin secret" in scene.say("check", "--policy").out
