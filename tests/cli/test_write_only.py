"""A credential in a folder and in a CI's secrets, end to end: rotated, rolled back, stolen, written by a stranger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.cli.shape import check_report
from tests.servers import described, github
from tests.servers.api import Reply
from tests.servers.described import CircleCiStandIn
from tests.servers.github import TOKEN, GithubStandIn
from tests.stores.described import description

pytestmark = [pytest.mark.stand_in(github.NAME), pytest.mark.stand_in("API provider: keyserver")]
SCOPE, PLACE = "repos/acme/api/actions", "ci:acme/api"
DOWN = Reply(503, {"message": "Service unavailable"})


@pytest.fixture
def server() -> Iterator[GithubStandIn]:
    with GithubStandIn() as server:
        server.tick = 1.0  # no two writes of these tests are in one second
        yield server


@pytest.fixture
def ci(tmp_path: Path, keyserver: Keyserver, server: GithubStandIn) -> Scene:
    """The CI is declared first, and holds what the folder holds; the rotator has not seen either."""
    scene = make(tmp_path, keyserver)
    token = scene.folder / "github"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    data = json.loads(scene.config.read_text())
    auth = {"method": "token", "token": "file:github"}
    data["stores"]["ci"] = {"driver": "github_actions", "base_url": server.url, "auth": auth}
    place = {"store": "ci", "ref": "acme/api", "fields": {"API_KEY": "{secret}"}}
    data["credentials"][NAME]["publish"].insert(0, place)
    scene.rewrite(**data)
    server.set_by_hand(SCOPE, "API_KEY", scene.published())
    return scene


def in_ci(server: GithubStandIn) -> str | None:
    return server.opened(SCOPE, "API_KEY")


def test_a_rotation_writes_the_ci_last_and_says_that_nobody_read_it(ci: Scene, server: GithubStandIn) -> None:
    adopted = ci.say("adopt", NAME)
    assert f"{PLACE} cannot be read; the next rotation or reconciliation writes the current key there" in adopted.out
    answer = ci.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert f"written, not read: {PLACE}" in answer.out
    assert ci.alive == {"key-2"}
    assert in_ci(server) == ci.published()
    with ci.journal() as journal:
        promoted = [each.event.subject for each in journal.events() if each.event.action == "promote"]
    assert promoted == [f"files:{NAME}.json"] * 2 + [PLACE] * 2  # an intent and an outcome each


def test_the_object_and_the_status_say_so_too(ci: Scene, server: GithubStandIn) -> None:
    ci.policy(overlap="1h", max_overlap="2h")
    report = ci.json("rotate", NAME)
    check_report(report)
    stores = {each["store"]: each["version"] for each in report["rotations"][0]["stores"]}
    updated = server.secrets[(SCOPE, "API_KEY")]["updated_at"]
    assert stores["ci"] == f"{updated} (written, not read)"
    assert "written" not in stores["files"]
    assert f"{PLACE}: written, not read, " in ci.say("status", NAME).out


def test_a_rollback_writes_the_old_value_there_again(ci: Scene, server: GithubStandIn) -> None:
    old = ci.published()
    ci.policy(overlap="1h", max_overlap="2h")
    assert ci.say("rotate", NAME).code == 0
    assert in_ci(server) == ci.published() != old
    ci.policy(overlap="1s", max_overlap="2h")
    assert ci.say("rollback", NAME).code == 0
    ci.say("rotate", "--due")
    assert in_ci(server) == ci.published() == old


def test_in_an_emergency_a_ci_that_is_down_is_left_behind_and_mended_later(ci: Scene, server: GithubStandIn) -> None:
    ci.say("adopt", NAME)
    server.fail("", DOWN, times=10_000)
    report = ci.json("rotate", NAME, "--assume-compromise", "--contained", "--yes", "--store-wait", "1s")
    check_report(report)
    (rotation,) = report["rotations"]
    assert {each["store"]: each["left_behind"] for each in rotation["stores"]} == {"ci": True, "files": False}
    assert (rotation["exposed"], ci.alive) == (False, {"key-2"})
    assert in_ci(server) != ci.published()
    server.faults.clear()
    assert f"mended {PLACE}" in ci.say("reconcile").out
    assert in_ci(server) == ci.published()


def test_what_a_stranger_wrote_there_is_named_kept_and_given_up_by_a_person(ci: Scene, server: GithubStandIn) -> None:
    assert ci.say("rotate", NAME, "--wait").code == 0
    server.set_by_hand(SCOPE, "API_KEY", "sk-stranger")
    answer = ci.say("rotate", NAME, "--wait")
    assert answer.code == 1
    assert f"{PLACE} holds a value that the rotator did not write" in answer.out + answer.err
    assert in_ci(server) == "sk-stranger"
    assert f"{PLACE}" in ci.say("reconcile").out
    assert in_ci(server) == "sk-stranger"
    ci.say("adopt", NAME)
    ci.say("reconcile")
    assert in_ci(server) == ci.published()


@pytest.mark.parametrize("verb", [("rotate", NAME), ("adopt", NAME)])
def test_a_credential_that_only_a_ci_has_is_refused_in_two_lines(ci: Scene, verb: tuple[str, ...]) -> None:
    data = json.loads(ci.config.read_text())
    ci.credential(publish=data["credentials"][NAME]["publish"][:1])
    answer = ci.say(*verb)
    assert answer.code == 2
    what, hint = answer.lines
    assert what.endswith(f": {NAME}: ci cannot be read, so a new key could get lost before it is published")
    assert hint == "hint: publish it to a readable store, too, such as a file store"
    assert ci.mints == 0


def test_an_api_that_is_described_in_the_config_is_published_to_like_any_other(ci: Scene) -> None:
    with CircleCiStandIn() as circleci:
        (context,) = circleci.owners
        (ci.folder / "circleci").touch(mode=0o600)
        (ci.folder / "circleci").write_text(described.TOKEN)
        data = json.loads(ci.config.read_text())
        data["stores"]["ci"] = {"driver": "rest", **description("circleci", circleci.url)}
        data["stores"]["ci"]["auth"]["token"] = "file:circleci"
        data["credentials"][NAME]["publish"][0]["ref"] = context
        ci.rewrite(**data)
        answer = ci.say("rotate", NAME, "--wait")
        assert answer.code == 0, answer.err
        assert f"written, not read: ci:{context}" in answer.out
        assert circleci.read_by_a_job(context, "API_KEY") == ci.published()


def test_a_plan_says_what_cannot_be_read_back(ci: Scene) -> None:
    assert f"{PLACE} gives nothing back: written last, and not read" in ci.say("rotate", NAME, "--dry-run").out
    assert ci.mints == 0


def test_check_says_what_it_is_and_what_it_needs(ci: Scene) -> None:
    found = ci.say("check")
    assert f"{PLACE}: cannot be read; it is written last, and reported as written, not read" in found.out
    assert "acme/api: repository secrets: write" in ci.say("check", "--policy").out
