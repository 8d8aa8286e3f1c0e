"""Stands in for OpenAI's admin API as far as keys go, held to the vendor's description and its SDK (3.57).

`ADDED` is what the SDK's types have and the older description does not. Where it differs from OpenAI, or where OpenAI
is not known: a change is seen everywhere at once; ended keys stay in the list; what answers a refused admin key, an
ended key's change and a key without the scope is as people quote it; restricted keys know three scopes; the rotator's
own admin key is in no list; there is no cap, because none is documented; it does not throttle until it is told to.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from typing import Any

from tests.servers.api import Asked, Reply
from tests.servers.vendor_description import DescribedStandIn, Description

NAME = "OpenAI admin API"
PROJECT, ACCOUNT = "proj_abc", "svc_acct_one"
LONGEST = 31_536_000
UNIX = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
END = {"type": "integer", "minimum": 1, "maximum": LONGEST}
SCHEMA = {"$ref": "#/components/schemas/ProjectApiKey"}
IN_PATH = [
    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name in ("project_id", "api_key_id")
]
CHANGE = {
    "parameters": IN_PATH,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "minProperties": 1,
                    "properties": {
                        "expires_in_seconds": END,
                        "scopes": {"type": "array", "items": {"type": "string"}},
                    },
                }
            }
        },
    },
    "responses": {"200": {"description": "changed", "content": {"application/json": {"schema": SCHEMA}}}},
    "security": [{"AdminApiKeyAuth": []}],
}
ADDED: Mapping[str, Any] = {
    "paths": {"/organization/projects/{project_id}/api_keys/{api_key_id}": {"post": CHANGE}},
    "components": {
        "schemas": {
            "CreateProjectServiceAccountApiKeyBody": {"properties": {"expires_in_seconds": END}},
            "ServiceAccountApiKeyBody": {"properties": {"expires_at": UNIX}},
            "ProjectApiKey": {"properties": {"expires_at": UNIX}},
        }
    },
}


def complaint(status: int, message: str, code: str | None = None) -> Reply:
    """An error as OpenAI words it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, {"error": error})


NO_SUCH_KEY = complaint(401, "Incorrect API key provided: sk-proj-****abcd.", "invalid_api_key")
NOT_FOUND = complaint(404, "No such API key.")


def lacks(scope: str, status: int = 401) -> Reply:
    """What a living key without a scope is told."""
    return complaint(status, f"You have insufficient permissions for this operation. Missing scopes: {scope}.")


class OpenAiStandIn(DescribedStandIn):
    """`project_keys` and `admin_keys` by id, `admins` by value with what each may do, and `roles` of accounts."""

    description = Description("openai-admin.json", base="/v1", additions=ADDED)

    def __init__(self) -> None:
        self.admin = "sk-admin-" + secrets.token_hex(12)
        self.reader = "sk-admin-" + secrets.token_hex(12)
        self.admins = {self.admin: {"read", "write"}, self.reader: {"read"}}
        self.roles = {ACCOUNT: "member", "svc_acct_two": "member", "svc_acct_idle": "none"}
        self.without_access: set[str] = set()
        self.project_keys: dict[str, dict[str, Any]] = {}
        self.admin_keys: dict[str, dict[str, Any]] = {}
        self.trail: list[dict[str, Any]] = []  # what the audit log holds, the newest first
        super().__init__()

    # -- for tests -----------------------------------------------------------------------------------------------------

    def seed(self, owner: str = ACCOUNT, **more: Any) -> dict[str, Any]:
        """A key that somebody made; of an owner that is no account it is a user's."""
        return self._make(self.project_keys, "key_", "sk-svcacct-", {"owner": owner, "scopes": [], **more})

    def seed_admin(self, **more: Any) -> dict[str, Any]:
        """An admin key that somebody made."""
        return self._make(self.admin_keys, "key_adm_", "sk-admin-", more)

    # -- the API -------------------------------------------------------------------------------------------------------

    def respond(self, asked: Asked) -> Reply:
        """As OpenAI does."""
        shown = asked.headers.get("authorization", "").removeprefix("Bearer ")
        match asked.method, *asked.path[1:]:
            case "GET", "models":
                return self._models(shown)
            case method, "organization", "audit_logs":
                return self._refused(shown, method) or self._audit_logs(asked)
            case method, "organization", "admin_api_keys", *key_id:
                return self._refused(shown, method) or self._admin_api_keys(asked, *key_id)
            case method, "organization", "projects", project, what, *rest:
                if refused := self._refused(shown, method):
                    return refused
                if project == PROJECT and what == "api_keys":
                    return self._api_keys(asked, *rest)
                if project == PROJECT and rest and rest[0] in self.roles:
                    return self._account(asked, *rest)
        return complaint(404, "Not found.")

    def _models(self, shown: str) -> Reply:
        key = next((each for each in self.project_keys.values() if each["value"] == shown), None)
        if key is None or self._ended(key):
            return NO_SUCH_KEY
        key["last_used_at"] = int(time.time())
        if key["scopes"] and not {"api.model.read", "api.all.read"} & set(key["scopes"]):
            return lacks("api.model.read")
        model = {"id": "gpt-6", "object": "model", "created": 1, "owned_by": "openai", "shutdown_date": None}
        return Reply(200, {"object": "list", "data": [model]})

    def _refused(self, shown: str, method: str) -> Reply | None:
        key = next((each for each in self.admin_keys.values() if each["value"] == shown), None)
        if key is not None and not self._ended(key):
            key["last_used_at"] = int(time.time())
            return None
        if shown not in self.admins:
            known = shown in [each["value"] for each in self.project_keys.values()]
            return lacks("api.management.read") if known else NO_SUCH_KEY
        needed = "read" if method == "GET" else "write"
        return None if needed in self.admins[shown] else lacks(f"api.management.{needed}")

    def _account(self, asked: Asked, account: str, *keys: str) -> Reply:
        if not keys:
            return Reply(200, {**self._owner(account), "object": "organization.project.service_account"})
        made = self.seed(account, **asked.body)
        names = ("id", "name", "created_at", "value", "expires_at")
        body = {name: made[name] for name in names}
        return Reply(200, {"object": "organization.project.service_account.api_key", **body})

    def _api_keys(self, asked: Asked, *key_id: str) -> Reply:
        if not key_id:
            return self._page(asked, [each for each in self.project_keys.values() if self._listed(each, asked)])
        key = self.project_keys.get(key_id[0])
        if key is None:
            return NOT_FOUND
        if asked.method == "DELETE":
            del self.project_keys[key["id"]]
            return Reply(200, {"object": "organization.project.api_key.deleted", "id": key["id"], "deleted": True})
        if asked.method == "POST":
            if self._ended(key):
                return complaint(400, "Expired API keys cannot be updated.")
            if "scopes" in asked.body:
                key["scopes"] = asked.body["scopes"]
            if "expires_in_seconds" in asked.body:
                key["expires_at"] = math.ceil(time.time()) + asked.body["expires_in_seconds"] - 1
        return Reply(200, self._shown(key))

    def _admin_api_keys(self, asked: Asked, *key_id: str) -> Reply:
        if asked.method == "POST":
            made = self.seed_admin(**asked.body)
            return Reply(200, {**self._shown_admin(made), "value": made["value"]})
        if not key_id:
            return self._page(asked, list(self.admin_keys.values()))
        if key_id[0] not in self.admin_keys:
            return NOT_FOUND
        if asked.method == "DELETE":
            del self.admin_keys[key_id[0]]
            return Reply(200, {"object": "organization.admin_api_key.deleted", "id": key_id[0], "deleted": True})
        return Reply(200, self._shown_admin(self.admin_keys[key_id[0]]))

    def _audit_logs(self, asked: Asked) -> Reply:
        ids = [each["id"] for each in self.trail]
        start = ids.index(asked.query["after"]) + 1 if "after" in asked.query else 0
        shown = self.trail[start : start + int(asked.query.get("limit", 20))]
        return Reply(200, {"object": "list", "data": shown, "has_more": start + len(shown) < len(ids)})

    def _page(self, asked: Asked, keys: list[dict[str, Any]]) -> Reply:
        ids = [each["id"] for each in keys]
        start = ids.index(asked.query["after"]) + 1 if "after" in asked.query else 0
        shown = keys[start : start + min(int(asked.query.get("limit", 20)), 100)]
        more = start + len(shown) < len(keys)
        ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
        rows = [self._shown(each) if "owner" in each else self._shown_admin(each) for each in shown]
        return Reply(200, {"object": "list", "data": rows, "has_more": more, **ends})

    def _make(self, keys: dict[str, dict[str, Any]], prefix: str, form: str, more: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(more)
        seconds = given.pop("expires_in_seconds", None)
        key = {
            "id": f"{prefix}{secrets.token_hex(8)}",
            "name": "",
            "value": f"{form}{secrets.token_hex(20)}",
            "created_at": int(time.time()),
            "last_used_at": None,
            "expires_at": None if seconds is None else int(time.time()) + seconds,
            **given,
        }
        keys[key["id"]] = key
        return key

    def _ended(self, key: Mapping[str, Any]) -> bool:
        return key["expires_at"] is not None and key["expires_at"] <= time.time()

    def _listed(self, key: Mapping[str, Any], asked: Asked) -> bool:
        access = "inactive" if key["owner"] in self.without_access else "active"
        return asked.query.get("owner_project_access", "active") in (access, "any")

    def _owner(self, account: str) -> dict[str, Any]:
        return {"id": account, "name": f"agents of {account}", "created_at": 1, "role": self.roles[account]}

    def _shown(self, key: Mapping[str, Any]) -> dict[str, Any]:
        owner = key["owner"]
        if owner in self.roles:
            owned: dict[str, Any] = {"type": "service_account", "service_account": self._owner(owner)}
        else:
            user = {"id": owner, "name": "a person", "email": "p@example.com", "created_at": 1, "role": "member"}
            owned = {"type": "user", "user": user}
        access = "inactive" if owner in self.without_access else "active"
        object_ = "organization.project.api_key"
        return {**_common(key), "object": object_, "owner": owned, "owner_project_access": access}

    def _shown_admin(self, key: Mapping[str, Any]) -> dict[str, Any]:
        owner = {"type": "user", "object": "organization.user", "id": "user-1", "name": "a person", "created_at": 1}
        return {**_common(key), "object": "organization.admin_api_key", "owner": {**owner, "role": "owner"}}


def _common(key: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "name", "created_at", "last_used_at", "expires_at")
    redacted = f"{key['value'][:8]}...{key['value'][-4:]}"
    return {**{name: key[name] for name in names}, "redacted_value": redacted}
