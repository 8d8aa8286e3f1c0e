"""In an emergency the key with which a thief can do most dies first, whatever stands first in the config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver, Operation
from tests.cli.scene import make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
NAMES = ("leaf", "read-by-two", "releases", "opener", "root-of-other")
EMERGENCY = ("--all", "--assume-compromise", "--contained", "--yes", "--parallel", "1")


@pytest.mark.parametrize("how", [(), ("--contain-first",)], ids=["replaced", "contained first"])
def test_what_mints_then_what_opens_stores_then_what_publishes_then_what_most_read(
    tmp_path: Path, keyserver: Keyserver, how: tuple[str, ...]
) -> None:
    with Keyserver() as other:
        scene = make(tmp_path, keyserver, names=NAMES)
        written = json.loads(scene.config.read_text())
        admin = "files:root-of-other.json#API_KEY"
        written["providers"]["other"] = {"driver": "keyserver", "base_url": other.url, "admin": admin}
        vault = {"driver": "vault", "address": "https://vault.invalid", "auth": {"method": "token"}}
        vault["auth"] = {"method": "token", "token": "files:opener.json#API_KEY"}
        written["stores"]["locked"] = vault
        scene.rewrite(providers=written["providers"], stores=written["stores"])
        scene.credential("releases", tags=["publishes"])
        scene.credential("read-by-two", consumers=["web", "worker"])
        answer = scene.say("rotate", *EMERGENCY, *how)
        assert answer.code in (0, 1), answer.out + answer.err
        disabled = dict.fromkeys(each.principal for each in keyserver.log.of(Operation.DISABLE))
        assert [*disabled] == [*reversed(NAMES)]
