"""A stand-in for the Claude API: an organisation's keys, listed and switched by its Admin API, and models to list.

As https://platform.claude.com/docs/en/api/admin/api_keys and the types of the vendor's Python SDK 2.14 describe it;
that SDK is a client of it, too. `POST /console/keys` is the Console, in which a person makes keys: no part of the API.

What it cannot show: how long the real one accepts a key that is switched off, how far its list lags, in what words it
refuses to bring an archived key back (here 400), its limits on requests and on keys.
"""

from __future__ import annotations

from typing import Any

from tests.servers.api import Asked, Reply, StandIn

NAME = "Claude API"
ADMIN = "sk-ant-admin01-of-the-organisation-0123456789"
POOR = "sk-ant-api03-without-any-permission-0123456789"
WORKSPACE = "wrkspc_01Agents"
VERSIONS = ("2023-06-01", "2026-10-21")
"""The documentation's, and the SDK's, which besides shows a key as a bearer token."""
WRITABLE = ("active", "inactive", "archived")


class AnthropicStandIn(StandIn):
    """One organisation. `restricted`: values that may not list models."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self.values: dict[str, str] = {}
        self.restricted: set[str] = set()
        self.most_active: int | None = None
        super().__init__()

    def make(self, workspace: str = WORKSPACE, **more: Any) -> tuple[str, str]:
        """A key that a person makes in the Console: its id and its value."""
        number = len(self.held) + 1
        key_id, value = f"apikey_01{number:020}", f"sk-ant-api03-{number:06}-{'x' * 40}-igAA"
        self.held.append(
            {
                "id": key_id,
                "type": "api_key",
                "name": f"key {number}",
                "status": "active",
                "created_at": self.now.isoformat().replace("+00:00", "Z"),
                "created_by": {"id": "user_01", "type": "user"},
                "expires_at": None,
                "partial_key_hint": f"sk-ant-api03-{number:03}...igAA",
                "principal": None,
                "scope": {"type": "workspace", "workspace_id": workspace},
                **more,
            }
        )
        self.values[value] = key_id
        return key_id, value

    def row(self, key_id: str) -> dict[str, Any]:
        return next(each for each in self.held if each["id"] == key_id)

    def answer(self, asked: Asked) -> Reply:
        shown = asked.headers.get("x-api-key") or asked.headers.get("authorization", "").removeprefix("Bearer ")
        if asked.headers.get("anthropic-version") not in VERSIONS:
            return error(400, "invalid_request_error", "anthropic-version: header is required")
        if asked.path == ("v1", "models"):
            return self._models(shown)
        if shown not in (ADMIN, POOR):
            return error(401, "authentication_error", f"invalid x-api-key {shown}")
        if shown == POOR:
            return error(403, "permission_error", "this key may not administer the organization")
        match asked.method, *asked.path:
            case ["GET", "v1", "organizations", "me"]:
                return Reply(200, {"id": "org-1", "type": "organization", "name": "an organisation"})
            case ["GET", "v1", "organizations", "api_keys"]:
                return self._page(asked)
            case [method, "v1", "organizations", "api_keys", key_id]:
                return self._one(method, key_id, asked.body)
            case ["POST", "console", "keys", workspace]:
                key_id, value = self.make(workspace)
                return Reply(201, {"id": key_id, "value": value})
        return error(404, "not_found_error", "no such path")

    def _models(self, shown: str) -> Reply:
        key_id = self.values.get(shown)
        if key_id is None or self.row(key_id)["status"] != "active":
            return error(401, "authentication_error", f"invalid x-api-key {shown}")
        if shown in self.restricted:
            return error(403, "permission_error", "this key may not list models")
        return Reply(200, {"data": [], "has_more": False, "first_id": None, "last_id": None})

    def _page(self, asked: Asked) -> Reply:
        limit = int(asked.query.get("limit", "20"))
        if not 1 <= limit <= 1000:
            return error(400, "invalid_request_error", "limit: out of range")
        wanted = [row for row in self.held if self._wanted(row, asked)]
        after = asked.query.get("after_id")
        start = next((n for n, row in enumerate(wanted, 1) if row["id"] == after), 0)
        page = wanted[start : start + limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        return Reply(200, {"data": page, "has_more": start + limit < len(wanted), **ends})

    def _wanted(self, row: dict[str, Any], asked: Asked) -> bool:
        workspace, status = asked.query.get("workspace_id"), asked.query.get("status")
        return workspace in (None, row["scope"].get("workspace_id")) and status in (None, row["status"])

    def _one(self, method: str, key_id: str, body: Any) -> Reply:
        row = next((each for each in self.held if each["id"] == key_id), None)
        if row is None:
            return error(404, "not_found_error", "no such key")
        if method == "GET":
            return Reply(200, row)
        if set(body) - {"name", "status"} or body.get("status", "active") not in WRITABLE:
            return error(400, "invalid_request_error", "unknown field or status")
        if row["status"] in ("archived", "expired"):
            return error(400, "invalid_request_error", f"the key is {row['status']}")
        active = sum(each["status"] == "active" for each in self.held)
        grows = body.get("status") == "active" and row["status"] != "active"
        if grows and self.most_active is not None and active >= self.most_active:
            return error(400, "invalid_request_error", "the workspace has as many keys as it may have")
        row.update(body)
        return Reply(200, row)


def error(status: int, kind: str, message: str) -> Reply:
    """As the vendor writes it."""
    return Reply(status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
