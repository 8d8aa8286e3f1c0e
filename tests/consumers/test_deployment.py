"""Telling by a restart: once for each news, whoever else restarts it, and nothing else of it changes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.domain.consumers import Happened, Heard
from rotator.domain.failures import Permanent, Transient
from tests.consumers.cluster import DEPLOYMENT, Cluster
from tests.consumers.news import NEWS
from tests.harness.test_kubernetes_server import kubeconfig
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.kubectl import Kubectl
from tests.servers.kubernetes.objects import DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, Call, Object, Resource

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

TOLD = {"rotator/openai-prod": "r1 credential.rotated 2026-11-25T10:00:00Z"}


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer) -> Cluster:
    return Cluster(kubernetes_server)


@pytest.fixture
def run(kubectl: Kubectl, cluster: Cluster, tmp_path: Path) -> Callable[..., str]:
    """What kubectl prints in the namespace `team`."""
    config = kubeconfig(cluster.server, tmp_path, cluster.server.admin)

    def run(*arguments: str) -> str:
        done = kubectl.run(*arguments, kubeconfig=config)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_is_restarted_once_however_often_it_is_told(cluster: Cluster) -> None:
    for _ in range(3):
        assert cluster.tell("deployment") == Heard("")
        assert cluster.generation() == 2
        assert cluster.template() == TOLD


def test_only_our_annotation_changes_and_its_field_is_ours(cluster: Cluster) -> None:
    before = copy.deepcopy(cluster.object("deployment")["spec"])
    cluster.tell("deployment")
    found = cluster.object("deployment")
    (ours,) = [each for each in found["metadata"]["managedFields"] if each["manager"] == "rotator"]
    del found["spec"]["template"]["metadata"]["annotations"]
    assert found["spec"] == before
    metadata = ours["fieldsV1"]["f:spec"]["f:template"]["f:metadata"]
    assert metadata == {"f:annotations": {"f:rotator/openai-prod": {}}}
    assert ours["fieldsV1"].keys() == {"f:spec"}


@pytest.mark.parametrize(
    "news",
    [
        replace(NEWS, rotation="r2"),
        replace(NEWS, what=Happened.PUT_BACK),
        replace(NEWS, credential="another"),
        replace(NEWS, at=NEWS.at + timedelta(seconds=1)),
    ],
)
def test_other_news_restart_it_again(cluster: Cluster, news: object) -> None:
    cluster.tell("deployment")
    cluster.tell("deployment", news)  # type: ignore[arg-type]
    assert cluster.generation() == 3


def test_two_credentials_of_one_second_do_not_undo_each_other(cluster: Cluster) -> None:
    other = replace(NEWS, credential="another", rotation="r2")
    for news in (NEWS, other, NEWS, other):
        cluster.tell("deployment", news)
    assert cluster.generation() == 3
    assert cluster.template().keys() == {"rotator/openai-prod", "rotator/another"}


def test_two_consumers_that_name_the_same_one_restart_it_once(cluster: Cluster) -> None:
    for consumer in ("web", "worker", "web"):
        cluster.tell("deployment", consumer=consumer)
    assert cluster.generation() == 2


@pytest.mark.parametrize("credential", ["ends-with-a-dot.", "x" * 300, "has/slash", "ünïcode", ""])
def test_a_credential_whose_name_no_annotation_can_have_is_told_of_all_the_same(
    cluster: Cluster, credential: str
) -> None:
    for _ in range(2):
        assert cluster.tell("deployment", replace(NEWS, credential=credential)) == Heard("")
    assert cluster.generation() == 2


def test_kubectl_sees_the_restart_and_its_own_is_not_undone_by_telling_again(
    cluster: Cluster, run: Callable[..., str]
) -> None:
    cluster.tell("deployment")
    where = "jsonpath={.metadata.generation} {.spec.template.metadata.annotations.rotator/openai-prod}"
    assert run("get", "deployment", "app", "-o", where) == f"2 {TOLD['rotator/openai-prod']}"
    run("rollout", "restart", "deployment/app")
    restarted = cluster.template()
    assert restarted.keys() == {"kubectl.kubernetes.io/restartedAt", *TOLD}
    assert cluster.tell("deployment") == Heard("")
    assert (cluster.template(), cluster.generation()) == (restarted, 3)
    run("set", "image", "deployment/app", "one=one:2")
    assert cluster.template() == restarted


@pytest.mark.parametrize("resource", [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS])
def test_each_kind_is_restarted_as_kubectl_restarts_it(
    cluster: Cluster, resource: Resource, run: Callable[..., str]
) -> None:
    cluster.server.put(resource, "team", "app", spec=DEPLOYMENT)
    for _ in range(2):
        assert cluster.tell("deployment", kind=resource.kind) == Heard("")
        assert cluster.generation(resource) == 2
    run("rollout", "restart", f"{resource.plural}/app")
    assert cluster.generation(resource) == 3
    assert cluster.template(resource).keys() == {"kubectl.kubernetes.io/restartedAt", *TOLD}


def test_a_paused_one_is_told_again_until_somebody_resumes_it(cluster: Cluster, run: Callable[..., str]) -> None:
    run("rollout", "pause", "deployment/app")
    paused = cluster.tell("deployment")
    assert isinstance(paused, Transient)
    assert paused.message == "Deployment team/app is paused"
    assert "`kubectl rollout resume deployments.apps/app --namespace team`" in paused.hint
    assert cluster.teller("deployment").remarks() == (paused.message,)
    run(*paused.hint.partition("`kubectl ")[2].partition("`")[0].split())
    generation = cluster.generation()
    assert cluster.tell("deployment") == Heard("")
    assert (cluster.template(), cluster.generation()) == (TOLD, generation)


@pytest.mark.parametrize("resource", [STATEFUL_SETS, DAEMON_SETS])
def test_one_whose_pods_somebody_must_delete_is_said_to_be_one(cluster: Cluster, resource: Resource) -> None:
    cluster.server.put(resource, "team", "app", spec={**DEPLOYMENT, "updateStrategy": {"type": "OnDelete"}})
    failure = cluster.tell("deployment", kind=resource.kind)
    assert isinstance(failure, Permanent)
    assert failure.message == f"{resource.kind} team/app leaves restarting to who deletes its pods (OnDelete)"
    assert cluster.teller("deployment", kind=resource.kind).remarks() == (failure.message,)


def test_looking_whether_it_could_be_restarted_restarts_nothing(cluster: Cluster) -> None:
    before = cluster.object("deployment")
    assert cluster.teller("deployment").remarks() == ()
    assert cluster.object("deployment") == before
    assert [each.method for each in cluster.server.requests] == ["PATCH"]


def test_a_webhook_that_takes_the_annotation_away_has_not_restarted_it(cluster: Cluster) -> None:
    def strip(call: Call, after: Object | None) -> None:
        assert after is not None
        after["spec"]["template"]["metadata"].pop("annotations", None)

    with cluster.server.hook(strip):
        failure = cluster.tell("deployment")
    assert isinstance(failure, Permanent)
    assert "did not take our annotation" in failure.message
    assert cluster.generation() == 1
