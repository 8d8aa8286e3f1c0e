"""The whole way in a cluster: a rotation restarts one consumer and lets another be synced; put back, both again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.consumers.cluster import Cluster
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer, Refusal

pytestmark = [pytest.mark.stand_in("API provider: keyserver"), pytest.mark.stand_in(kubernetes.NAME)]


@dataclass(frozen=True)
class Place:
    """A scene whose credential has a consumer of each kind."""

    scene: Scene
    cluster: Cluster

    def let_in(self, roles: str) -> None:
        """Let the rotator's token have these roles."""
        token = self.scene.folder / "token"
        token.touch(mode=0o600)
        token.write_text(self.cluster.server.access.token(roles))
        self.cluster.secrets.add(token.read_text())

    def least(self) -> str:
        """The roles that `check --policy` prints for them."""
        printed = self.scene.say("check", "--policy").out
        return "\n---\n".join(re.findall(r"^# (?:web|synced)\n(.*?)\n\n", printed, re.DOTALL | re.MULTILINE))

    @property
    def annotation(self) -> str:
        return str(self.cluster.object("external_secret")["metadata"].get("annotations", {}).get("force-sync", ""))

    @property
    def rotation(self) -> str:
        with self.scene.journal() as journal:
            return journal.rotations(NAME)[0].id


@pytest.fixture
def place(tmp_path: Path, kubernetes_server: KubernetesServer) -> Iterator[Place]:
    with Keyserver(Behaviour()) as keyserver:
        scene, cluster = make(tmp_path, keyserver), Cluster(kubernetes_server)
        auth = {"method": "token", "token": "file:token"}
        scene.rewrite(
            consumers={
                "web": {"owner": "team-a", "reload": cluster.reload("deployment", auth=auth)},
                "synced": {"owner": "team-b", "reload": cluster.reload("external_secret", auth=auth)},
            }
        )
        scene.credential(consumers=["web", "synced"])
        found = Place(scene, cluster)
        found.let_in("{kind: ClusterRole, rules: []}")
        yield found


def test_a_rotation_with_the_least_roles_restarts_one_and_lets_the_other_be_synced(place: Place) -> None:
    place.let_in(place.least())
    (rotation,) = place.scene.json("rotate", NAME, "--wait")["rotations"]
    assert rotation["phase"] == "done"
    assert [key["proof"] for key in rotation["old_keys"]] == ["refused"]
    assert place.cluster.generation() == 2
    assert place.cluster.template() == {f"rotator/{NAME}": place.annotation}
    assert place.annotation.startswith(f"{place.rotation} credential.rotated 20")


def test_a_rotation_that_is_put_back_restarts_it_once_more(place: Place) -> None:
    place.let_in(place.least())
    place.scene.policy(overlap="1h", max_overlap="2h")
    assert place.scene.say("rotate", NAME).code == 0
    place.scene.say("rotate", "--due")
    assert place.cluster.generation() == 2
    shown = place.scene.say("status", NAME).out
    assert re.search(r"consumer web: has not moved; told by deployment", shown)
    assert re.search(r"consumer synced: has not moved; told by external_secret", shown)
    assert place.scene.say("rollback", NAME).code == 0
    place.scene.say("rotate", "--due")
    assert place.cluster.generation() == 3
    assert place.annotation.startswith(f"{place.rotation} credential.put_back 20")


def test_check_says_how_each_is_told_and_what_is_missing(place: Place) -> None:
    checked = place.scene.say("check")
    assert checked.code == 1
    assert re.search(r"bad\s+web: .* does not let us patch deployments\.apps/app in namespace team", checked.out)
    assert "hint: `kubectl auth can-i patch deployments.apps/app --namespace team`" in checked.out
    assert "does not let us patch externalsecrets.external-secrets.io/app in namespace team" in checked.out
    place.let_in(place.least())
    out = place.scene.say("check").out
    assert "web: told by deployment" in out
    assert "synced: told by external_secret" in out
    assert place.cluster.generation() == 1
    assert place.annotation == ""


def test_a_cluster_that_refuses_holds_no_rotation_up_and_is_named(place: Place) -> None:
    place.let_in(place.least())
    secrets = {place.scene.published(), *place.cluster.secrets}

    def refuse(*_: object) -> None:
        raise Refusal(403, "Forbidden", "".join(secrets))

    with place.cluster.server.hook(refuse):
        answer = place.scene.say("rotate", NAME, "--wait")
    assert answer.code in (0, 1), answer.err
    assert "web was not told by deployment" in answer.err
    assert "does not let us patch deployments.apps/app in namespace team" in answer.err
    assert not [each for each in secrets | {place.scene.published()} if each in answer.out + answer.err]
    assert len(place.scene.alive) == 1


def test_a_name_that_is_none_stops_a_rotation_in_two_lines_before_anything_is_minted(place: Place) -> None:
    auth = {"method": "token", "token": "file:token"}
    reload = place.cluster.reload("deployment", "team/app/scale", auth=auth)
    place.scene.rewrite(consumers={"web": {"reload": reload}, "synced": {}})
    answer = place.scene.say("rotate", NAME)
    assert answer.code in (2, 3)
    assert "web: reload.deployment names no Deployment" in answer.err
    assert "hint: write namespace/name" in answer.err
    assert place.scene.mints == 0
