"""What stands in for Google: its tokens, API Keys v2, rights of a project, and Gemini's list of models, at one address.

Made from Google's pages of API Keys v2 and of OAuth for service accounts. It cannot show: how long a deleted key lives
on, which numbers a quota has and how its refusal looks, that the four are different hosts, and what Google does with a
deletion that is sent twice (here: 400, FAILED_PRECONDITION).
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.servers.api import Asked, Reply
from tests.servers.ordering import Ordering

NAME = "Google Cloud API Keys"
PROJECT, EMAIL = "my-project", "rotator@my-project.iam.gserviceaccount.com"
KEYS = ("v2", "projects", PROJECT, "locations", "global", "keys")


class GoogleServer(Ordering):
    """One project with its keys; an operation is done after so many `polls`, and fails with `error`."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(65537, 2048)
        self.keys: dict[str, dict[str, Any]] = {}
        self.values: dict[str, str] = {}
        self.tokens: list[str] = []
        self.operations: dict[str, int] = {}
        self.polls, self.page = 1, 300
        self.error: dict[str, Any] = {}
        self.lacking: set[str] = set()
        super().__init__()

    @property
    def service_account(self) -> str:
        """Its JSON key, whose `token_uri` leads elsewhere."""
        pem = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        given = {"client_email": EMAIL, "private_key_id": "k1", "private_key": pem.decode()}
        return json.dumps({"type": "service_account", "token_uri": "https://thief.example.com/token", **given})

    def serve(self, asked: Asked) -> Reply:
        """Whatever of the four is asked."""
        if asked.path == ("token",):
            return self._token(asked.body)
        if asked.path == ("v1beta", "models"):
            return self._models(asked.headers.get("x-goog-api-key", ""))
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if asked.path == ("v3", "projects", f"{PROJECT}:testIamPermissions"):
            return Reply(200, {"permissions": [e for e in asked.body["permissions"] if e not in self.lacking]})
        if asked.path == ("v2", "keys:lookupKey"):
            return self._lookup(asked.query["keyString"])
        if asked.path[:2] == ("v2", "operations"):
            return self._operation(asked.path[2])
        if asked.path[: len(KEYS)] == KEYS:
            return self._of_keys(asked, asked.path[len(KEYS) :])
        return _error(404, "NOT_FOUND", "Not found.")

    def _token(self, form: dict[str, str]) -> Reply:
        said, _, signature = form.get("assertion", "").rpartition(".")
        try:
            self.private.public_key().verify(_bytes(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_bytes(said.partition(".")[2]))
        except (InvalidSignature, ValueError):
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if claims["iss"] != EMAIL or claims["aud"] != f"{self.url}/token" or claims["exp"] - claims["iat"] > 3600:
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT."})
        self.tokens.append(f"ya29.{secrets.token_hex(12)}")
        return Reply(200, {"access_token": self.tokens[-1], "expires_in": 3599, "token_type": "Bearer"})

    def _models(self, value: str) -> Reply:
        key = self.keys.get(self.values.get(value, ""))
        if key is None or "deleteTime" in key:
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
            details.append({"@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": f"Invalid API key: {value}"})
            return _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", details)
        if {"service": "generativelanguage.googleapis.com"} not in key["restrictions"]["apiTargets"]:
            return _error(
                403, "PERMISSION_DENIED", "Requests to this API are blocked.", [{"reason": "API_KEY_SERVICE_BLOCKED"}]
            )
        return Reply(200, {"models": []})

    def _lookup(self, value: str) -> Reply:
        key_id = self.values.get(value)
        if key_id is None:
            return _error(404, "NOT_FOUND", f"API key {value} not found.")
        return Reply(200, {"parent": "projects/123/locations/global", "name": self.keys[key_id]["name"]})

    def _operation(self, name: str) -> Reply:
        left = self.operations[name] = self.operations[name] - 1
        ended = {"error": self.error} if self.error else {"response": {}}
        return Reply(200, {"name": f"operations/{name}", **({"done": True, **ended} if left <= 0 else {})})

    def _begun(self) -> Reply:
        name = f"akmf.{secrets.token_hex(8)}"
        self.operations[name] = self.polls
        return Reply(200, {"name": f"operations/{name}"})

    def _of_keys(self, asked: Asked, below: tuple[str, ...]) -> Reply:
        if not below:
            return self._create(asked) if asked.method == "POST" else self._list(asked.query)
        key = self.keys.get(below[0])
        if key is None:
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        if below[1:] == ("keyString",):
            return Reply(200, {"keyString": next(value for value, owner in self.values.items() if owner == below[0])})
        if asked.method == "GET":
            return Reply(200, key)
        if "deleteTime" in key:
            return _error(400, "FAILED_PRECONDITION", "The key is deleted.")
        key["deleteTime"] = "2026-11-25T10:00:00Z"
        return self._begun()

    def _create(self, asked: Asked) -> Reply:
        key_id = asked.query["keyId"]
        if key_id in self.keys:
            return _error(409, "ALREADY_EXISTS", "Requested entity already exists.")
        if not self.error:
            self.seed(key_id, asked.body)
        return self._begun()

    def seed(self, key_id: str, body: dict[str, Any]) -> str:
        """A key, and its value."""
        value = f"AIza{secrets.token_urlsafe(26)}"
        name = f"projects/123/locations/global/keys/{key_id}"
        self.keys[key_id] = {"name": name, "createTime": "2026-11-25T10:00:00.123456Z", **body}
        self.values[value] = key_id
        return value

    def _list(self, query: Any) -> Reply:
        rows = [key for key in self.keys.values() if "deleteTime" not in key]
        start, size = int(query.get("pageToken") or 0), min(int(query["pageSize"]), self.page)
        more = {"nextPageToken": str(start + size)} if start + size < len(rows) else {}
        return Reply(200, {"keys": rows[start : start + size], **more})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _error(status: int, word: str, message: str, details: list[dict[str, str]] | None = None) -> Reply:
    return Reply(status, {"error": {"code": status, "message": message, "status": word, "details": details or []}})
