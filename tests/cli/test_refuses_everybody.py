"""An emergency at a provider that answers 401 to everybody: nothing is called dead, and what is wrong is said."""

from __future__ import annotations

import pytest

from rotator.testing.keyserver import FaultKind, Operation
from tests.cli.scene import NAME, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")


def undead(scene: Scene, *words: str) -> str:
    """What the emergency says; it ends in 3 and calls no key dead."""
    answer = scene.say("rotate", NAME, *words)
    assert answer.code == 3, answer.err
    assert "dead (" not in answer.out + answer.err
    assert answer.out.splitlines()[-1].partition(": ")[2].startswith("0 old keys of 0 credentials proven dead; ")
    assert scene.say("incident").out.splitlines()[1].split()[-2] == "incomplete"
    return answer.out


def test_to_the_admin_credential_too(scene: Scene) -> None:
    assert scene.say("adopt", NAME).code == 0
    scene.keyserver.fail(None, FaultKind.UNAUTHORIZED, calls=None)
    assert "refuses the admin credential" in undead(scene, *GO)
    assert scene.mints == 0
    assert scene.alive == {"key-1"}


def test_to_every_key_alone(scene: Scene) -> None:
    assert scene.say("adopt", NAME).code == 0
    scene.keyserver.fail(Operation.RESOURCE, FaultKind.UNAUTHORIZED, calls=None)
    assert "the provider refuses the new key" in undead(scene, *GO)
    assert "key-1" in scene.alive
    assert "the current key is refused too, so nothing is proven" in scene.say("prove", NAME).out


def test_once_it_is_mended_the_same_command_ends_it(scene: Scene) -> None:
    assert scene.say("adopt", NAME).code == 0
    scene.keyserver.fail(Operation.RESOURCE, FaultKind.UNAUTHORIZED, calls=None)
    undead(scene, *GO)
    scene.keyserver.tell(faults=())
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 0, answer.err
    assert len(scene.alive) == 1
    assert "key-1 dead (refused)" in answer.out
