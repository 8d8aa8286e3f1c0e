"""A whole rotation into a Secret, with no more rights than `check --policy` prints, beside a colleague who edits."""

from __future__ import annotations

import base64

import pytest

from tests.cli.scene import NAME, Scene
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.objects import Call

pytestmark = [pytest.mark.stand_in("API provider: keyserver"), pytest.mark.stand_in(kubernetes.NAME)]

PLACE = {"store": "k8s", "ref": "team/app", "fields": {"API_KEY": "{secret}"}}


@pytest.fixture
def cluster(scene: Scene, kubernetes_server: KubernetesServer) -> KubernetesServer:
    """The scene's credential is published to a Secret, beside a field of somebody else's."""
    kubernetes_server.put_secret("team", "app", stringData={"API_KEY": scene.published(), "OTHER": "theirs"})
    auth = {"method": "token", "token": "file:token"}
    store = {"driver": "kubernetes", "address": kubernetes_server.address, "ca": "ca.crt", "auth": auth}
    scene.rewrite(stores={"k8s": store})
    scene.credential(publish=[PLACE])
    (scene.folder / "ca.crt").write_bytes(kubernetes_server.authority.ca.read_bytes())
    let_in(scene, kubernetes_server, "{kind: ClusterRole, rules: []}")
    return kubernetes_server


def let_in(scene: Scene, cluster: KubernetesServer, roles: str) -> None:
    token = scene.folder / "token"
    token.touch(mode=0o600)
    token.write_text(cluster.access.token(roles))


def least(scene: Scene) -> str:
    printed = scene.say("check", "--policy").out
    return printed[printed.index("# k8s") :]


def texts(cluster: KubernetesServer) -> dict[str, str]:
    found = cluster.secret("team", "app")
    assert found is not None
    return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}


def test_a_rotation_with_the_least_roles_keeps_what_a_colleague_writes_meanwhile(
    scene: Scene, cluster: KubernetesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(scene, cluster, least(scene))
    old, check, edits = texts(cluster)["API_KEY"], cluster.access.check, list[Call]()

    def colleague(call: Call) -> None:
        check(call)
        if call.verb == "patch" and call.name == "app" and not edits:
            edits.append(call)
            cluster.put_secret("team", "app", stringData={"OTHER": "theirs, changed"})

    monkeypatch.setattr(cluster.access, "check", colleague)
    (rotation,) = scene.json("rotate", NAME, "--wait")["rotations"]
    assert rotation["phase"] == "done"
    assert [key["proof"] for key in rotation["old_keys"]] == ["refused"]
    assert len(edits) == 1
    assert texts(cluster)["OTHER"] == "theirs, changed"
    assert texts(cluster)["API_KEY"] != old
    assert scene.mints == 1
    assert [name for _, namespace, name in cluster.storage.keys() if namespace == "rotator"] == []


def test_a_grant_that_is_missing_is_said_in_two_lines_and_the_key_that_works_stays(
    scene: Scene, cluster: KubernetesServer
) -> None:
    old = texts(cluster)["API_KEY"]
    checked = scene.say("check")
    assert checked.code == 1
    assert "does not let us get secrets/app in namespace team" in checked.out
    assert "hint: `kubectl auth can-i get secrets/app --namespace team`" in checked.out
    assert scene.say("rotate", NAME, "--wait").code != 0
    assert texts(cluster) == {"API_KEY": old, "OTHER": "theirs"}
    assert len(scene.alive) == 1
