"""Telling by a restart, as `kubectl rollout restart` does it: the template of a Deployment gets another annotation.

Not kubectl's own annotation but `rotator/CREDENTIAL`: kubectl's holds a time, so to tell the same again would put back
what somebody's own restart wrote in between, and restart once more; and two credentials of one Deployment would do that
to each other, or in the same second restart it once for both.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#updating-a-deployment
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rotator.adapters.clients.kubernetes.client import MANAGER
from rotator.adapters.clients.kubernetes.resources import Resource
from rotator.adapters.clients.kubernetes.settings import ACCESS
from rotator.adapters.consumers.cluster import Clusters, Target, table, target_of, words
from rotator.adapters.consumers.settings import Settings
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Failure, Permanent, Transient

KINDS = {
    kind: Resource(group="apps", version="v1", plural=f"{kind.lower()}s", kind=kind)
    for kind in ("Deployment", "StatefulSet", "DaemonSet")
}
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


class Deployment:
    """One consumer that is restarted."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @classmethod
    def from_settings(
        cls, settings: Settings, clusters: Clusters, resolve: Callable[[str], str], timeout: timedelta
    ) -> Deployment:
        """`deployment`: namespace/name; `kind`, `auth`, `address`, `ca`, `timeout`. Raises `SettingsError`."""
        settings.only("deployment", "kind", *ACCESS, "timeout", "spread")
        resource = KINDS[settings.choice("kind", KINDS, "Deployment")]
        return cls(target_of(settings, "deployment", resource, clusters, resolve, timeout))

    def remarks(self) -> tuple[str, ...]:
        """Why it would not restart now, by a change that is only tried."""
        wrong = self._wrong_with(self._target.patch(_annotated(f"{MANAGER}/check", "dry run"), dry=True))
        return () if wrong is None else (wrong.message,)

    def tell(self, consumer: str, news: News) -> Heard:
        """Let it restart. Twice: it restarts once. That its pods are ready again is not waited for."""
        wrong = self._wrong_with(self._target.patch(_annotated(_key(news.credential), words(news))))
        if wrong is not None:
            raise wrong
        return Heard()

    def least_role(self) -> str:
        """The role that suffices."""
        return self._target.least_role()

    def _wrong_with(self, found: Mapping[str, Any]) -> Failure | None:
        """Why it does not restart although its template changed."""
        spec, need = table(found, "spec"), self._target.need
        if spec.get("paused") is True:
            named = f"{need.resource.full_name}/{need.name} --namespace {need.namespace}"
            return Transient(f"{self._target} is paused", f"`kubectl rollout resume {named}`, and it restarts")
        if table(spec, "updateStrategy").get("type") == "OnDelete":
            hint = "delete its pods, and set updateStrategy to RollingUpdate"
            return Permanent(f"{self._target} leaves restarting to who deletes its pods (OnDelete)", hint)
        return None


def _annotated(key: str, value: str) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"annotations": {key: value}}}}}


def _key(credential: str) -> str:
    """An annotation of the credential's own. Not every name can end one."""
    name = credential if _KEY.fullmatch(credential) else hashlib.sha256(credential.encode()).hexdigest()[:40]
    return f"{MANAGER}/{name}"
