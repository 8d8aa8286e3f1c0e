"""Stands in for a Langfuse server as far as a project's API keys go, held to its description and its source of 2026-08.

Where it differs from the server: one organization with one key for it; nothing of plans but the one answer to a plan
without the entitlement; a deleted key goes on working for `cached` seconds, however it is used.
"""

from __future__ import annotations

import time
from base64 import b64decode
from typing import Any

from tests.servers.api import Asked, Reply
from tests.servers.vendor_description import DescribedStandIn, Description

NAME = "Langfuse server"
PUBLIC, SECRET = "pk-lf-organization", "sk-lf-" + "o" * 36
PROJECT, OTHERS_PROJECT = "clproject0001", "clproject0002"
Pair = tuple[str, str]


class LangfuseStandIn(DescribedStandIn):
    """`keys` of the project by id, each with its pair."""

    description = Description("langfuse-keys.json")

    def __init__(self, *, cached: float = 0.0) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.entitled = True
        self._pairs: dict[str, Pair] = {}
        self._cached = cached
        self._accepted_until: dict[str, float] = {}
        self._made = 0
        super().__init__()

    def add(self, public: str, secret: str, note: str | None = None, **fields: Any) -> dict[str, Any]:
        """A key that is there."""
        self._made += 1
        key_id = f"clkey{self._made:07}"
        shown = {"publicKey": public, "displaySecretKey": f"{secret[:6]}...{secret[-4:]}", "note": note}
        times = {"createdAt": self.now.isoformat().replace("+00:00", "Z"), "expiresAt": None, "lastUsedAt": None}
        self.keys[key_id] = {"id": key_id, **shown, **times, **fields}
        self._pairs[key_id] = (public, secret)
        return self.keys[key_id]

    def respond(self, asked: Asked) -> Reply:
        """As the server does."""
        secret = _secret(asked)
        administers = secret == SECRET
        if not administers and not self._accepted(secret):
            return Reply(401, {"message": "Invalid credentials. Confirm that you've configured the correct host."})
        if asked.path == ("api", "public", "projects"):
            return self._project(administers=administers)
        return self._keys_of(asked) if administers else Reply(403, {"message": "Organization-scoped API key required."})

    def _accepted(self, secret: str) -> bool:
        # by the secret alone, whatever public key stands beside it
        lives = any(secret == pair[1] for key_id, pair in self._pairs.items() if key_id in self.keys)
        return lives or time.monotonic() < self._accepted_until.get(secret, 0.0)

    @staticmethod
    def _project(*, administers: bool) -> Reply:
        if administers:
            return Reply(403, {"message": "Invalid API key. Are you using an organization key?"})
        owner = {"id": "clorganization", "name": "acme"}
        return Reply(200, {"data": [{"id": PROJECT, "name": "traces", "organization": owner, "metadata": {}}]})

    def _keys_of(self, asked: Asked) -> Reply:
        if not self.entitled:
            return Reply(403, {"error": "This feature is not available on your current plan."})
        _, _, _, project, _, *key_id = asked.path
        if project != PROJECT:
            return Reply(404, {"message": "Project not found or you don't have access to it"})
        if key_id:
            return self._delete(key_id[0])
        return self._create(asked.body) if asked.method == "POST" else Reply(200, {"apiKeys": [*self.keys.values()]})

    def _create(self, body: dict[str, Any]) -> Reply:
        public, secret = body.get("publicKey") or "", body.get("secretKey") or ""
        if not public.startswith("pk-lf-") or not secret.startswith("sk-lf-"):
            return Reply(400, {"message": "secretKey must start with 'sk-lf-'"})
        if any(public == known[0] or secret == known[1] for known in self._pairs.values()):
            return Reply(409, {"message": "API key with the provided publicKey or secretKey already exists"})
        row = self.add(public, secret, body.get("note"))
        made = {name: row[name] for name in ("id", "createdAt", "note", "publicKey", "displaySecretKey")}
        return Reply(201, {**made, "secretKey": secret})

    def _delete(self, key_id: str) -> Reply:
        if key_id not in self.keys:
            return Reply(404, {"message": "API key not found"})
        del self.keys[key_id]
        _, secret = self._pairs.pop(key_id)
        self._accepted_until[secret] = time.monotonic() + self._cached
        return Reply(200, {"success": True})


def _secret(asked: Asked) -> str:
    scheme, _, pair = asked.headers.get("authorization", "").partition(" ")
    return b64decode(pair).decode().partition(":")[2] if scheme == "Basic" else ""
