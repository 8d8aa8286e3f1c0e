"""Stands in for GitHub's API as far as secrets go, held to https://docs.github.com/en/rest/actions/secrets.

It opens the sealed box with the private key and so knows what a workflow would read. Where it differs from GitHub: it
has no quota but what a test says; one key pair serves everything; what exists is `scopes`; names are case-sensitive;
`updated_at` is by a clock that stands still until it is moved, so that two writes in one second are
the rule and not the exception; it does not check how an organisation's visibility fits its plan.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from tests.servers.api import Asked, Reply, StandIn

NAME = "GitHub API"
TOKEN = "ghp_" + "t" * 36
BAD_CREDENTIALS = Reply(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
NOT_FOUND = Reply(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
FORBIDDEN = Reply(403, {"message": "Resource not accessible by personal access token"})
INSTALLATION = "77"
CLIENT = "Iv23liSTANDIN"


class GithubStandIn(StandIn):
    """`secrets` by scope (the path before `/secrets`) and name."""

    def __init__(self) -> None:
        self._key = PrivateKey.generate()
        self.key_id = "568250167242549743"
        self.app_key: RSAPrivateKey | None = None
        self.tokens: dict[str, datetime | None] = {TOKEN: None}
        self.scopes = {"repos/acme/api/actions", "repos/acme/api/environments/production", "orgs/acme/actions"}
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.selected: dict[str, list[int]] = {}
        self.issued: list[str] = []
        self.tick = 0.0  # seconds that pass before each write
        super().__init__()

    # -- for tests -------------------------------------------------------------------------------------------------

    def app(self) -> str:
        """Let an App be installed; its private key as PEM."""
        self.app_key = generate_private_key(65537, 2048)
        return self.app_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def opened(self, scope: str, name: str) -> str | None:
        """What a workflow reads."""
        found = self.secrets.get((scope, name))
        return None if found is None else str(found["value"])

    def set_by_hand(self, scope: str, name: str, text: str) -> None:
        """Somebody writes it on the site, some time later."""
        self.advance(2)
        self._store(scope, name, text, {})

    # -- the API ---------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        """As GitHub does."""
        if asked.path[:2] == ("app", "installations"):
            return self._installation_token(asked)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or (self.tokens[token] or self.now) < self.now:
            return BAD_CREDENTIALS
        path = "/".join(asked.path)
        scope, _, rest = path.partition("/secrets/")
        if scope not in self.scopes or not rest:
            return NOT_FOUND
        if rest == "public-key":
            return Reply(200, {"key_id": self.key_id, "key": b64encode(bytes(self._key.public_key)).decode()})
        name, _, more = rest.partition("/")
        if more == "repositories":
            return self._repositories(scope, name, asked)
        match asked.method:
            case "GET":
                found = self.secrets.get((scope, name))
                return NOT_FOUND if found is None else Reply(200, {k: v for k, v in found.items() if k != "value"})
            case "PUT":
                return self._put(scope, name, asked.body)
            case "DELETE":
                return NOT_FOUND if self.secrets.pop((scope, name), None) is None else Reply(204)
        return Reply(405, {"message": "Method Not Allowed"})

    def _put(self, scope: str, name: str, body: Mapping[str, Any]) -> Reply:
        if name.upper().startswith("GITHUB_") or body.get("key_id") != self.key_id:
            return Reply(422, {"message": "Validation Failed"})
        shared = scope.startswith("orgs/")
        if shared and body.get("visibility") not in ("all", "private", "selected"):
            return Reply(422, {"message": 'Invalid request.\n\n"visibility" wasn\'t supplied.'})
        try:
            text = SealedBox(self._key).decrypt(b64decode(body["encrypted_value"])).decode()
        except (CryptoError, ValueError, KeyError):
            return Reply(422, {"message": "Bad request - unable to decrypt"})
        if len(text.encode()) > 48 * 1024:
            return Reply(422, {"message": "Secret value is too large"})
        if shared and body["visibility"] == "selected":
            self.selected[name] = list(body.get("selected_repository_ids", ()))
        made = (scope, name) not in self.secrets
        self._store(scope, name, text, {"visibility": body["visibility"]} if shared else {})
        return Reply(201, {}) if made else Reply(204)

    def _store(self, scope: str, name: str, text: str, more: Mapping[str, str]) -> None:
        self.advance(self.tick)
        now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        before = self.secrets.get((scope, name), {"created_at": now})
        self.secrets[(scope, name)] = {**before, "name": name, "updated_at": now, **more, "value": text}

    def _repositories(self, scope: str, name: str, asked: Asked) -> Reply:
        ids = self.selected.get(name, [])
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        shown = ids[(page - 1) * size : page * size]
        return Reply(200, {"total_count": len(ids), "repositories": [{"id": each} for each in shown]})

    def _installation_token(self, asked: Asked) -> Reply:
        if not self._is_app(asked.headers.get("authorization", "").removeprefix("Bearer ")):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        if asked.path[2:] != (INSTALLATION, "access_tokens") or asked.method != "POST":
            return NOT_FOUND
        token, ends = f"ghs_{len(self.issued):036}", self.now + timedelta(hours=1)
        self.issued.append(token)
        self.tokens[token] = ends
        return Reply(201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": {}})

    def _is_app(self, jwt: str) -> bool:
        """Signed by the App's key, for ten minutes at most, and not in the future."""
        head, _, signature = jwt.rpartition(".")
        if self.app_key is None or head.count(".") != 1:
            return False
        try:
            self.app_key.public_key().verify(_decoded(signature), head.encode(), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        kind, claims = (json.loads(_decoded(each)) for each in head.split("."))
        now = self.now.timestamp()
        timely = claims["iat"] <= now <= claims["exp"] <= claims["iat"] + 600
        return bool(kind["alg"] == "RS256" and claims["iss"] == CLIENT and timely)


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
