"""Whole rotations over the drivers of HTTP APIs and what stands in for them: scheduled and in an emergency."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.servers import openai, openrouter
from tests.servers.api import StandIn
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn
from tests.servers.openrouter import OpenRouterStandIn

QUICK = {"propagation": "0s", "death_window": "2s", "list_lag": "0s"}


@dataclass(frozen=True, slots=True)
class Over:
    """A folder whose one credential lives at a stand-in; `values` are those that the stand-in accepts by id."""

    scene: Scene
    server: StandIn
    keys: dict[str, dict[str, Any]]

    def values(self) -> list[str]:
        return [key["value"] for key in self.keys.values()]

    def changes(self) -> list[str]:
        """The methods of all requests that changed something."""
        return [line.split()[0] for line in self.server.lines() if not line.startswith("GET")]


def over(scene: Scene, server: StandIn, admin: str, value: str, provider: dict[str, Any], **credential: Any) -> Scene:
    (scene.folder / "admin").write_text(admin)
    scene.rewrite(providers={"llm": {"admin": "file:admin", **QUICK, **provider}})
    scene.credential(provider="llm", **credential)
    store = scene.folder / "store" / f"{NAME}.json"
    store.write_text(json.dumps({"API_KEY": value}))
    return scene


@pytest.fixture
def at_openai(tmp_path: Path, keyserver: Keyserver) -> Iterator[Over]:
    with OpenAiStandIn() as server:
        old = server.seed(name="made by hand")
        scene = over(
            make(tmp_path, keyserver),
            server,
            server.admin,
            old["value"],
            {
                "driver": "openai",
                "base_url": f"{server.url}/v1",
                "project": PROJECT,
                "hosts": [f"127.0.0.1:{server.port}"],
            },
            principal={"service_account": ACCOUNT, "exclusive": True},
            needs={"scopes": ["api.model.read", "api.model.request"]},
        )
        yield Over(scene, server, server.project_keys)


@pytest.fixture
def at_openrouter(tmp_path: Path, keyserver: Keyserver) -> Iterator[Over]:
    with OpenRouterStandIn() as server:
        old = server.seed("made by hand")
        scene = over(
            make(tmp_path, keyserver),
            server,
            server.admin,
            old["value"],
            {"driver": "openrouter", "base_url": f"{server.url}/api/v1", "hosts": [f"127.0.0.1:{server.port}"]},
            principal={"exclusive": True},
        )
        yield Over(scene, server, server.keys)


CHANGES = {
    "at_openai": ["POST", "POST", "DELETE"],  # mint, bring the old one's end near, delete
    "at_openrouter": ["POST", "PATCH", "DELETE"],
}


@pytest.mark.stand_in(openai.NAME)
@pytest.mark.stand_in(openrouter.NAME)
@pytest.mark.parametrize("where", CHANGES)
@pytest.mark.parametrize("emergency", [False, True], ids=["manual", "emergency"])
def test_a_rotation_publishes_a_new_key_and_proves_the_old_one_dead(
    request: pytest.FixtureRequest, where: str, emergency: bool
) -> None:
    here: Over = request.getfixturevalue(where)
    before = here.scene.published()
    checked = here.scene.say("check")
    assert checked.code == 0, checked.out
    words = ("--assume-compromise", "--contained", "--yes") if emergency else ("--wait",)
    if emergency:
        here.scene.lease("6s")  # two of them are waited for, and each request has a second
    done = here.scene.say("rotate", NAME, *words, "--json")
    assert done.code == 0, done.err
    (rotation,) = json.loads(done.out)["rotations"]
    assert (rotation["phase"], [key["proof"] for key in rotation["old_keys"]]) == ("done", ["refused"])
    assert here.values() == [here.scene.published()]
    assert here.scene.published() != before
    assert here.changes() == CHANGES[where]
    assert here.scene.say("reconcile").code == 0


@pytest.mark.stand_in(openai.NAME)
def test_a_key_that_lacks_the_scope_of_the_probe_is_proven_dead_nevertheless(at_openai: Over) -> None:
    at_openai.scene.credential(needs={"scopes": ["api.files.read"]})
    done = at_openai.scene.say("rotate", NAME, "--wait", "--json")
    assert done.code == 0, done.err
    (rotation,) = json.loads(done.out)["rotations"]
    assert (rotation["phase"], [key["proof"] for key in rotation["old_keys"]]) == ("done", ["refused"])
