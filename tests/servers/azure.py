"""What stands in for Azure: Entra's token endpoint, the resource manager, and an account's data plane, at one address.

Made from Microsoft's pages of Cognitive Services (Accounts: List Keys, Regenerate Key), Resources (Tags) and
Authorization (Permissions: List For Resource). It cannot show: how long a replaced key lives on, that management and
data plane are different hosts, conditional access, locks, networks, and what Azure does when two regenerate at once.
"""

from __future__ import annotations

import secrets
from typing import Any

from tests.servers.api import Asked, Reply
from tests.servers.ordering import Ordering

NAME = "Azure"
TENANT, CLIENT, SECRET = "contoso.example", "00000000-aaaa", "client~secret.0123456789"
SUBSCRIPTION, GROUP, ACCOUNT = "00000000-0000-0000-0000-000000000000", "ml", "contoso"
SCOPE = ("subscriptions", SUBSCRIPTION, "resourceGroups", GROUP, "providers", "Microsoft.CognitiveServices", "accounts")


class AzureServer(Ordering):
    """One account with two keys and its tags; one service principal that may do `allowed`."""

    def __init__(self) -> None:
        self.values = {"key1": secrets.token_hex(16), "key2": secrets.token_hex(16)}
        self.tags: dict[str, str] = {"team": "ml"}
        self.allowed: list[str] = ["*"]
        self.tokens: list[str] = []
        self.local_auth = True
        super().__init__()

    @property
    def regenerated(self) -> int:
        """How many requests to regenerate a key arrived."""
        return sum(line.endswith("/regenerateKey") for line in self.lines())

    def serve(self, asked: Asked) -> Reply:
        """Whatever of the three is asked."""
        if asked.path == (TENANT, "oauth2", "v2.0", "token"):
            return self._login(asked.body)
        if asked.path == ("openai", "models"):
            return self._models(asked.headers.get("api-key", ""))
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if asked.path[: len(SCOPE) + 1] != (*SCOPE, ACCOUNT):
            return _error(404, "ResourceNotFound", "The Resource was not found.")
        return self._manage(asked, asked.path[len(SCOPE) + 1 :])

    def _login(self, form: dict[str, str]) -> Reply:
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        if not wanted.items() <= form.items() or not form["scope"].endswith("/.default"):
            return Reply(401, {"error": "invalid_client", "error_description": f"wrong: {form.get('client_secret')}"})
        token = f"token-{secrets.token_hex(12)}"
        self.tokens.append(token)
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _models(self, key: str) -> Reply:
        if not self.local_auth:
            return _error(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.")
        if key not in self.values.values():
            return _error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        return Reply(200, {"object": "list", "data": []})

    def _manage(self, asked: Asked, below: tuple[str, ...]) -> Reply:
        if below == ("providers", "Microsoft.Authorization", "permissions"):
            return Reply(200, {"value": [{"actions": self.allowed, "notActions": []}]})
        done = {
            ("POST", ("listKeys",)): ("Microsoft.CognitiveServices/accounts/listKeys/action", self._list),
            ("POST", ("regenerateKey",)): (
                "Microsoft.CognitiveServices/accounts/regenerateKey/action",
                self._regenerate,
            ),
            ("GET", _TAGS): ("Microsoft.Resources/tags/read", self._tags),
            ("PATCH", _TAGS): ("Microsoft.Resources/tags/write", self._merge),
        }
        if (asked.method, below) not in done or "api-version" not in asked.query:
            return _error(400, "InvalidRequest", "The request is invalid.")
        action, act = done[asked.method, below]
        if not {"*", action} & set(self.allowed):
            return _error(403, "AuthorizationFailed", f"The client does not have authorization to perform '{action}'.")
        return act(asked.body)

    def _list(self, _: Any) -> Reply:
        if not self.local_auth:
            return _error(400, "BadRequest", "Failed to list key. disableLocalAuth is set to be true")
        return Reply(200, self.values)

    def _regenerate(self, body: Any) -> Reply:
        self.values[body["keyName"].lower()] = secrets.token_hex(16)
        return Reply(200, self.values)

    def _tags(self, _: Any) -> Reply:
        return Reply(200, {"properties": {"tags": self.tags}})

    def _merge(self, body: Any) -> Reply:
        assert body["operation"] == "Merge"
        self.tags |= body["properties"]["tags"]
        return self._tags(None)


_TAGS = ("providers", "Microsoft.Resources", "tags", "default")


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})
