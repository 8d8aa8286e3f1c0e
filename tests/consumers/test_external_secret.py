"""Telling External Secrets Operator: an annotation that is another for each news, and the same for the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rotator.domain.consumers import Happened, Heard
from rotator.domain.failures import Permanent
from tests.consumers.cluster import Cluster
from tests.consumers.news import NEWS
from tests.harness.test_kubernetes_server import kubeconfig
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.kubectl import Kubectl
from tests.servers.kubernetes.objects import EXTERNAL_SECRETS

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

TOLD = "r1 credential.rotated 2026-11-25T10:00:00Z"


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer) -> Cluster:
    return Cluster(kubernetes_server)


def on_it(cluster: Cluster) -> dict[str, str]:
    return dict(cluster.object("external_secret")["metadata"].get("annotations", {}))


def test_it_is_annotated_and_told_again_nothing_changes(cluster: Cluster) -> None:
    assert cluster.tell("external_secret") == Heard("")
    assert on_it(cluster) == {"force-sync": TOLD}
    told = cluster.object("external_secret")
    assert cluster.tell("external_secret", consumer="another") == Heard("")
    assert cluster.object("external_secret") == told
    assert told["metadata"]["generation"] == 1, "its spec is somebody else's"


@pytest.mark.parametrize("news", [replace(NEWS, rotation="r2"), replace(NEWS, what=Happened.PUT_BACK)])
def test_other_news_are_another_annotation(cluster: Cluster, news: object) -> None:
    cluster.tell("external_secret")
    cluster.tell("external_secret", news)  # type: ignore[arg-type]
    assert on_it(cluster)["force-sync"] not in ("", TOLD)


def test_kubectl_sees_it_overwrites_it_and_is_overwritten(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    config = kubeconfig(cluster.server, tmp_path, cluster.server.admin)

    def run(*arguments: str) -> str:
        done = kubectl.run(*arguments, kubeconfig=config)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("annotate", "es", "app", "force-sync=1", "team=ml")
    cluster.tell("external_secret")
    assert run("get", "es", "app", "-o", "jsonpath={.metadata.annotations.force-sync}") == TOLD
    run("annotate", "es", "app", "force-sync=2", "--overwrite")
    cluster.tell("external_secret")
    assert on_it(cluster) == {"force-sync": TOLD, "team": "ml"}


@pytest.mark.parametrize(
    "spec", [{"refreshPolicy": "CreatedOnce"}, {"refreshInterval": "0s"}, {"refreshInterval": "0h0m0s"}]
)
def test_one_that_is_never_read_again_is_said_to_be_one(cluster: Cluster, spec: dict[str, str]) -> None:
    cluster.server.put(EXTERNAL_SECRETS, "team", "app", spec=spec)
    failure = cluster.tell("external_secret")
    assert isinstance(failure, Permanent)
    assert failure.message == "ExternalSecret team/app is read once and never again"
    assert "refreshPolicy: OnChange" in failure.hint
    assert cluster.teller("external_secret").remarks() == (failure.message,)


@pytest.mark.parametrize(
    "spec", [{}, {"refreshPolicy": "OnChange", "refreshInterval": "0s"}, {"refreshInterval": "10m"}]
)
def test_any_other_is_told_and_looking_changes_nothing(cluster: Cluster, spec: dict[str, str]) -> None:
    cluster.server.put(EXTERNAL_SECRETS, "team", "app", spec=spec)
    before = cluster.object("external_secret")
    assert cluster.teller("external_secret").remarks() == ()
    assert cluster.object("external_secret") == before
    assert cluster.tell("external_secret") == Heard("")
