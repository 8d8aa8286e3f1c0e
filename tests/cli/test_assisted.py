"""A provider without an API for keys, from the config to the proof: driver `assisted`, no admin credential anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver, Operation
from tests.cli.scene import NAME, SHORT, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
VERIFY = {"path": "/resource", "header": "Authorization", "template": "Bearer {secret}", "works": [200]}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Scene]:
    """A keyserver of which nothing but its protected resource is known."""
    with Keyserver(Behaviour(marks=False)) as keyserver:
        scene = make(tmp_path, keyserver, lease=SHORT)  # two of them are waited for where there is no list
        (tmp_path / "admin").unlink()
        acme = {"driver": "assisted", "admin": "none", "base_url": keyserver.url, "verify": VERIFY}
        scene.rewrite(providers={"ks": {**acme, "console_url": "https://acme.example/keys", "death_window": "0s"}})
        yield scene


def until(scene: Scene, asked: str) -> None:
    """Who does not wait for an emergency may come before it asks."""
    deadline = time.monotonic() + 60
    while asked not in scene.say("status", NAME).out:
        assert time.monotonic() < deadline, f"nobody asks: {asked}"
        scene.say("rotate", "--due")
        time.sleep(0.2)


def test_a_rotation_from_its_beginning_to_the_proof(alone: Scene) -> None:
    assert alone.say("rotate", NAME).code == 0
    key_id, value = alone.keyserver.seed_key(NAME)
    assert alone.say("provide", NAME, stdin=value).code == 0
    alone.say("rotate", NAME)
    time.sleep(1.1)
    waiting = alone.say("rotate", NAME)
    assert (waiting.code, alone.published()) == (0, value)
    assert f"of {NAME} at https://acme.example/keys" in waiting.out
    alone.keyserver.delete_key(NAME, "key-1")
    assert alone.say("resume", NAME).code == 0
    done = alone.say("rotate", NAME, "--wait")
    assert (done.code, "dead (refused)" in done.out) == (0, True)
    assert alone.alive == {key_id}
    assert {each.operation for each in alone.keyserver.log} == {Operation.RESOURCE}


def test_an_emergency_is_incomplete_until_a_person_has_deleted(alone: Scene) -> None:
    go = ("rotate", NAME, "--assume-compromise", "--contained", "--yes", "--no-wait")
    assert alone.say(*go).code == 3
    until(alone, "make a key for")
    assert alone.say("provide", NAME, stdin=alone.keyserver.seed_key(NAME)[1]).code == 0
    until(alone, "delete key-")
    (rotation,) = alone.json("status")["rotations"]
    assert (rotation["exposed"], rotation["waiting"]["for"]) == (True, "person")
    alone.keyserver.delete_key(NAME, "key-1")
    assert alone.say("resume", NAME).code == 0
    assert alone.say("rotate", NAME, "--wait").code == 0
    (rotation,) = alone.json(*go)["rotations"]
    assert (rotation["exposed"], rotation["old_keys"][0]["proof"]) == (False, "refused")


def test_check_says_what_is_not_known_and_asks_for_no_admin_credential(alone: Scene) -> None:
    answer = alone.say("check")
    assert answer.code == 0
    assert "lists no keys, so a stranger's is not found" in answer.out
    assert "a person deletes old keys, which is waited for at https://acme.example/keys" in answer.out
    assert "admin credential works" not in answer.out
    assert "none: a person makes and deletes its keys" in alone.say("check", "--policy").out


def test_a_key_id_that_nobody_knows_is_not_adopted(alone: Scene) -> None:
    answer = alone.say("adopt", NAME, "--key-id", "key-of-somebody")
    assert (answer.code, "the provider lists no keys; here this one is key-" in answer.err) == (2, True)
    assert alone.say("adopt", NAME).code == 0
