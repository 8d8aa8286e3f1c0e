"""Stands in for OpenRouter's API of keys, held to the vendor's description.

`ADDED` is what its pages of 2026 have and the description does not: `last_used_at`, and the list of models, which only
consumers ask for. Where it differs from
OpenRouter, or where OpenRouter is not known: a change is seen everywhere at once; a key's hash is the SHA-256 of its
value unless `hashes` says otherwise; ended keys stay in the list; every refused value is told "User not found."; what
is spent is always nothing; it does not throttle until it is told to.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.servers.api import Asked, Reply
from tests.servers.vendor_description import DescribedStandIn, Description

NAME = "OpenRouter API"
DEFAULT, OTHER = "00000000-0000-4000-8000-000000000001", "0df9e665-d932-4740-b2c7-b52af166bc11"
PAGE = 100
USED = {"last_used_at": {"type": ["string", "null"]}}
LISTED = {
    "200": {"content": {"application/json": {"schema": {"properties": {"data": {"items": {"properties": USED}}}}}}}
}
ADDED: Mapping[str, Any] = {
    "paths": {
        "/keys": {"get": {"responses": LISTED}},
        "/models": {"get": {"responses": {"200": {"description": "models"}}}},
    }
}
SPENT = {f"{kind}{when}": 0 for kind in ("usage", "byok_usage") for when in ("", "_daily", "_weekly", "_monthly")}


def complaint(status: int, message: str) -> Reply:
    """An error as OpenRouter words it."""
    return Reply(status, {"error": {"code": status, "message": message}})


UNKNOWN = complaint(401, "User not found.")


def sha256(value: str) -> str:
    """What a hash is thought to be."""
    return hashlib.sha256(value.encode()).hexdigest()


class OpenRouterStandIn(DescribedStandIn):
    """`keys` by hash. `tells_use`: whether the list has `last_used_at`."""

    description = Description("openrouter-keys.json", base="/api/v1", additions=ADDED)

    def __init__(self, hashes: Callable[[str], str] = sha256) -> None:
        self.admin = "sk-or-v1-management-" + secrets.token_hex(16)
        self.keys: dict[str, dict[str, Any]] = {}
        self.tells_use = True
        self._hashes = hashes
        super().__init__()

    # -- for tests -----------------------------------------------------------------------------------------------------

    def seed(self, name: str, **more: Any) -> dict[str, Any]:
        """A key that somebody made."""
        value = "sk-or-v1-" + secrets.token_hex(32)
        key = {
            "value": value,
            "hash": self._hashes(value),
            "name": name,
            "disabled": False,
            "workspace_id": DEFAULT,
            "created_at": _now(),
            "updated_at": None,
            "expires_at": None,
            "last_used_at": None,
            "limit": None,
            "limit_reset": None,
            **more,
        }
        self.keys[key["hash"]] = key
        return key

    # -- the API -------------------------------------------------------------------------------------------------------

    def respond(self, asked: Asked) -> Reply:
        """As OpenRouter does."""
        shown = asked.headers.get("authorization", "").removeprefix("Bearer ")
        what = asked.path[2:]
        if what in (("key",), ("models",)):
            return self._used(shown, what[0])
        if shown != self.admin:
            known = shown in [each["value"] for each in self.keys.values()]
            return complaint(401, "Invalid management key") if known else UNKNOWN
        if what == ("keys",):
            return self._create(asked.body) if asked.method == "POST" else self._page(asked.query)
        return self._one(asked, what[1])

    def _used(self, shown: str, what: str) -> Reply:
        key = next((each for each in self.keys.values() if each["value"] == shown), None)
        if key is None or key["disabled"] or _ended(key):
            return UNKNOWN
        if what == "models":
            key["last_used_at"] = _now()
            return Reply(200, {"data": [{"id": "acme/model", "created": 1, "name": "a model"}]})
        kind = {"is_free_tier": False, "is_management_key": False, "is_provisioning_key": False}
        rate = {"interval": "1h", "note": "deprecated", "requests": 1000}
        return Reply(200, {"data": {**_spending(key), **kind, "rate_limit": rate, "label": _label(key)}})

    def _create(self, body: Mapping[str, Any]) -> Reply:
        ends = body.get("expires_at")
        if ends is not None and not ends.endswith("Z"):
            return complaint(400, "expires_at must be UTC")
        made = self.seed(**body)
        return Reply(201, {"data": self._shown(made), "key": made["value"]})

    def _page(self, query: Mapping[str, str]) -> Reply:
        every = query.get("include_disabled") == "true"
        workspace, offset = query.get("workspace_id", DEFAULT), int(query.get("offset", 0))
        keys = [each for each in self.keys.values() if each["workspace_id"] == workspace]
        listed = [each for each in keys if every or not each["disabled"]]
        return Reply(200, {"data": [self._shown(each) for each in listed[offset : offset + PAGE]]})

    def _one(self, asked: Asked, key_id: str) -> Reply:
        key = self.keys.get(key_id)
        if key is None:
            return complaint(404, "API key not found")
        if asked.method == "DELETE":
            del self.keys[key_id]
            return Reply(200, {"deleted": True})
        if asked.method == "PATCH":
            key.update(asked.body)
        return Reply(200, {"data": {name: each for name, each in self._shown(key).items() if name not in USED}})

    def _shown(self, key: Mapping[str, Any]) -> dict[str, Any]:
        names = ("hash", "name", "disabled", "workspace_id", "created_at", "updated_at")
        used = {"last_used_at": key["last_used_at"]} if self.tells_use else {}
        return {**{name: key[name] for name in names}, **used, **_spending(key), "label": _label(key)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _label(key: Mapping[str, Any]) -> str:
    return f"{key['value'][:12]}...{key['value'][-3:]}"


def _spending(key: Mapping[str, Any]) -> dict[str, Any]:
    limits = {"limit": key["limit"], "limit_remaining": key["limit"], "limit_reset": key["limit_reset"]}
    about = {"include_byok_in_limit": False, "creator_user_id": None, "expires_at": key["expires_at"]}
    return {**SPENT, **limits, **about}


def _ended(key: Mapping[str, Any]) -> bool:
    return key["expires_at"] is not None and datetime.fromisoformat(key["expires_at"]) <= datetime.now(UTC)
