"""What kustomize makes of config/kubernetes, and what must hold of it whatever it is changed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.servers.kubernetes.kubectl import Kubectl

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "config" / "kubernetes"
OVERLAYS = ("daemon", "cronjob", "emergency-job")
VALUES = "rotator-values"
"""The namespace of pending and previous values, which nobody but the rotator has anything in."""
STATE = "/var/lib/rotator"
Object = Mapping[str, Any]


def render(kubectl: Kubectl, folder: Path) -> str:
    """The manifests as they would be applied. No server is asked."""
    done = kubectl.run("kustomize", str(folder), kubeconfig=kubectl.home / "none")
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> tuple[Object, ...]:
    """The objects of a stream of manifests."""
    return tuple(each for each in yaml.safe_load_all(text) if each)


def pods(found: Sequence[Object]) -> Iterator[Object]:
    """The specification of each pod that these make."""
    for each in found:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield spec["template"]["spec"]


def faults(found: Sequence[Object], *, token: bool) -> list[str]:
    """Everything that is less than it should be. `token`: whether pods need one."""
    return [*_of_pods(found, token), *_of_roles(found), *_of_the_network(found), *_of_the_daemon(found)]


def _of_pods(found: Sequence[Object], token: bool) -> Iterator[str]:
    accounts = [each for each in found if each["kind"] == "ServiceAccount"]
    if [each.get("automountServiceAccountToken") for each in accounts] != [False]:
        yield "a service account hands tokens out"
    every = list(pods(found))
    if len(every) != 1:
        yield "not one kind of pod"
    for pod in every:
        if pod.get("automountServiceAccountToken") is not token:
            yield "a token where none is needed, or none where one is"
        yield from _of_a_pod(pod)
        for container in pod["containers"]:
            yield from _of_a_container(container)


def _of_a_pod(pod: Object) -> Iterator[str]:
    if any(pod.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
        yield "it shares the machine's namespaces"
    around = pod.get("securityContext", {})
    if around.get("runAsNonRoot") is not True or not around.get("runAsUser"):
        yield "it may be root"
    if around.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "no seccomp profile"
    if any("hostPath" in volume for volume in pod.get("volumes", ())):
        yield "it sees the machine's files"
    for volume in pod.get("volumes", ()):
        if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
            yield "a secret that everybody may read"


def _of_a_container(container: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root can be written"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "it may become more than it is"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "it has capabilities"
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "its resources have no bounds"
    if "@sha256:" not in container["image"]:
        yield "its image is not pinned by a digest"
    if any("secretKeyRef" in str(each) for each in container.get("env", ())) or container.get("envFrom"):
        yield "a secret in the environment"


def _of_roles(found: Sequence[Object]) -> Iterator[str]:
    for each in found:
        if each["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            yield "a role for the whole cluster"
        for rule in each.get("rules", ()) if each["kind"] == "Role" else ():
            words = [*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule.get("verbs", ())]
            if "*" in words:
                yield "a role with a wildcard"
            if each["metadata"]["namespace"] == VALUES:
                continue
            if not rule.get("resourceNames"):
                yield "a role that names no object"
            if {"list", "watch", "create", "deletecollection"} & set(rule["verbs"]):
                yield "a role that reaches further than the objects it names"


def _of_the_network(found: Sequence[Object]) -> Iterator[str]:
    policies = [each["spec"] for each in found if each["kind"] == "NetworkPolicy"]
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if closed not in policies:
        yield "what is not named may come in or go out"
    for policy in policies:
        if not all(map(_is_labelled_for, policy.get("ingress", ()))):
            yield "something may come in"
        for way in policy.get("egress", ()):
            if not way.get("to") or not way.get("ports"):
                yield "a way out to everywhere"
            for to in way.get("to", ()):
                block = to.get("ipBlock", {})
                if block.get("cidr") == "0.0.0.0/0" and "169.254.0.0/16" not in block.get("except", ()):
                    yield "the machine's metadata can be asked"


def _is_labelled_for(way: Object) -> bool:
    """Whether only pods of namespaces with a label of ours come in there, and to named ports."""
    ports = [each["port"] for each in way.get("ports", ())]
    selected = [each.get("namespaceSelector", {}).get("matchLabels", {}) for each in way.get("from", ())]
    labelled = all(any(name.startswith("rotator/") for name in labels) for labels in selected)
    return bool(selected) and labelled and bool(ports) and set(ports) <= {"metrics", "api"}


def _of_the_daemon(found: Sequence[Object]) -> Iterator[str]:
    for each in found:
        if each["kind"] != "StatefulSet":
            continue
        labels = each["spec"]["template"]["metadata"]["labels"]
        budgets = [other["spec"] for other in found if other["kind"] == "PodDisruptionBudget"]
        if not any(budget["selector"]["matchLabels"].items() <= labels.items() for budget in budgets):
            yield "nothing keeps one of it running while nodes are drained"
        if any(budget.get("minAvailable", 0) >= each["spec"]["replicas"] for budget in budgets):
            yield "no node can be drained"
        (container,) = each["spec"]["template"]["spec"]["containers"]
        if not {"livenessProbe", "startupProbe"} <= container.keys():
            yield "nobody sees that it hangs"
        kept = {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", ())}
        state = next(mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == STATE)
        if state not in kept or each["spec"].get("serviceName") not in _services(found):
            yield "what it knows of its journal goes with the pod"


def _services(found: Sequence[Object]) -> set[str]:
    return {each["metadata"]["name"] for each in found if each["kind"] == "Service"}
