"""Whole rotations over the gcp store, by the commands that people type: planned, stolen, and lost in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.servers import secret_manager
from tests.servers.secret_manager.service import Moment
from tests.stores.gcp_access import PARENT, PROJECT, TOKEN, Gcp, Once, lose, serving

pytestmark = [pytest.mark.stand_in(secret_manager.NAME), pytest.mark.stand_in("API provider: keyserver")]

SECRET = f"{PARENT}/secrets/prod--{NAME}"


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    """A fresh server."""
    with serving("rest") as gcp:
        yield gcp


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    """A keyserver that does everything right."""
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver, gcp: Gcp) -> Scene:
    """A credential in a secret that holds somebody else's field as well."""
    scene = make(tmp_path, keyserver)
    gcp.add({"OTHER": "theirs", "API_KEY": scene.published()}, SECRET)
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    auth = {"method": "access_token", "token": "file:token"}
    scene.rewrite(stores={"gcp": {"driver": "gcp", "project": PROJECT, "endpoint": gcp.address, "auth": auth}})
    scene.credential(publish=[{"store": "gcp", "ref": f"prod/{NAME}", "fields": {"API_KEY": "{secret}"}}])
    return scene


def works(scene: Scene, gcp: Gcp) -> None:
    """All readers have the one key that lives, the colleague's field is there, and nothing of ours is left."""
    latest, alias = gcp.both(SECRET)
    assert latest == alias
    assert latest["OTHER"] == "theirs"
    (key,) = scene.keyserver.live(NAME)
    assert len(key.hint) > 1
    assert latest["API_KEY"].endswith(key.hint.removeprefix("…"))
    assert gcp.service.names == (SECRET,)


def test_a_rotation_leaves_all_readers_with_the_new_key_and_nothing_of_ours(scene: Scene, gcp: Gcp) -> None:
    old = gcp.document(secret=SECRET)["API_KEY"]
    answer = scene.say("rotate", NAME, "--wait", "--json")
    assert answer.code == 0, answer.err
    (rotation,) = json.loads(answer.out)["rotations"]
    assert [each["proof"] for each in rotation["old_keys"]] == ["refused"]
    assert gcp.document(secret=SECRET)["API_KEY"] != old
    works(scene, gcp)


def test_a_stolen_key_is_replaced_and_proven_dead(scene: Scene, gcp: Gcp) -> None:
    assert scene.say("rotate", NAME, "--wait").code == 0
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0, answer.err
    works(scene, gcp)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "times"), [("CreateSecret", 2), ("AddSecretVersion", 3), ("UpdateSecret", 4), ("DeleteSecret", 2)]
)
def test_a_rotation_survives_the_loss_of_any_change(
    scene: Scene, gcp: Gcp, moment: Moment, method: str, times: int
) -> None:
    for turn in range(1, times + 1):
        hook = Once(moment, method, lose, turn)
        gcp.service.hooks[:] = [hook]
        answer = scene.say("rotate", NAME, "--wait")
        assert answer.code == 0, answer.err
        assert hook.fired == 1
        works(scene, gcp)
