"""Two accounts that count their keys from one: the ids are the same, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_keys_of_two_providers_with_the_same_ids_are_replaced_beside_each_other(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    names = ("first", "second")
    scene = make(tmp_path, keyserver, names=names[:1])
    with Keyserver(Behaviour()) as other:
        _second_account(scene, other)
        answer = scene.say("rotate", "--all", "--assume-compromise", "--contained", "--yes")
        assert answer.code == 0, answer.err
        assert [{key.id for key in each.live(name)} for each, name in zip((keyserver, other), names, strict=True)] == [
            {"key-2"},
            {"key-2"},
        ]
        assert scene.say("reconcile").code == 0
        assert scene.say("rotate", *names, "--wait").code == 0


def _second_account(scene: Scene, other: Keyserver) -> None:
    data = json.loads(scene.config.read_text())
    data["providers"]["other"] = {**data["providers"]["ks"], "base_url": other.url, "admin": "file:other"}
    place = {"store": "files", "ref": "second.json", "fields": {"API_KEY": "{secret}"}}
    entry = {**data["credentials"]["first"], "provider": "other", "publish": [place]}
    data["credentials"]["second"] = {**entry, "principal": {"principal": "second", "exclusive": True}}
    scene.config.write_text(json.dumps(data))
    files = {"other": other.admin, "store/second.json": json.dumps({"API_KEY": other.seed_key("second")[1]})}
    for name, text in files.items():
        (scene.folder / name).touch(mode=0o600)
        (scene.folder / name).write_text(text)
