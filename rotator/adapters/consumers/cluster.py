"""Telling through the Kubernetes API: one object, and one annotation that says which news it was told last.

The annotation is made of the news alone, so the second telling of the same news changes nothing and nothing happens;
`resourceVersion` is not sent, because nothing that was read is written back.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.kubernetes.answers import Need
from rotator.adapters.clients.kubernetes.client import MANAGER, MERGE_PATCH, KubernetesClient, Request
from rotator.adapters.clients.kubernetes.resources import Resource, is_name, is_namespace
from rotator.adapters.clients.kubernetes.settings import ACCESS, auth_of
from rotator.adapters.consumers.settings import Settings, SettingsError
from rotator.domain.consumers import News
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.domain.times import format_time

_ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {manager}-{kind}-{name}, namespace: "{namespace}"}}
rules:
- {{apiGroups: [{group}], resources: [{plural}], resourceNames: ["{name}"], verbs: [patch]}}
"""


@dataclass(frozen=True, slots=True)
class Clusters:
    """One client for all who are told with the same access: its TLS context takes 40 ms. Safe for many threads."""

    _clients: dict[str, KubernetesClient] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, settings: Settings, resolve: Callable[[str], str]) -> KubernetesClient:
        """By `auth`, with `address` and `ca` where that needs them. No request. Raises `SettingsError`."""
        key = json.dumps(settings.some(*ACCESS), sort_keys=True, default=str)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = KubernetesClient(auth_of(settings.given(*ACCESS), resolve))
            return self._clients[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object. `timeout`: of a telling."""

    client: KubernetesClient
    need: Need
    timeout: timedelta

    def patch(self, part: Mapping[str, Any], *, dry: bool = False) -> Mapping[str, Any]:
        """Change this part of it and return the whole; `dry`: only ask whether that would be let.

        Raises Transient, Denied and Permanent. Twice: nothing changes.
        """
        import_module("urllib3")  # before time runs
        query = {"fieldManager": MANAGER} | ({"dryRun": "All"} if dry else {})
        request = Request(need=self.need, method="PATCH", query=query, body=part, sends=MERGE_PATCH)
        try:
            answer = self.client.ask(request, Deadline(self.timeout))
        except Conflict:
            busy = Transient(f"{self} was changed by somebody else just now")
        else:
            if answer.ok:
                return self._whole(answer.document, part)
            resource, namespace = self.need.resource, self.need.namespace
            hint = f"mend reload:; `kubectl get {resource.full_name} --namespace {namespace}` lists what there is"
            raise Permanent(f"there is no {self}", hint)
        raise busy

    def least_role(self) -> str:
        """The role, as a manifest, that suffices for telling it."""
        need = self.need
        return _ROLE.format(
            manager=MANAGER,
            kind=need.resource.kind.lower(),
            name=need.name,
            namespace=need.namespace,
            group=need.resource.group,
            plural=need.resource.plural,
        )

    def _whole(self, found: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
        if found.get("kind") != self.need.resource.kind:
            raise Transient(f"something that is not kubernetes answered for {self}", "look at what is in between")
        if not _within(part, found):
            raise Permanent(f"{self} did not take our annotation", "look at the webhooks that change it")
        return found

    def __str__(self) -> str:
        return f"{self.need.resource.kind} {self.need.where}"


def target_of(
    settings: Settings,
    key: str,
    resource: Resource,
    clusters: Clusters,
    resolve: Callable[[str], str],
    timeout: timedelta,
) -> Target:
    """The object that stands at `key` as `namespace/name`. Raises `SettingsError`."""
    namespace, _, name = settings.text(key).partition("/")
    if not is_namespace(namespace) or not is_name(name):
        hint = "write namespace/name, in lower-case letters, digits, dashes and dots"
        raise SettingsError(f"reload.{key} names no {resource.kind}", hint)
    return Target(
        client=clusters.client(settings, resolve),
        need=Need("patch", namespace, name, resource),
        timeout=settings.duration("timeout", timeout, timeout),
    )


def words(news: News) -> str:
    """The news in a line: equal however often it is told and to however many, different for any other."""
    return f"{news.rotation} {news.what.value} {format_time(news.at)}"


def table(whole: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The table at a key, empty where there is none."""
    found = whole.get(key)
    return found if isinstance(found, Mapping) else {}


def _within(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(_within(each, whole.get(key)) for key, each in part.items())
    return bool(part == whole)
