"""What tests of telling through a cluster need: a Deployment and an ExternalSecret on a stand-in, and who may what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rotator.adapters.consumers.kinds import TellsLeastRole, Tools, make_teller
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Failure
from rotator.testing.store_contract import secret_free
from tests.consumers.news import NEWS, telling
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.objects import DEPLOYMENTS, EXTERNAL_SECRETS, Object, Resource

HIDDEN = "sk-hidden-0123456789"
"""Stands in the objects themselves, as somebody's own variables do."""
DEPLOYMENT = {
    "selector": {"matchLabels": {"app": "app"}},
    "template": {
        "metadata": {"labels": {"app": "app"}},
        "spec": {"containers": [{"name": "one", "image": "one:1", "env": [{"name": "OTHER", "value": HIDDEN}]}]},
    },
}
RESOURCES = {"deployment": DEPLOYMENTS, "external_secret": EXTERNAL_SECRETS}


@dataclass
class Cluster:
    """A stand-in with `team/app` of both kinds; `secrets` is everything that nothing may show."""

    server: KubernetesServer
    secrets: set[str] = field(default_factory=lambda: {HIDDEN})

    def __post_init__(self) -> None:
        self.server.put(DEPLOYMENTS, "team", "app", spec=DEPLOYMENT)
        self.server.put(EXTERNAL_SECRETS, "team", "app", spec={"refreshInterval": "1h0m0s"})

    def reload(self, way: str, target: str = "team/app", **settings: Any) -> dict[str, Any]:
        """What stands beneath `reload:`."""
        auth = {"method": "token", "token": "file:/run/token"}
        return {
            way: target,
            "auth": auth,
            "address": self.server.address,
            "ca": str(self.server.authority.ca),
            **settings,
        }

    def tell(
        self,
        way: str,
        news: News = NEWS,
        *,
        token: str = "",
        timeout: float = 20.0,
        consumer: str = "web",
        **settings: Any,
    ) -> Heard | Failure:
        """Tell one consumer, with that token or the admin's; no failure shows a secret, nor brings one along."""
        port = telling(timeout, self.resolving(token), **{consumer: self.reload(way, **settings)})
        answer = port.tell([consumer], news)[consumer]
        if isinstance(answer, Failure):
            for line in (answer.message, answer.hint):
                assert line.isprintable()
            assert answer.message
            assert [secret for secret in self.secrets if not secret_free(answer, secret)] == []
        return answer

    def teller(self, way: str, *, token: str = "", **settings: Any) -> Any:
        """How one consumer is told."""
        tools = Tools(resolve=self.resolving(token), timeout=timedelta(seconds=5))
        made = make_teller(self.reload(way, **settings), tools)
        assert made is not None
        return made.by

    def least(self, way: str, **settings: Any) -> str:
        """The least role for telling it."""
        teller = self.teller(way, **settings)
        assert isinstance(teller, TellsLeastRole)
        return teller.least_role()

    def resolving(self, token: str) -> Callable[[str], str]:
        """Whatever is asked for is that token."""
        text = token or self.server.admin
        self.secrets.add(text)
        return lambda _: text

    def object(self, kind: str | Resource) -> Object:
        """`team/app` of that kind."""
        found = self.server.object(RESOURCES[kind] if isinstance(kind, str) else kind, "team", "app")
        assert found is not None
        return found

    def generation(self, kind: str | Resource = "deployment") -> int:
        """How often its spec was another one; a real cluster makes new pods each time after the first."""
        return int(self.object(kind)["metadata"]["generation"])

    def template(self, kind: str | Resource = "deployment") -> dict[str, str]:
        """The annotations of the pods."""
        return dict(self.object(kind)["spec"]["template"]["metadata"].get("annotations", {}))
