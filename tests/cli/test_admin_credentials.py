"""An admin credential is rotated by itself: the new one is used from where it will be read before the old one dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.cli.test_over_http import QUICK
from tests.servers.openai import PROJECT, OpenAiStandIn


@pytest.fixture
def server() -> Iterator[OpenAiStandIn]:
    with OpenAiStandIn() as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver, server: OpenAiStandIn) -> Scene:
    """Its one credential is the admin key of the provider that makes it."""
    scene = make(tmp_path, keyserver)
    old = server.seed_admin(name="made by hand")
    (scene.folder / "store" / f"{NAME}.json").write_text(json.dumps({"API_KEY": old["value"]}))
    scene.rewrite(
        providers={
            "llm": {
                "driver": "openai",
                "admin": f"files:{NAME}.json#API_KEY",
                "base_url": f"{server.url}/v1",
                "project": PROJECT,
                **QUICK,
            }
        }
    )
    scene.credential(provider="llm", principal={"kind": "admin", "exclusive": True})
    return scene


def test_an_admin_key_replaces_itself_and_is_used_before_the_old_one_dies(scene: Scene, server: OpenAiStandIn) -> None:
    old = scene.published()
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err + answer.out
    new = scene.published()
    assert new != old
    assert [each["value"] for each in server.admin_keys.values()] == [new]
    shown = [(each.line.split()[0], each.headers["authorization"].removeprefix("Bearer ")) for each in server.asked]
    deleted = shown.index(("DELETE", new))
    assert ("GET", new) in shown[:deleted], "the new key was not used before the old one was deleted"
    assert ("DELETE", old) not in shown


def test_it_can_be_rotated_again_and_again_and_in_an_emergency(scene: Scene, server: OpenAiStandIn) -> None:
    for words in (["--wait"], ["--assume-compromise", "--contained", "--yes"], ["--wait"]):
        before = scene.published()
        scene.lease("6s")  # an emergency waits for two of them, and each request has a second
        assert scene.say("rotate", NAME, *words).code == 0
        assert [each["value"] for each in server.admin_keys.values()] == [scene.published()]
        assert scene.published() != before


def test_an_admin_credential_that_is_refused_from_its_reference_leaves_the_old_key_alive(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    """A key of one keyserver is published as the admin credential of another one, which does not know it."""
    with Keyserver() as other:
        scene = make(tmp_path, keyserver, names=(NAME, "second"))
        admin = f"files:{NAME}.json#API_KEY"
        providers = json.loads(scene.config.read_text())["providers"]
        scene.rewrite(providers={**providers, "other": {"driver": "keyserver", "base_url": other.url, "admin": admin}})
        scene.credential("second", provider="other")
        old = scene.alive
        answer = scene.say("rotate", NAME, "--wait")
        assert answer.code == 3
        assert "refuses the admin credential" in answer.out + answer.err
        assert old < scene.alive, "the old key and its successor"


def test_a_credential_that_is_nobody_s_admin_credential_is_not_tried_as_one(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    with Keyserver() as other:
        scene = make(tmp_path, keyserver, names=(NAME, "second"))
        (scene.folder / "other").write_text(other.admin)
        providers = json.loads(scene.config.read_text())["providers"]
        entry = {"driver": "keyserver", "base_url": other.url, "admin": "file:other"}
        scene.rewrite(providers={**providers, "other": entry})
        scene.credential("second", provider="other")
        assert scene.say("rotate", NAME, "--wait").code == 0
        assert not other.log.calls()
