"""Stands in for GitLab's API as far as CI/CD variables go, held to https://docs.gitlab.com/api/project_level_variables/.

Where it differs from GitLab: it has no roles but "may" and "may not"; a scope is compared as text; what can be masked
is 8 characters or longer without blanks, and GitLab may refuse more; groups have scopes as projects have, which GitLab
has in its paid tiers alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.servers.api import Asked, Reply, StandIn

NAME = "GitLab API"
TOKEN = "glpat-" + "t" * 20
UNAUTHORIZED = Reply(401, {"message": "401 Unauthorized"})
FORBIDDEN = Reply(403, {"message": "403 Forbidden"})
Key = tuple[str, str, str]
"""Owner, name and scope of a variable."""


class GitlabStandIn(StandIn):
    """`variables` by owner (`projects/acme/api`), name and scope."""

    def __init__(self) -> None:
        self.tokens = {TOKEN}
        self.owners = {"projects/acme/api", "groups/acme"}
        self.variables: dict[Key, dict[str, Any]] = {}
        super().__init__()

    def read_by_a_job(self, owner: str, name: str, scope: str = "*") -> str | None:
        """What a job of an environment finds."""
        found = self.variables.get((owner, name, scope))
        return None if found is None else str(found["value"])

    def set_by_hand(self, owner: str, name: str, text: str, scope: str = "*", **more: Any) -> None:
        """Somebody writes it on the site."""
        fresh = {"key": name, "masked": False, "hidden": False, "protected": False, "raw": False, "description": None}
        before = self.variables.get((owner, name, scope), {**fresh, "environment_scope": scope})
        self.variables[(owner, name, scope)] = {**before, "value": text, **more}

    def answer(self, asked: Asked) -> Reply:
        """As GitLab does."""
        if asked.headers.get("private-token") not in self.tokens:
            return UNAUTHORIZED
        kind, path, what, *name = asked.path[2:]
        owner = f"{kind}/{path}"
        if owner not in self.owners or what != "variables":
            return Reply(404, {"message": "404 Project Not Found"})
        if not name:
            return self._create(owner, asked.body) if asked.method == "POST" else Reply(200, self._listed(owner))
        key = (owner, name[0], asked.query.get("filter[environment_scope]", "*"))
        if key not in self.variables:
            return Reply(404, {"message": "404 Variable Not Found"})
        match asked.method:
            case "GET":
                return Reply(200, self._shown(key))
            case "PUT":
                return self._update(key, asked.body)
            case "DELETE":
                del self.variables[key]
                return Reply(204)
        return Reply(405, {"error": "405 Not Allowed"})

    def _create(self, owner: str, body: Mapping[str, Any]) -> Reply:
        key = (owner, body["key"], body.get("environment_scope", "*"))
        if key in self.variables:
            return Reply(400, {"message": {"key": ["(%s) has already been taken"]}})
        hidden = bool(body.get("masked_and_hidden"))
        made = {name: text for name, text in body.items() if name != "masked_and_hidden"}
        variable = {"description": None, "protected": False, "raw": False, "masked": False, **made, "hidden": hidden}
        return self._saved(key, variable | ({"masked": True} if hidden else {}), 201)

    def _update(self, key: Key, body: Mapping[str, Any]) -> Reply:
        if self.variables[key]["hidden"] and "masked" in body:
            what = "The visibility setting cannot be changed for masked and hidden variables."
            return Reply(400, {"message": {"base": [what]}})
        return self._saved(key, {**self.variables[key], **body}, 200)

    def _saved(self, key: Key, variable: dict[str, Any], status: int) -> Reply:
        value = str(variable["value"])
        if variable["masked"] and not re.fullmatch(r"\S{8,}", value):
            return Reply(400, {"message": {"value": ["is invalid"]}})
        if len(value) > 10_000 or len(variable["description"] or "") > 255:
            return Reply(400, {"message": {"value": ["is too long"]}})
        self.variables[key] = variable
        return Reply(status, self._shown(key))

    def _shown(self, key: Key) -> dict[str, Any]:
        variable = self.variables[key]
        return {**variable, "value": None if variable["hidden"] else variable["value"]}

    def _listed(self, owner: str) -> list[dict[str, Any]]:
        return [self._shown(key) for key in self.variables if key[0] == owner]
