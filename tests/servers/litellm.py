"""Stands in for a LiteLLM proxy as far as virtual keys go, held to its description and to the source of 1.109.1.

Where it differs from the proxy: there are three admin keys of fixed roles and no users beside them; an alias, a
chosen value and a duration are checked as the proxy does, models and budgets are not; every key sees the same models;
all workers keep a refused key for the same `cached` seconds, or for none.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import timedelta
from typing import Any

from tests.servers.api import Asked, Reply
from tests.servers.vendor_description import DescribedStandIn, Description

NAME = "LiteLLM proxy"
ADMIN, VIEWER, MEMBER = "sk-admin-" + "a" * 24, "sk-viewer-" + "v" * 24, "sk-member-" + "m" * 24
"""Keys of type `management` of a proxy admin, of one who may only look, and of somebody else."""
WRITES = ("generate", "block", "unblock", "delete", "update")
LLM_ROUTES, OWN_ROUTES = ("llm_api", "default"), ("management", "read_only", "default")
# Beside /key/… the description at hand has nothing: https://docs.litellm.ai/docs/proxy/model_access
MODELS = {"/v1/models": {"get": {"responses": {"200": {"description": "models"}}}}}


def error(status: int, message: str, kind: str = "auth_error") -> Reply:
    """A `ProxyException`."""
    return Reply(status, {"error": {"message": message, "type": kind, "param": "None", "code": str(status)}})


UNKNOWN = error(401, "Authentication Error, Invalid proxy server token passed.", "token_not_found_in_db")
BLOCKED = error(401, "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.")
EXPIRED = error(401, "Authentication Error - Expired Key.", "expired_key")


def hash_of(value: str) -> str:
    """How the proxy names a key."""
    return hashlib.sha256(value.encode()).hexdigest()


class LiteLlmStandIn(DescribedStandIn):
    """`keys` by hash, as the proxy lists them."""

    description = Description("litellm-keys.json", additions={"paths": MODELS})

    def __init__(self, *, cached: float = 0.0) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.archive: set[str] = set()
        self.custom_keys = True
        self.longest: timedelta | None = None
        self.blocked_teams: set[str] = set()
        self._cached = cached
        self._accepted_until: dict[str, tuple[float, dict[str, Any]]] = {}
        super().__init__()

    def add(self, value: str, **fields: Any) -> str:
        """A key that is there, made on the proxy's site."""
        token = hash_of(value)
        row: dict[str, Any] = {"key_alias": None, "team_id": None, "user_id": None, "models": [], "blocked": None}
        times = {"created_at": self.now.isoformat(), "last_active": None, "expires": None}
        named = {"token": token, "key_name": f"sk-...{value[-4:]}", "key_type": "default"}
        self.keys[token] = {**row, **times, **named, **fields}
        return token

    def respond(self, asked: Asked) -> Reply:
        """As the proxy does."""
        shown = asked.headers.get("x-litellm-api-key", "").removeprefix("Bearer ")
        if shown in (ADMIN, VIEWER, MEMBER):
            return self._manage(asked, shown)
        row = self.keys.get(hash_of(shown)) or self._cached_row(hash_of(shown))
        if row is None:
            return UNKNOWN
        refusal = self._refusal(row)
        if refusal is not None:
            return refusal
        if asked.path == ("v1", "models"):
            allowed = row["key_type"] in LLM_ROUTES
            return (
                Reply(200, {"data": [{"id": "gpt-4"}]})
                if allowed
                else error(403, "Virtual key is not allowed to call this route.")
            )
        if asked.path != ("key", "info") or row["key_type"] not in OWN_ROUTES:
            return error(403, "Virtual key is not allowed to call this route.")
        return Reply(200, {"key": row["token"], "info": row})

    def _refusal(self, row: dict[str, Any]) -> Reply | None:
        kept = self._cached_row(row["token"])
        if row["blocked"] and kept is None:
            return BLOCKED
        if row["expires"] is not None and row["expires"] <= self.now.isoformat():
            return EXPIRED
        team = row["team_id"]
        if team in self.blocked_teams:
            return error(401, f"Authentication Error, Team={team} is blocked.")
        return None

    def _cached_row(self, token: str) -> dict[str, Any] | None:
        until, row = self._accepted_until.get(token, (0.0, {}))
        return row if time.monotonic() < until else None

    def _keep(self, token: str) -> None:
        """Workers that have the key in their memory go on."""
        self._accepted_until[token] = (time.monotonic() + self._cached, dict(self.keys[token]))

    def _manage(self, asked: Asked, shown: str) -> Reply:
        kind, *rest = asked.path
        if kind != "key" or len(rest) != 1:
            return error(403, "Virtual key is not allowed to call this route.")
        if rest[0] in WRITES and shown != ADMIN:
            return error(401, f"Authentication Error, Only proxy admin can be used to generate. Route=/key/{rest[0]}")
        match rest[0]:
            case "generate":
                return self._generate(asked.body)
            case "list":
                return self._list(asked, shown)
            case "info":
                return self._info(asked.query.get("key", hash_of(shown)))
            case "delete":
                return self._delete(asked.body["keys"])
            case "block" | "unblock":
                return self._block(asked.body["key"], blocked=rest[0] == "block")
        return error(404, "Not Found")

    def _generate(self, body: dict[str, Any]) -> Reply:
        value, alias = body["key"], body.get("key_alias")
        seconds = re.fullmatch("([0-9]+)s", body["duration"]) if body.get("duration") else None
        lifetime = timedelta(seconds=int(seconds[1])) if seconds else None
        if self.longest is not None and (lifetime is None or lifetime > self.longest):
            return error(400, "duration is over max limit set in config", "bad_request_error")
        if any(alias is not None and row["key_alias"] == alias for row in self.keys.values()):
            said = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
            return error(400, said, "bad_request_error")
        if not self.custom_keys:
            said = "{'error': 'Custom API key values are disabled by your administrator. Keys must be auto-generated.'}"
            return error(403, said)
        if not value.startswith("sk-") or len(value) < 16:
            return error(400, "Invalid key format.", "bad_request_error")
        fields = {
            name: body[name] for name in ("key_alias", "team_id", "user_id", "models", "key_type") if name in body
        }
        expires = (self.now + lifetime).isoformat() if lifetime else None
        token = self.add(value, **fields, expires=expires)
        made = {**self.keys[token], "key": value, "token": token, "token_id": token}
        return Reply(200, {name: each for name, each in made.items() if name not in ("blocked", "last_active")})

    def _list(self, asked: Asked, shown: str) -> Reply:
        query = asked.query
        if shown == MEMBER and query.get("user_id") not in (None, "member"):
            return error(403, "You are not authorized to check another user's keys", "bad_request_error")
        wanted = {name: query[name] for name in ("team_id", "user_id") if name in query}
        if shown == MEMBER:
            wanted["user_id"] = "member"
        rows = [row for row in self.keys.values() if all(row[name] == each for name, each in wanted.items())]
        rows.sort(key=lambda row: (row["created_at"], row["token"]), reverse=True)
        size, page = int(query.get("size", "10")), int(query.get("page", "1"))
        chosen = rows[(page - 1) * size : page * size]
        counts = {"total_count": len(rows), "current_page": page, "total_pages": -(-len(rows) // size)}
        full = query.get("return_full_object") == "true"
        return Reply(200, {"keys": chosen if full else [row["token"] for row in chosen], **counts})

    def _info(self, token: str) -> Reply:
        if token in self.keys:
            return Reply(200, {"key": token, "info": {**self.keys[token], "status": "active"}})
        if token in self.archive:
            return Reply(200, {"key": token, "info": {"status": "deleted"}})
        return error(404, "Key not found in database", "not_found_error")

    def _delete(self, tokens: list[str]) -> Reply:
        found = [token for token in tokens if token in self.keys]
        if not found:
            return error(404, "{'error': 'No keys found'}", "not_found_error")
        for token in found:
            self._keep(token)
            self.archive.add(token)
            del self.keys[token]
        return Reply(200, {"deleted_keys": tokens})

    def _block(self, token: str, *, blocked: bool) -> Reply:
        if not re.fullmatch("[0-9a-fA-F]{64}", token):
            return error(400, "Invalid key format.", "bad_request_error")
        if token not in self.keys:
            return error(404, "Key not found.", "not_found_error")
        if blocked and not self.keys[token]["blocked"]:
            self._keep(token)
        self.keys[token] = {**self.keys[token], "blocked": blocked}
        return Reply(200, self.keys[token])
