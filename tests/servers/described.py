"""Stand in for the two APIs that docs/drivers.md describes for the `rest` store, as far as variables go.

CircleCI as in https://circleci.com/docs/api/v2/#tag/Context, Vercel as in
https://vercel.com/docs/rest-api/projects/create-one-or-more-environment-variables. Where they differ: each write has a
millisecond of its own; pages are of two entries; Vercel's knows one target list and no teams.
"""

from __future__ import annotations

from typing import Any

from tests.servers.api import Asked, Reply, StandIn

CIRCLECI, VERCEL = "CircleCI API", "Vercel API"
TOKEN = "token-of-the-api-0123456789"
PAGE = 2


class VariablesStandIn(StandIn):
    """Variables by owner and name. What a fill-in there is besides `API_KEY` makes the list long."""

    header: str
    shape: str
    owners: frozenset[str]

    def __init__(self) -> None:
        self.variables: dict[tuple[str, str], dict[str, Any]] = {}
        for owner in self.owners:
            for number in range(3):
                self.variables[(owner, f"OTHER_{number}")] = {"value": "other", "at": 0.0, "id": f"id-{owner}-{number}"}
        super().__init__()

    def read_by_a_job(self, owner: str, name: str) -> str | None:
        """What consumers find."""
        found = self.variables.get((owner, name))
        return None if found is None else str(found["value"])

    def set_by_hand(self, owner: str, name: str, text: str) -> None:
        """Somebody writes it on the site, or we do."""
        self.advance(0.001)
        known = self.variables.get((owner, name), {"id": f"id-{len(self.variables)}-{name}"})
        self.variables[(owner, name)] = {**known, "value": text, "at": self.now.timestamp()}

    def answer(self, asked: Asked) -> Reply:
        """As the API does, to who may ask."""
        if asked.headers.get(self.header) != self.shape.replace("{token}", TOKEN):
            return Reply(401, {"message": "You must log in first."})
        return self.respond(asked)

    def respond(self, asked: Asked) -> Reply:
        """A subclass's."""
        raise NotImplementedError

    def listed(self, owner: str) -> list[tuple[str, dict[str, Any]]]:
        """Name and variable of all that an owner has."""
        return [(name, each) for (whose, name), each in sorted(self.variables.items()) if whose == owner]


class CircleCiStandIn(VariablesStandIn):
    """Contexts."""

    header, shape = "circle-token", "{token}"
    owners = frozenset({"f3d9f0a2-context"})

    def respond(self, asked: Asked) -> Reply:
        _, context, what, *name = asked.path
        if context not in self.owners or what != "environment-variable":
            return Reply(404, {"message": "Context not found."})
        if not name:
            start = int(asked.query.get("page-token") or 0)
            items = [self._shown(context, each, known) for each, known in self.listed(context)]
            more = str(start + PAGE) if start + PAGE < len(items) else None
            return Reply(200, {"items": items[start : start + PAGE], "next_page_token": more})
        if asked.method == "PUT":
            self.set_by_hand(context, name[0], asked.body["value"])
            return Reply(200, self._shown(context, name[0], self.variables[(context, name[0])]))
        if self.variables.pop((context, name[0]), None) is None:
            return Reply(404, {"message": "Environment variable not found."})
        return Reply(200, {"message": "Environment variable deleted."})

    @staticmethod
    def _shown(context: str, name: str, known: dict[str, Any]) -> dict[str, Any]:
        at = f"2026-11-25T{known['at']:.3f}Z"
        return {"variable": name, "created_at": at, "updated_at": at, "context_id": context}


class VercelStandIn(VariablesStandIn):
    """Projects."""

    header, shape = "authorization", "Bearer {token}"
    owners = frozenset({"web"})

    def respond(self, asked: Asked) -> Reply:
        _, _, project, what, *found = asked.path
        if project not in self.owners or what != "env":
            return Reply(404, {"error": {"code": "not_found", "message": "Project not found."}})
        if asked.method == "GET":
            return Reply(200, {"envs": [self._shown(name, known) for name, known in self.listed(project)]})
        if asked.method == "POST":
            name = asked.body["key"]
            if (project, name) in self.variables and asked.query.get("upsert") != "true":
                return Reply(403, {"error": {"code": "ENV_CONFLICT"}})
            self.set_by_hand(project, name, asked.body["value"])
            return Reply(201, {"created": self._shown(name, self.variables[(project, name)]), "failed": []})
        for key, known in list(self.variables.items()):
            if [known["id"]] == found:
                del self.variables[key]
                return Reply(200, {})
        return Reply(404, {"error": {"code": "not_found", "message": "Not found."}})

    @staticmethod
    def _shown(name: str, known: dict[str, Any]) -> dict[str, Any]:
        return {"id": known["id"], "key": name, "type": "sensitive", "updatedAt": round(known["at"] * 1000)}
