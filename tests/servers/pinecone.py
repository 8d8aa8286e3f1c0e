"""Stands in for Pinecone's Admin API and its login as far as API keys go, held to the Admin API's description.

Where it differs from Pinecone: the login is held to its documentation by hand
(https://docs.pinecone.io/reference/api/2026-04/admin/get_token); what roles may do, how long a deletion takes and
with which status a full quota is refused are nowhere said exactly, and are the test's to choose.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from tests.servers.api import Asked, Reply, StandIn
from tests.servers.vendor_description import DescribedStandIn, Description

NAME = "Pinecone API"
CLIENT_ID, CLIENT_SECRET = "client-of-the-tests", "secret-of-the-client-0123456789"
TOKEN, VIEWER = "access-token-0123456789", "viewers-token-0123456789"
"""Access tokens that never end: of an owner, and of one who may only look."""
PROJECT = "8b7c2d3e-4f50-4a61-8b72-9c83ad94be05"
ROLES = ("Project", "ControlPlane", "DataPlane")
INDEXES = "https://docs.pinecone.io/reference/api/2026-04/control-plane/list_indexes"
ADDITIONS = {"/indexes": {"get": {"security": [], "responses": {"200": {"description": INDEXES}}}}}


def error(status: int, code: str, message: str = "no") -> Reply:
    """In the one form that errors have."""
    return Reply(status, {"error": {"code": code, "message": message}, "status": status})


class PineconeLogin(StandIn):
    """The other host: it gives access tokens for client credentials, good for `lifetime` seconds."""

    def __init__(self) -> None:
        self.lifetime = 86_400
        self.given: dict[str, float] = {}
        super().__init__()

    def answer(self, asked: Asked) -> Reply:
        """As its documentation says."""
        wish = dict(asked.body or {})
        whole = {"grant_type", "client_id", "client_secret", "audience"} == set(wish)
        if asked.line != "POST /oauth/token" or not whole or "x-pinecone-api-version" not in asked.headers:
            return error(400, "INVALID_ARGUMENT")
        if (wish["client_id"], wish["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return error(401, "UNAUTHENTICATED")
        token = f"given-{len(self.given)}-{uuid4().hex}"
        self.given[token] = time.monotonic() + self.lifetime
        return Reply(200, {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})

    def takes(self, token: str) -> bool:
        """Whether a token that it gave is still good."""
        return time.monotonic() < self.given.get(token, 0.0)


class PineconeStandIn(DescribedStandIn):
    """`keys` of the project by id, each with its value; `login` is the other host."""

    description = Description("pinecone-admin.json", additions={"paths": ADDITIONS})

    def __init__(self, *, dying: float = 0.0) -> None:
        self.login = PineconeLogin()
        self.keys: dict[str, dict[str, Any]] = {}
        self.values: dict[str, str] = {}
        self.quota: int | None = None
        self.full = error(403, "QUOTA_EXCEEDED", "Not enough available quota to complete this operation.")
        self._dying = dying
        self._doomed: dict[str, float] = {}
        super().__init__()

    def close(self) -> None:
        """Both hosts."""
        self.login.close()
        super().close()

    def add(self, name: str | None, roles: list[str] | None = None, value: str | None = None) -> str:
        """A key that is there."""
        key_id = str(uuid4())
        self.keys[key_id] = {"id": key_id, "name": name, "project_id": PROJECT, "roles": roles or ["ProjectEditor"]}
        self.values[key_id] = value or f"pckey_{key_id[:6]}_{uuid4().hex}"
        return key_id

    def respond(self, asked: Asked) -> Reply:
        """As Pinecone does."""
        self._bury()
        if asked.path == ("indexes",):
            return self._indexes(asked.headers.get("api-key", ""))
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in (TOKEN, VIEWER) and not self.login.takes(token):
            return error(401, "UNAUTHENTICATED", "Invalid API key.")
        if token == VIEWER and asked.method != "GET":
            return error(403, "PERMISSION_DENIED", "The caller does not have permission.")
        _, what, where, *_ = asked.path
        if what == "api-keys":
            return self._delete(where)
        if where != PROJECT:
            return error(404, "NOT_FOUND", "Resource project not found")
        return self._create(asked.body) if asked.method == "POST" else Reply(200, {"data": [*self.keys.values()]})

    def _indexes(self, value: str) -> Reply:
        found = [key_id for key_id, known in self.values.items() if known == value]
        if not found:
            return error(401, "UNAUTHENTICATED", "Invalid API Key")
        if all(role.startswith("DataPlane") for role in self.keys[found[0]]["roles"]):
            return error(403, "FORBIDDEN", "Forbidden")
        return Reply(200, {"indexes": []})

    def _create(self, body: dict[str, Any]) -> Reply:
        if self.quota is not None and len(self.keys) >= self.quota:
            return self.full
        roles = body.get("roles") or ["ProjectEditor"]
        if not all(role.removesuffix("Editor").removesuffix("Viewer") in ROLES for role in roles):
            return error(400, "INVALID_ARGUMENT", "Bad request. The request body included invalid request parameters.")
        key_id = self.add(body["name"], roles)
        return Reply(201, {"key": self.keys[key_id], "value": self.values[key_id]})

    def _delete(self, key_id: str) -> Reply:
        if key_id not in self.keys:
            return error(404, "NOT_FOUND", "Resource api key not found")
        self._doomed.setdefault(key_id, time.monotonic() + self._dying)
        self._bury()
        return Reply(202)

    def _bury(self) -> None:
        for key_id in [key_id for key_id, at in self._doomed.items() if time.monotonic() >= at]:
            del self.keys[key_id], self.values[key_id], self._doomed[key_id]
