"""The installation's key in a store of the config."""

from __future__ import annotations

import json

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.config.errors import ConfigError
from rotator.config.installation import read_installation
from tests.cli.scene import Scene
from tests.config.folder import assert_two_lines


def in_store(scene: Scene, **settings: str) -> None:
    data = json.loads(scene.config.read_text())
    text = (scene.folder / "installation.key").read_text()
    file = scene.folder / "store" / "ours.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"key": text}))
    scene.rewrite(
        installation={"key": "files:ours.json#key"}, stores={"files": {**data["stores"]["files"], **settings}}
    )


@pytest.mark.parametrize("first", ["installation", "isolation", "journal"])
def test_it_is_read_from_there_whatever_is_asked_for_first(scene: Scene, first: str) -> None:
    in_store(scene)
    text = (scene.folder / "installation.key").read_text()
    assembly = Assembly(config=load_config(scene.config))
    try:
        getattr(assembly, first)
        assert assembly.installation == read_installation(text)
        assert assembly.isolation.key == read_installation(text).copies_key()
    finally:
        assembly.close()


def test_a_store_without_it_is_refused_in_two_lines(scene: Scene) -> None:
    in_store(scene)
    (scene.folder / "store" / "ours.json").write_text("{}")
    with pytest.raises(ConfigError) as refused:
        _ = Assembly(config=load_config(scene.config)).installation
    assert_two_lines(refused.value)
