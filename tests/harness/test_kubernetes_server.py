"""The stand-in for the Kubernetes API, kept honest by the real kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer, Refusal
from tests.servers.kubernetes.kubectl import Kubectl

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: app, labels: {team: ml}}
data: {A: MQ==, B: Mg==}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: one, image: one:1}, {name: two, image: two:1}]}
"""
EXTERNAL_SECRET = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app}
spec: {refreshInterval: 1h}
"""
APPLY = ("apply", "--validate=false", "-f", "-")


def kubeconfig(server: KubernetesServer, folder: Path, token: str) -> Path:
    file = folder / "kubeconfig"
    cluster = {"server": server.address, "certificate-authority": str(server.authority.ca)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    return file


Run = Callable[..., str]


@pytest.fixture
def run(kubectl: Kubectl, kubernetes_server: KubernetesServer, tmp_path: Path) -> Run:
    """What kubectl prints; `fails`: a part of its error, when it must end with one."""
    config = kubeconfig(kubernetes_server, tmp_path, kubernetes_server.admin)

    def run(*arguments: str, stdin: str | None = None, fails: str | None = None) -> str:
        done = kubectl.run(*arguments, kubeconfig=config, stdin=stdin)
        assert (done.returncode == 0) == (fails is None), done.stdout + done.stderr
        assert fails is None or fails in done.stderr
        return done.stdout

    return run


def secret(server: KubernetesServer, name: str = "app") -> Any:
    found = server.secret("team", name)
    assert found is not None
    return found


def test_kubectl_makes_reads_and_deletes_a_secret(run: Run, kubernetes_server: KubernetesServer) -> None:
    run("create", "secret", "generic", "app", "--from-literal=A=1", "--from-literal=B=pässword")
    assert secret(kubernetes_server)["data"] == {"A": "MQ==", "B": "cMOkc3N3b3Jk"}
    assert secret(kubernetes_server)["type"] == "Opaque"
    assert run("get", "secret", "app", "-o", "jsonpath={.data.A}") == "MQ=="
    assert run("get", "secrets", "-o", "name") == "secret/app\n"
    run("create", "secret", "generic", "app", fails="already exists")
    run("delete", "secret", "app")
    run("delete", "secret", "app", fails="NotFound")
    assert kubernetes_server.secret("team", "app") is None


def test_kubectl_makes_a_namespace_and_deletes_it_with_all_that_is_in_it(
    run: Run, kubernetes_server: KubernetesServer
) -> None:
    run("create", "secret", "generic", "app", "--namespace=other", fails='namespaces "other" not found')
    run("create", "namespace", "other")
    run("create", "secret", "generic", "app", "--namespace=other")
    assert run("get", "namespaces", "-o", "name").split() == [
        f"namespace/{name}" for name in ("default", "other", "rotator", "team")
    ]
    run("delete", "namespace", "other")
    assert kubernetes_server.secret("other", "app") is None


def test_kubectl_applies_a_manifest_again_and_again(run: Run, kubernetes_server: KubernetesServer) -> None:
    assert "created" in run(*APPLY, stdin=SECRET)
    first = secret(kubernetes_server)["metadata"]["resourceVersion"]
    assert "unchanged" in run(*APPLY, stdin=SECRET)
    assert secret(kubernetes_server)["metadata"]["resourceVersion"] == first
    assert "dry run" in run(*APPLY, "--dry-run=server", stdin=SECRET.replace("Mg==", "Mw=="))
    assert secret(kubernetes_server)["data"]["B"] == "Mg=="
    assert "configured" in run(*APPLY, stdin=SECRET.replace(", B: Mg==", ""))
    assert secret(kubernetes_server)["data"] == {"A": "MQ=="}


def test_kubectl_applies_on_the_server_and_is_told_whose_field_it_is(
    run: Run, kubernetes_server: KubernetesServer
) -> None:
    run(*APPLY, "--server-side", stdin=SECRET)
    run(*APPLY, "--server-side", "--field-manager=other", stdin=SECRET.replace(", B: Mg==", ""))
    changed = SECRET.replace("MQ==", "Mw==")
    run(*APPLY, "--server-side", "--field-manager=other", stdin=changed, fails='conflict with "kubectl": .data.A')
    run(*APPLY, "--server-side", "--field-manager=other", "--force-conflicts", stdin=changed)
    assert secret(kubernetes_server)["data"]["A"] == "Mw=="
    managers = {each["manager"] for each in secret(kubernetes_server)["metadata"]["managedFields"]}
    assert managers == {"kubectl", "other"}


def test_what_a_manager_applies_no_more_goes_unless_another_one_has_it(
    run: Run, kubernetes_server: KubernetesServer
) -> None:
    run(*APPLY, "--server-side", stdin=SECRET)
    run(*APPLY, "--server-side", "--field-manager=other", stdin=SECRET.replace("A: MQ==, ", ""))
    run(*APPLY, "--server-side", stdin=SECRET.replace("{A: MQ==, B: Mg==}", "{}"))
    assert secret(kubernetes_server)["data"] == {"B": "Mg=="}


def test_kubectl_patches_in_each_of_its_ways(run: Run, kubernetes_server: KubernetesServer) -> None:
    run(*APPLY, stdin=SECRET)
    run("patch", "secret", "app", "--type=merge", "-p", '{"stringData": {"C": "3"}, "data": {"A": null}}')
    assert secret(kubernetes_server)["data"] == {"B": "Mg==", "C": "Mw=="}
    run("patch", "secret", "app", "--type=json", "-p", '[{"op": "remove", "path": "/data/C"}]')
    assert secret(kubernetes_server)["data"] == {"B": "Mg=="}
    run("patch", "secret", "app", "--type=json", "-p", '[{"op": "remove", "path": "/data/C"}]', fails="rejected")
    run("label", "secret", "app", "stage=prod")
    assert run("get", "secrets", "-l", "stage=prod,team!=web", "-o", "name") == "secret/app\n"
    assert run("get", "secrets", "-l", "stage in (test),team", "-o", "name") == ""


def test_a_stale_resource_version_is_a_conflict(run: Run, kubernetes_server: KubernetesServer) -> None:
    run(*APPLY, stdin=SECRET)
    stale = run("get", "secret", "app", "-o", "json")
    run("label", "secret", "app", "stage=prod")
    run("replace", "--validate=false", "-f", "-", stdin=stale, fails="the object has been modified")
    version = json.loads(stale)["metadata"]["resourceVersion"]
    patch = json.dumps({"metadata": {"resourceVersion": version}, "data": {"A": "Mw=="}})
    run("patch", "secret", "app", "--type=merge", "-p", patch, fails="the object has been modified")
    assert secret(kubernetes_server)["data"]["A"] == "MQ=="
    assert secret(kubernetes_server)["metadata"]["labels"]["stage"] == "prod"


def test_an_immutable_secret_cannot_be_changed_and_can_be_deleted(run: Run) -> None:
    run(*APPLY, stdin=SECRET + "immutable: true\n")
    run("patch", "secret", "app", "--type=merge", "-p", '{"data": {"A": "Mw=="}}', fails="field is immutable")
    run("patch", "secret", "app", "--type=merge", "-p", '{"immutable": false}', fails="field is immutable")
    run("label", "secret", "app", "stage=prod")
    run("delete", "secret", "app")


def test_a_secret_that_may_not_be_as_it_is_is_refused(run: Run) -> None:
    run(*APPLY, stdin=SECRET + "type: kubernetes.io/tls\n", fails="data[tls.crt]: Required value")
    run(*APPLY, stdin=SECRET.replace("B:", '"a b":'), fails="data[a b]")
    run(*APPLY, stdin=SECRET.replace("team: ml", f"team: {'x' * 64}"), fails="no more than 63")
    run(*APPLY, "--server-side", stdin=SECRET.replace("Mg==", "A" * 1_500_000), fails="Too long")
    run(*APPLY, stdin=SECRET)
    run("patch", "secret", "app", "-p", '{"type": "example.com/other"}', fails="field is immutable")


def test_kubectl_restarts_a_deployment_and_changes_one_container_of_two(
    run: Run, kubernetes_server: KubernetesServer
) -> None:
    run(*APPLY, stdin=DEPLOYMENT)
    assert run("get", "deployment", "app", "-o", "jsonpath={.metadata.generation}") == "1"
    run("rollout", "restart", "deployment/app")
    assert "restartedAt" in run("get", "deploy", "app", "-o", "jsonpath={.spec.template.metadata.annotations}")
    run("set", "image", "deployment/app", "two=two:2")
    images = run("get", "deploy", "app", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
    assert images == "one:1 two:2"
    assert run("get", "deployment", "app", "-o", "jsonpath={.metadata.generation}") == "3"


@pytest.mark.parametrize("resource", ["StatefulSet", "DaemonSet"])
def test_kubectl_restarts_its_neighbours_too(run: Run, resource: str) -> None:
    run(*APPLY, stdin=DEPLOYMENT.replace("Deployment", resource))
    run("rollout", "restart", f"{resource.lower()}/app")
    assert run("get", resource, "app", "-o", "jsonpath={.metadata.generation}") == "2"


def test_an_annotation_is_text_with_a_name_that_one_may_have(run: Run) -> None:
    run(*APPLY, stdin=DEPLOYMENT)
    patch = '{"spec": {"template": {"metadata": {"annotations": {%s}}}}}'
    for key in ("a b", "a/b/c", "/a", "a/", "ends.", "x" * 64, "A/b"):
        text = patch % f'"{key}": "1"'
        run("patch", "deployment", "app", "--type=merge", "-p", text, fails="Invalid value")
    run("patch", "deployment", "app", "--type=merge", "-p", patch % '"rotator/a": 1', fails="cannot be handled")
    run("patch", "deployment", "app", "--type=merge", "-p", patch % f'"rotator/{"x" * 63}": "1"')


def test_kubectl_asks_for_a_sync_of_an_external_secret(run: Run) -> None:
    run(*APPLY, stdin=EXTERNAL_SECRET)
    run("annotate", "externalsecret", "app", "force-sync=1")
    assert run("get", "es", "app", "-o", "jsonpath={.metadata.annotations.force-sync}") == "1"
    run("patch", "es", "app", "--type=strategic", "-p", "{}", fails="is not supported")


def test_a_role_grants_what_it_names_and_nothing_else(
    kubectl: Kubectl, kubernetes_server: KubernetesServer, tmp_path: Path
) -> None:
    role = """
    {kind: Role, metadata: {namespace: team},
     rules: [{apiGroups: [''], resources: [secrets], resourceNames: [app], verbs: [get, create]}]}
    """
    config = kubeconfig(kubernetes_server, tmp_path, kubernetes_server.access.token(role))
    kubernetes_server.put_secret("team", "app")
    assert kubectl.run("get", "secret", "app", kubeconfig=config).returncode == 0
    for arguments in (
        ("get", "secret", "other"),
        ("get", "secrets"),
        ("delete", "secret", "app"),
        ("label", "secret", "app", "a=b"),
        ("get", "secret", "app", "--namespace=default"),
        ("create", "secret", "generic", "app"),  # names grant no `create`
    ):
        done = kubectl.run(*arguments, kubeconfig=config)
        assert "is forbidden" in done.stderr, arguments
    unknown = kubeconfig(kubernetes_server, tmp_path, "no-such-token")
    assert "must be logged in" in kubectl.run("get", "secret", "app", kubeconfig=unknown).stderr


def test_a_hook_refuses_as_admission_does(run: Run, kubernetes_server: KubernetesServer) -> None:
    def admission(*_: object) -> None:
        raise Refusal(403, "Forbidden", 'admission webhook "guard.example.com" denied the request: no')

    run(*APPLY, stdin=SECRET)
    with kubernetes_server.hook(admission):
        run("label", "secret", "app", "a=b", fails='admission webhook "guard.example.com" denied')
    run("label", "secret", "app", "a=b")


def test_kubectl_reads_a_list_page_by_page(run: Run, kubernetes_server: KubernetesServer) -> None:
    for number in range(7):
        kubernetes_server.put_secret("team", f"app-{number}")
    before = len(kubernetes_server.requests)
    listed = run("get", "secrets", "--chunk-size=3", "-o", "name")
    assert listed.split() == [f"secret/app-{number}" for number in range(7)]
    assert len(kubernetes_server.requests) - before == 3
