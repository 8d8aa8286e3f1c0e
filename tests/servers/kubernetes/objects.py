"""Which resources there are, what a request is, and how a refusal looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row of discovery. `custom`: defined by somebody, so that there is no strategic merge of it."""

    group: str
    version: str
    plural: str
    kind: str
    short: str
    namespaced: bool = True
    custom: bool = False

    @property
    def api_version(self) -> str:
        """As objects have it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As messages have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret", short="")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", short="ns", namespaced=False)
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment", short="deploy")
STATEFUL_SETS = Resource(group="apps", version="v1", plural="statefulsets", kind="StatefulSet", short="sts")
DAEMON_SETS = Resource(group="apps", version="v1", plural="daemonsets", kind="DaemonSet", short="ds")
EXTERNAL_SECRETS = Resource(
    group="external-secrets.io", version="v1", plural="externalsecrets", kind="ExternalSecret", short="es", custom=True
)
RESOURCES = (SECRETS, NAMESPACES, DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, EXTERNAL_SECRETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request about objects, as authorization and admission see it."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    user: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Resource, str, str]:
        """Where the object is kept."""
        return self.resource, self.namespace, self.name

    @property
    def dry(self) -> bool:
        """Whether nothing is to be kept."""
        return self.query.get("dryRun") == "All"


class Fault(Exception):
    """Answer exactly this, whatever was asked."""

    def __init__(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.content = content
        self.headers = {"Content-Type": "text/html", **(headers or {})}


class Refusal(Fault):
    """A Status that says no."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": dict(details or {}),
            "code": status,
        }
        super().__init__(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})
        self.message = message


def about(resource: Resource, name: str) -> dict[str, str]:
    """The details of a refusal."""
    return {"name": name, "group": resource.group, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> Refusal:
    """There is no such object."""
    return Refusal(404, "NotFound", f'{resource.full_name} "{name}" not found', about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> Refusal:
    """It is not what the request expects."""
    message = f'Operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
    return Refusal(409, "Conflict", message, about(resource, name))


def invalid(resource: Resource, name: str, where: str, why: str) -> Refusal:
    """An object that may not be as it is."""
    causes = [{"reason": "FieldValueInvalid", "message": why, "field": where}]
    message = f'{resource.kind} "{name}" is invalid: {where}: {why}'
    return Refusal(422, "Invalid", message, {**about(resource, name), "causes": causes})


def bad_request(why: str) -> Refusal:
    """A request that makes no sense."""
    return Refusal(400, "BadRequest", why)
