"""Telling External Secrets Operator to read the store now: https://external-secrets.io/latest/introduction/faq/.

Any annotation that changes lets it read again; `force-sync` is the one of its documentation. Two credentials in one
ExternalSecret overwrite each other's: told again it is read once more, which changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rotator.adapters.clients.kubernetes.resources import Resource
from rotator.adapters.clients.kubernetes.settings import ACCESS
from rotator.adapters.consumers.cluster import Clusters, Target, table, target_of, words
from rotator.adapters.consumers.settings import Settings
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Failure, Permanent

EXTERNAL_SECRETS = Resource(group="external-secrets.io", version="v1", plural="externalsecrets", kind="ExternalSecret")
ANNOTATION = "force-sync"


class ExternalSecret:
    """One consumer that reads what the operator copies."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @classmethod
    def from_settings(
        cls, settings: Settings, clusters: Clusters, resolve: Callable[[str], str], timeout: timedelta
    ) -> ExternalSecret:
        """`external_secret`: namespace/name; `auth`, `address`, `ca`, `timeout`. Raises `SettingsError`."""
        settings.only("external_secret", *ACCESS, "timeout", "spread")
        return cls(target_of(settings, "external_secret", EXTERNAL_SECRETS, clusters, resolve, timeout))

    def remarks(self) -> tuple[str, ...]:
        """Why it would not be read again now, by a change that is only tried."""
        wrong = self._wrong_with(self._target.patch(_annotated("dry run"), dry=True))
        return () if wrong is None else (wrong.message,)

    def tell(self, consumer: str, news: News) -> Heard:
        """Let it be read again. Twice: nothing changes. That the operator has done so is not waited for."""
        wrong = self._wrong_with(self._target.patch(_annotated(words(news))))
        if wrong is not None:
            raise wrong
        return Heard()

    def least_role(self) -> str:
        """The role that suffices."""
        return self._target.least_role()

    def _wrong_with(self, found: Mapping[str, Any]) -> Failure | None:
        """Why the operator does not: https://external-secrets.io/latest/api/externalsecret/ on its refresh policies."""
        spec = table(found, "spec")
        policy = spec.get("refreshPolicy") or "Periodic"
        if policy == "CreatedOnce" or (policy == "Periodic" and _never(spec.get("refreshInterval"))):
            return Permanent(
                f"{self._target} is read once and never again", "set refreshPolicy: OnChange, or a refreshInterval"
            )
        return None


def _annotated(value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {ANNOTATION: value}}}


def _never(interval: object) -> bool:
    """Whether a duration is none, as in `0`, `0s` or `0h0m0s`; one that is left out is an hour."""
    return isinstance(interval, str) and re.search(r"[1-9]", interval) is None
