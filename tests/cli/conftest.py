"""A keyserver that does everything right, and a folder with one credential over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver)


@pytest.fixture
def two_stores(scene: Scene) -> Scene:
    """Published to two stores, one of which may be away."""
    data = json.loads(scene.config.read_text())
    data["stores"]["more"] = {**data["stores"]["files"], "root": "more"}
    data["credentials"][NAME]["publish"].append({**data["credentials"][NAME]["publish"][0], "store": "more"})
    scene.rewrite(**data)
    (scene.folder / "more").mkdir(mode=0o700)
    copy = scene.folder / "more" / f"{NAME}.json"
    copy.touch(mode=0o600)
    copy.write_text((scene.folder / "store" / f"{NAME}.json").read_text())
    scene.say("adopt", NAME)
    return scene
