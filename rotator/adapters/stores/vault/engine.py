"""Whether what is mounted is KV version 2: every other engine answers a read of what is not there alike.

https://developer.hashicorp.com/vault/api-docs/system/internal-ui-mounts: any token may ask that has a right to anything
within the mount; the `vault kv` command does, before each of its calls.
"""

from __future__ import annotations

from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.vault.answers import Need
from rotator.adapters.stores.vault.client import VaultClient
from rotator.domain.failures import Denied, Permanent
from rotator.domain.times import quoted


class Engine:
    """The engine mounted at a path. Safe for many threads, of which several may ask at first."""

    def __init__(self, client: VaultClient, mount: str) -> None:
        self._client = client
        self._mount = mount
        self._known = False

    def must_have_versions(self, deadline: Deadline) -> None:
        """Raise Permanent unless it is KV version 2, or the server does not tell. One request, once."""
        if self._known:
            return
        path = f"sys/internal/ui/mounts/{self._mount}"

        def send(http: Any) -> Any:
            return http.get(f"/v1/{path}")

        try:
            answer = self._client.ask(Need("read", path), deadline, send)
        except (Denied, Permanent):
            self._known = True  # it will not tell the next time either
            return
        kind, options = answer.data.get("type"), answer.data.get("options") or {}
        if kind not in (None, "kv", "generic"):
            hint = "set `mount` to a KV version 2 engine"
            raise Permanent(f"{self._client.where} has an engine of type {quoted(kind)} at {self._mount}", hint)
        if kind is not None and str(options.get("version", "1")) != "2":
            raise without_versions(self._mount, self._client.where)
        self._known = True


def without_versions(mount: str, where: str) -> Permanent:
    """What is mounted keeps no versions, so nothing can be compared before it is overwritten."""
    message = f"{where} has no KV version 2 engine at {mount}, but version 1"
    return Permanent(message, f"set `mount` to another, or let it keep versions: `vault kv enable-versioning {mount}`")
