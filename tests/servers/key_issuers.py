"""Stand in for the five APIs whose descriptions ship, each from its vendor's documentation, as far as keys go.

ElevenLabs (https://elevenlabs.io/docs/api-reference/service-accounts/api-keys/create), Fireworks
(https://docs.fireworks.ai/api-reference/create-api-key), Grafana
(https://grafana.com/docs/grafana/latest/developers/http_api/serviceaccount/), SendGrid
(https://www.twilio.com/docs/sendgrid/api-reference/api-keys/create-api-keys), xAI
(https://docs.x.ai/developers/management-api). What they cannot show: how long anything takes to get about, rate limits,
and that the words of an error are the vendor's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.servers.api import Asked, Reply, StandIn

ADMIN = "admin-of-the-api-0123456789"
OWNER = "owner-1"
NO_SUCH = Reply(404, {"error": "not found"})


@dataclass
class Issued:
    """A key as an API keeps it."""

    id: str
    secret: str
    name: str
    made: float
    scopes: list[str] = field(default_factory=list)
    disabled: bool = False
    used: float | None = None


class Issuer(StandIn):
    """Keys of one owner by id."""

    prefix = "key_"
    page = 2

    def __init__(self) -> None:
        self.issued: dict[str, Issued] = {}
        self.ever = 0
        super().__init__()

    def issue(self, name: str, scopes: Any = ()) -> Issued:
        """A new key."""
        self.advance(1)
        self.ever += 1
        made = Issued(str(self.ever), f"{self.prefix}{secrets.token_hex(20)}", name, self.now.timestamp(), list(scopes))
        self.issued[made.id] = made
        return made

    def holder(self, secret: str | None) -> Issued | None:
        """The key with this value, which is used now."""
        found = next((each for each in self.issued.values() if each.secret == secret), None)
        if found is not None:
            found.used = self.now.timestamp()
        return found

    def at(self, seconds: float | None) -> str | None:
        """An instant as most APIs write it."""
        if seconds is None:
            return None
        return self.now.fromtimestamp(seconds, self.now.tzinfo).isoformat().replace("+00:00", "Z")

    def paged(self, asked: Asked, parameter: str) -> tuple[list[Issued], str]:
        """One page, and the token of the next."""
        start = int(asked.query.get(parameter) or 0)
        every = list(self.issued.values())
        after = start + self.page
        return every[start:after], str(after) if after < len(every) else ""


def bearer(asked: Asked) -> str | None:
    """The token of a request."""
    kind, _, token = asked.headers.get("authorization", "").partition(" ")
    return token if kind == "Bearer" else None


class ElevenLabsStandIn(Issuer):
    """Service accounts; refuses permissions that are missing."""

    prefix = "sk_"

    def answer(self, asked: Asked) -> Reply:
        token = asked.headers.get("xi-api-key")
        if asked.line == "GET /v1/user":
            key = self.holder(token)
            if key is None or key.disabled:
                return self._refused("invalid_api_key")
            return self._refused("missing_permissions") if key.scopes == ["none"] else Reply(200, {"user_id": OWNER})
        if token != ADMIN:
            return self._refused("invalid_api_key")
        if asked.path[:4] != ("v1", "service-accounts", OWNER, "api-keys"):
            return NO_SUCH
        return self._keys(asked, asked.path[4] if len(asked.path) > 4 else None)

    @staticmethod
    def _refused(code: str) -> Reply:
        return Reply(401, {"detail": {"status": code, "message": code.replace("_", " ")}})

    def _keys(self, asked: Asked, key_id: str | None) -> Reply:
        if asked.method == "POST":
            if not asked.body.get("permissions"):
                return Reply(422, {"detail": [{"loc": ["body", "permissions"], "msg": "field required"}]})
            made = self.issue(asked.body["name"], asked.body["permissions"])
            return Reply(200, {"xi-api-key": made.secret, "key_id": made.id})
        if key_id is None:
            return Reply(200, {"api-keys": [self._shown(each) for each in self.issued.values()]})
        if key_id not in self.issued:
            return Reply(404, {"detail": {"status": "not_found"}})
        if asked.method == "PATCH":
            self.issued[key_id].disabled = not asked.body["is_enabled"]
        else:
            del self.issued[key_id]
        return Reply(200, {"status": "ok"})

    @staticmethod
    def _shown(key: Issued) -> dict[str, Any]:
        return {
            "name": key.name,
            "hint": key.secret[-4:],
            "key_id": key.id,
            "service_account_user_id": OWNER,
            "created_at_unix": int(key.made),
            "is_disabled": key.disabled,
            "permissions": key.scopes,
            "character_count": 0,
        }


class FireworksStandIn(Issuer):
    """Users of an account."""

    prefix = "fw_"

    def answer(self, asked: Asked) -> Reply:
        if asked.path[:2] == ("inference", "v1"):
            return Reply(200, {"data": []}) if self.holder(bearer(asked)) else Reply(401, {"error": "unauthorized"})
        if bearer(asked) != ADMIN:
            return Reply(401, {"code": 16, "message": "unauthenticated"})
        match asked.method, asked.path[3:]:
            case "POST", ("users", "u1", "apiKeys"):
                return Reply(200, {**self._shown(made := self.issue(self._name(asked))), "key": made.secret})
            case "GET", ("users", "u1", "apiKeys"):
                rows, after = self.paged(asked, "pageToken")
                return Reply(200, {"apiKeys": [self._shown(each) for each in rows], "nextPageToken": after})
            case "POST", ("users", "u1", "apiKeys:delete"):
                return Reply(200, {}) if self.issued.pop(asked.body["keyId"], None) else NO_SUCH
        return NO_SUCH

    @staticmethod
    def _name(asked: Asked) -> str:
        return str(asked.body["apiKey"].get("displayName", "default"))

    def _shown(self, key: Issued) -> dict[str, Any]:
        return {"keyId": key.id, "displayName": key.name, "prefix": key.secret[:6], "createTime": self.at(key.made)}


class GrafanaStandIn(Issuer):
    """Tokens of a service account; ids are numbers, and a list is no object."""

    prefix = "glsa_"

    def answer(self, asked: Asked) -> Reply:
        if asked.line == "GET /api/org":
            key = self.holder(bearer(asked))
            return Reply(200, {"id": 1}) if key else Reply(401, {"message": "Invalid API key"})
        if bearer(asked) != ADMIN:
            return Reply(401, {"message": "Invalid API key"})
        if asked.path[:4] != ("api", "serviceaccounts", "7", "tokens"):
            return NO_SUCH
        if asked.method == "POST":
            if any(each.name == asked.body["name"] for each in self.issued.values()):
                return Reply(409, {"message": "service account token with given name already exists"})
            made = self.issue(asked.body["name"])
            return Reply(200, {"id": int(made.id), "name": made.name, "key": made.secret})
        if asked.method == "GET":
            return Reply(200, [self._shown(each) for each in self.issued.values()])
        if self.issued.pop(asked.path[4], None) is None:
            return Reply(404, {"message": "Service account token not found"})
        return Reply(200, {"message": "Service account token deleted"})

    def _shown(self, key: Issued) -> dict[str, Any]:
        return {
            "id": int(key.id),
            "name": key.name,
            "created": self.at(key.made),
            "lastUsedAt": self.at(key.used),
            "expiration": None,
            "secondsUntilExpiration": 0,
            "hasExpired": False,
            "isRevoked": False,
        }


class SendGridStandIn(Issuer):
    """An account with room for a few keys; what it lists is little."""

    prefix = "SG."
    room = 100

    def answer(self, asked: Asked) -> Reply:
        if asked.line == "GET /v3/scopes":
            key = self.holder(bearer(asked))
            return Reply(200, {"scopes": key.scopes}) if key else self._refused(401, "authorization required")
        if bearer(asked) != ADMIN:
            return self._refused(401, "authorization required")
        if asked.line == "POST /v3/api_keys":
            if len(self.issued) >= self.room:
                return self._refused(403, "Cannot create more than 100 API Keys")
            made = self.issue(asked.body["name"], asked.body.get("scopes", ["everything"]))
            shown = {"api_key": made.secret, "api_key_id": made.id, "name": made.name, "scopes": made.scopes}
            return Reply(201, shown)
        if asked.line == "GET /v3/api_keys":
            return Reply(200, {"result": [{"name": k.name, "api_key_id": k.id} for k in self.issued.values()]})
        if asked.method == "DELETE" and asked.path[2] in self.issued:
            del self.issued[asked.path[2]]
            return Reply(204)
        return self._refused(404, "unable to find API Key")

    @staticmethod
    def _refused(status: int, message: str) -> Reply:
        return Reply(status, {"errors": [{"field": None, "message": message}]})


class XaiStandIn(Issuer):
    """Keys of a team. It is both hosts of the vendor in one."""

    prefix = "xai-"

    def answer(self, asked: Asked) -> Reply:
        if asked.line == "GET /v1/api-key":
            key = self.holder(bearer(asked))
            if key is None:
                return Reply(400, {"code": "invalid-argument", "error": "Incorrect API key provided"})
            return Reply(200, {"api_key_id": key.id, "api_key_disabled": key.disabled, "acls": key.scopes})
        if bearer(asked) != ADMIN:
            return Reply(401, {"code": 16, "message": "unauthenticated"})
        match asked.method, asked.path:
            case "POST", ("auth", "teams", "owner-1", "api-keys"):
                made = self.issue(asked.body["name"], asked.body.get("acls", []))
                return Reply(200, {**self._shown(made), "apiKey": made.secret})
            case "GET", ("auth", "teams", "owner-1", "api-keys"):
                rows, after = self.paged(asked, "paginationToken")
                return Reply(200, {"apiKeys": [self._shown(each) for each in rows], "paginationToken": after or None})
            case method, ("auth", "api-keys", key_id) if key_id in self.issued:
                if method == "PUT":
                    self.issued[key_id].disabled = asked.body["apiKey"]["disabled"]
                else:
                    del self.issued[key_id]
                return Reply(200, {})
        return NO_SUCH

    def _shown(self, key: Issued) -> dict[str, Any]:
        return {
            "apiKeyId": key.id,
            "name": key.name,
            "redactedApiKey": f"xai-...{key.secret[-4:]}",
            "createTime": self.at(key.made),
            "disabled": key.disabled,
            "acls": key.scopes,
        }
