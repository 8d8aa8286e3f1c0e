"""Commands with stores as they are by default, in confined processes: three clouds and a CI, one credential."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, make
from tests.cli.three_stores import Three, published_to_three
from tests.isolation.stores_apart import needs_sandbox
from tests.servers import github, kubernetes, secret_manager
from tests.servers.aws import AwsServer
from tests.servers.github import TOKEN, GithubStandIn
from tests.servers.kubernetes import KubernetesServer
from tests.stores.gcp_access import serving

pytestmark = [
    needs_sandbox,
    pytest.mark.stand_in("API provider: keyserver"),
    pytest.mark.stand_in("AWS Secrets Manager"),
    pytest.mark.stand_in(secret_manager.NAME),
    pytest.mark.stand_in(kubernetes.NAME),
    pytest.mark.stand_in(github.NAME),
]
SCOPE = "repos/acme/api/actions"


@pytest.fixture
def ci() -> Iterator[GithubStandIn]:
    with GithubStandIn() as server:
        server.tick = 1.0
        yield server


@pytest.fixture
def three(
    tmp_path: Path, aws_server: AwsServer, kubernetes_server: KubernetesServer, ci: GithubStandIn
) -> Iterator[Three]:
    """The scene's credential in three clouds, as they are kept apart by default, and in a CI's secrets."""
    with Keyserver() as keyserver, serving("rest") as gcp:
        scene = make(tmp_path, keyserver, isolation="sandbox")
        three = published_to_three(scene, aws_server, gcp, kubernetes_server)
        token = scene.folder / "github"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        config = json.loads(scene.config.read_text())
        auth = {"method": "token", "token": "file:github"}
        stores = {**config["stores"], "ci": {"driver": "github_actions", "base_url": ci.url, "auth": auth}}
        # A lease that leaves a cold start its time on a busy machine.
        scene.rewrite(stores=stores, defaults={**config["defaults"], "lease": "20s"})
        place = {"store": "ci", "ref": "acme/api", "fields": {"API_KEY": "{secret}"}}
        scene.credential(NAME, publish=[*config["credentials"][NAME]["publish"], place])
        yield three


def test_a_rotation_reaches_every_store(three: Three, ci: GithubStandIn) -> None:
    scene, old = three.scene, three.on_aws()["API_KEY"]
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    new = three.on_aws()["API_KEY"]
    assert new != old
    assert {each["API_KEY"] for each in three.documents().values()} == {new} == {ci.opened(SCOPE, "API_KEY")}
    assert {each["OTHER"] for each in three.documents().values()} == {"theirs"}
    assert three.works()
    assert three.hidden() == []
    assert scene.alive == {"key-2"}


def test_check_and_plugins_say_what_each_store_may_and_where_it_goes(three: Three, ci: GithubStandIn) -> None:
    scene = three.scene
    checked = scene.say("check", "--policy")
    assert checked.code == 0, checked.out + checked.err
    for part in ("secretsmanager:GetSecretValue", "kind: Role", "gcloud", "acme/api: repository secrets: write"):
        assert part in checked.out
    text = scene.say("plugins", "--json").out
    for address in (three.aws.address, three.gcp.address, three.cluster.plain_address, ci.url):
        assert address.partition("//")[2] in text
    assert text.count("sandbox") >= len(three.documents()) + 2, "the provider and the CI, too"
