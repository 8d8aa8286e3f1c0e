"""A rotation that begins with an adoption does not ask again what adoption asked a moment ago, and once only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver, Operation
from tests.cli.scene import NAME, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
EMERGENCY = ("--assume-compromise", "--contained", "--yes", "--json")


def _before_the_mint(keyserver: Keyserver) -> list[str]:
    calls = list(keyserver.log)
    return [
        each.operation.value
        for each in calls[: next(n for n, each in enumerate(calls) if each.operation is Operation.MINT)]
    ]


def test_an_emergency_of_a_credential_never_seen_before_lists_and_tries_the_old_value_once(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
        answer = scene.say("rotate", NAME, *EMERGENCY)
        assert answer.code == 0, answer.err
        assert sorted(_before_the_mint(keyserver)) == ["identify", "list", "resource"]
        (old,) = json.loads(answer.out)["rotations"][0]["old_keys"]
        assert old["proof"] == "refused"


def test_one_that_is_known_already_looks_for_itself(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
        scene.say("adopt", NAME)
        adopted = len(list(keyserver.log))
        answer = scene.say("rotate", NAME, *EMERGENCY)
        assert answer.code == 0, answer.err
        assert _before_the_mint(keyserver)[adopted:] == ["list", "resource"]
