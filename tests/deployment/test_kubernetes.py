"""config/kubernetes, rendered by the real kubectl and held against the real schemas."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rotator.app.configs import load_config
from rotator.cli.main import build
from rotator.domain.times import parse_duration
from tests.deployment.rendering import KUBERNETES, OVERLAYS, faults, objects, pods, render
from tests.servers.kubernetes.kubectl import Kubectl

VALIDATE = Path(sys.executable).with_name("kubernetes-validate")


def with_store(kubectl: Kubectl, folder: Path, overlay: str, component: str = "kubernetes-store") -> str:
    """An overlay with Secrets of the cluster as a store, or with another component."""
    base, store = KUBERNETES / "overlays" / overlay, KUBERNETES / "components" / component
    lines = [f"resources: [{os.path.relpath(base, folder)}]", f"components: [{os.path.relpath(store, folder)}]"]
    (folder / "kustomization.yaml").write_text("\n".join(lines))
    return render(kubectl, folder)


def validated(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    manifests = folder / "manifests.yaml"
    manifests.write_text(text)
    command = [str(VALIDATE), "--strict", str(manifests)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_way_of_running_is_valid_and_keeps_what_was_promised(
    overlay: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    text = render(kubectl, KUBERNETES / "overlays" / overlay)
    done = validated(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert faults(objects(text), token=False) == []
    assert not [each for each in objects(text) if each["kind"] in ("Role", "RoleBinding", "Secret")]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_with_secrets_of_the_cluster_as_a_store_it_has_a_token_and_roles_by_name(
    overlay: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    text = with_store(kubectl, tmp_path, overlay)
    done = validated(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert faults(objects(text), token=True) == []
    namespaces = {each["metadata"]["namespace"] for each in objects(text) if each["kind"] == "Role"}
    assert namespaces == {"rotator-values", "team-a"}


def test_ways_out_for_notices_are_a_component_that_is_valid_and_no_way_to_everywhere(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    text = with_store(kubectl, tmp_path, "daemon", "notices")
    assert validated(tmp_path, text).returncode == 0
    assert faults(objects(text), token=False) == []
    assert _only(objects(text), "NetworkPolicy", "rotator-mail")


@pytest.mark.parametrize(
    "way",
    [
        {"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics"}]},
        {"from": [{"podSelector": {}}], "ports": [{"port": "metrics"}]},
        {"from": [{"namespaceSelector": {"matchLabels": {"rotator/calls": "true"}}}]},
        {"ports": [{"port": "api"}]},
    ],
)
def test_who_comes_in_does_so_from_a_namespace_with_a_label_and_to_a_port_with_a_name(
    way: dict[str, Any], kubectl: Kubectl
) -> None:
    found = _rendered(kubectl, "daemon")
    _only(found, "NetworkPolicy", "rotator-called")["spec"]["ingress"] = [way]
    assert faults(found, token=False) == ["something may come in"]


def test_a_wrong_word_is_found_by_the_schemas(kubectl: Kubectl, tmp_path: Path) -> None:
    text = render(kubectl, KUBERNETES / "overlays" / "daemon")
    for right, wrong in (("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"), ("replicas: 2", "replicas: two")):
        assert right in text
        assert validated(tmp_path, text.replace(right, wrong)).returncode != 0


def _pod(found: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    (pod,) = pods(found)
    return dict(pod) if not isinstance(pod, dict) else pod


def _only(found: Sequence[Any], kind: str, name: str | None = None) -> dict[str, Any]:
    return next(each for each in found if each["kind"] == kind and name in (None, each["metadata"]["name"]))


def _rendered(kubectl: Kubectl, overlay: str) -> tuple[dict[str, Any], ...]:
    return tuple(dict(each) for each in objects(render(kubectl, KUBERNETES / "overlays" / overlay)))


Spoil = Callable[[tuple[dict[str, Any], ...]], object]
SPOILT: Mapping[str, Spoil] = {
    "it may be root": lambda f: _pod(f)["securityContext"].pop("runAsNonRoot"),
    "no seccomp profile": lambda f: _pod(f)["securityContext"].pop("seccompProfile"),
    "its root can be written": lambda f: _pod(f)["containers"][0]["securityContext"].pop("readOnlyRootFilesystem"),
    "it may become more than it is": lambda f: _pod(f)["containers"][0]["securityContext"].update(privileged=True),
    "it has capabilities": lambda f: _pod(f)["containers"][0]["securityContext"].update(
        capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
    ),
    "its resources have no bounds": lambda f: _pod(f)["containers"][0].pop("resources"),
    "its image is not pinned by a digest": lambda f: _pod(f)["containers"][0].update(image="rotator:latest"),
    "a secret in the environment": lambda f: _pod(f)["containers"][0].update(envFrom=[{"secretRef": {"name": "x"}}]),
    "it shares the machine's namespaces": lambda f: _pod(f).update(hostNetwork=True),
    "it sees the machine's files": lambda f: _pod(f)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "a secret that everybody may read": lambda f: _pod(f)["volumes"][1]["secret"].update(defaultMode=0o444),
    "a token where none is needed, or none where one is": lambda f: _pod(f).pop("automountServiceAccountToken"),
    "a service account hands tokens out": lambda f: _only(f, "ServiceAccount").pop("automountServiceAccountToken"),
    "a role with a wildcard": lambda f: _only(f, "Role", "rotator")["rules"][0].update(verbs=["*"]),
    "a role that names no object": lambda f: _only(f, "Role", "rotator")["rules"][0].pop("resourceNames"),
    "a role that reaches further than the objects it names": lambda f: _only(f, "Role", "rotator")["rules"][0].update(
        verbs=["get", "list"]
    ),
    "a role for the whole cluster": lambda f: _only(f, "Role", "rotator").update(kind="ClusterRole"),
    "what is not named may come in or go out": lambda f: _only(f, "NetworkPolicy", "rotator-nothing")["spec"].update(
        policyTypes=["Ingress"]
    ),
    "something may come in": lambda f: _only(f, "NetworkPolicy", "rotator-names")["spec"].update(ingress=[{}]),
    "what it knows of its journal goes with the pod": lambda f: _only(f, "StatefulSet")["spec"].pop(
        "volumeClaimTemplates"
    ),
    "a way out to everywhere": lambda f: _only(f, "NetworkPolicy", "rotator-names")["spec"].update(egress=[{}]),
    "the machine's metadata can be asked": lambda f: _only(f, "NetworkPolicy", "rotator-providers")["spec"]["egress"][
        0
    ]["to"][0]["ipBlock"].pop("except"),
    "nothing keeps one of it running while nodes are drained": lambda f: _only(f, "PodDisruptionBudget")["spec"][
        "selector"
    ].update(matchLabels={"x": "y"}),
    "no node can be drained": lambda f: _only(f, "PodDisruptionBudget")["spec"].update(minAvailable=2),
    "nobody sees that it hangs": lambda f: _pod(f)["containers"][0].pop("livenessProbe"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_each_promise_that_is_broken_is_seen(fault: str, kubectl: Kubectl, tmp_path: Path) -> None:
    found = copy.deepcopy(tuple(dict(each) for each in objects(with_store(kubectl, tmp_path, "daemon"))))
    assert faults(found, token=True) == []
    SPOILT[fault](found)
    assert set(faults(found, token=True)) == {fault}


def test_a_pass_may_not_overlap_the_next_and_is_over_before_it_is_ended(kubectl: Kubectl) -> None:
    cron = _only(_rendered(kubectl, "cronjob"), "CronJob")
    spec = cron["spec"]["jobTemplate"]["spec"]
    words = spec["template"]["spec"]["containers"][0]["args"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    deadline = parse_duration(words[words.index("--deadline") + 1]).total_seconds()
    assert deadline + 60 <= spec["activeDeadlineSeconds"], "a lease of 60 s is what the longest step may take"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 60


def test_an_emergency_waits_to_be_started_and_goes_on_until_it_is_done(kubectl: Kubectl) -> None:
    job = _only(_rendered(kubectl, "emergency-job"), "Job")
    assert job["spec"]["suspend"] is True
    assert job["spec"]["backoffLimit"] > 0
    assert "activeDeadlineSeconds" not in job["spec"]


@pytest.mark.parametrize("overlay", ["cronjob", "emergency-job"])
def test_the_words_of_a_job_are_words_that_the_rotator_knows(overlay: str, kubectl: Kubectl) -> None:
    words = _pod(_rendered(kubectl, overlay))["containers"][0]["args"]
    assert build("rotator", words).parse_args(words).verb == "rotate"


def test_the_example_is_a_config_and_refers_to_files_that_the_secret_brings(tmp_path: Path) -> None:
    text = (KUBERNETES / "base" / "rotator.yaml").read_text()
    path = tmp_path / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text(text)
    config = load_config(path)
    assert set(config.credentials) == {"openai-prod"}
    named = (KUBERNETES / "base" / "kustomization.yaml").read_text()
    wanted = {word.split("/")[-1].strip("}, ") for word in text.replace(",", " ").split() if "/run/secrets" in word}
    assert wanted == {"database-password", "installation.key", "openai-admin", "vault-secret-id"}
    assert all(f"--from-file={each}" in named for each in wanted)
