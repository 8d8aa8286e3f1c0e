"""The stand-in as tests hold it: which request is which call, and what is done then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tests.servers.kubernetes import discovery, managers, protobuf
from tests.servers.kubernetes.access import Access
from tests.servers.kubernetes.authority import Authority
from tests.servers.kubernetes.objects import (
    NAMESPACES,
    RESOURCES,
    SECRETS,
    Call,
    Object,
    Refusal,
    Resource,
    bad_request,
)
from tests.servers.kubernetes.patches import BY_TYPE
from tests.servers.kubernetes.storage import Hook, Storage

_PATH = re.compile(r"/(?:api|apis/([^/]+))/([^/]+)(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?")
_NAMESPACE_PATH = re.compile(r"/api/v1/namespaces(?:/([^/]+))?")
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes
    certificate: str | None

    @property
    def path(self) -> str:
        """Without its query."""
        return urlsplit(self.target).path.rstrip("/")

    @property
    def query(self) -> dict[str, str]:
        """Each once."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def type(self) -> str:
        """Of the body."""
        return self.headers.get("content-type", "").partition(";")[0]

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass
class KubernetesServer:
    """A running stand-in. `requests` is everything that was asked about objects."""

    address: str
    plain_address: str
    authority: Authority
    access: Access = field(default_factory=Access)
    storage: Storage = field(default_factory=Storage)
    requests: list[Sent] = field(default_factory=list, repr=False)

    @property
    def admin(self) -> str:
        """A token that may do everything."""
        return self.access.admin_token

    def secret(self, namespace: str, name: str) -> Object | None:
        """A Secret as it is kept, past all access."""
        return self.object(SECRETS, namespace, name)

    def object(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """An object as it is kept, past all access."""
        return self.storage.find(self._call("get", resource, namespace, name))

    def put_secret(self, namespace: str, name: str, **members: Any) -> Object:
        """Make or replace a Secret as some other tool would; `stringData`, `type`, `immutable`, `metadata`, …"""
        return self.put(SECRETS, namespace, name, **members)

    def put(self, resource: Resource, namespace: str, name: str, **members: Any) -> Object:
        """Make or replace an object as some other tool would."""
        call = self._call("update", resource, namespace, name)
        given = {"metadata": {"name": name}, **members}
        if self.storage.find(call) is None:
            return self.storage.create(call, given)
        return self.storage.change(call, lambda before: {**before, **members})

    def make_namespace(self, name: str) -> None:
        """Make a namespace, if it is not there."""
        call = Call(verb="create", resource=NAMESPACES, namespace="", name=name, user="test")
        with suppress(Refusal):
            self.storage.create(call, {"metadata": {"name": name}})

    @contextmanager
    def hook(self, hook: Hook) -> Iterator[None]:
        """Let every request be seen, and perhaps refused, by a hook."""
        self.storage.hooks.append(hook)
        try:
            yield
        finally:
            self.storage.hooks.remove(hook)

    @staticmethod
    def _call(verb: str, resource: Resource, namespace: str, name: str) -> Call:
        query = {"fieldManager": "somebody"}
        return Call(verb=verb, resource=resource, namespace=namespace, name=name, user="test", query=query)

    def answer(self, sent: Sent) -> tuple[int, Object]:
        """Do what was asked. Raises `Fault`."""
        found = discovery.answer(sent.path) if sent.method == "GET" else None
        if found is not None:
            return 200, found
        self.requests.append(sent)
        user = self.access.user_of(sent.headers.get("authorization", ""), sent.certificate)
        call = _call_of(sent, user)
        self.access.check(call)
        act: Callable[[Call, Sent], tuple[int, Object]] = getattr(self, f"_{call.verb}")
        return act(call, sent)

    def _get(self, call: Call, _: Sent) -> tuple[int, Object]:
        self._seen(call)
        return 200, self.storage.get(call)

    def _list(self, call: Call, sent: Sent) -> tuple[int, Object]:
        self._seen(call)
        found = self.storage.listed(call)
        if "as=PartialObjectMetadataList" in sent.headers.get("accept", "").partition(",")[0]:
            version = {"apiVersion": "meta.k8s.io/v1"}
            items = [
                {**version, "kind": "PartialObjectMetadata", "metadata": each["metadata"]} for each in found["items"]
            ]
            found |= {**version, "kind": "PartialObjectMetadataList", "items": items}
        return 200, found

    def _seen(self, call: Call) -> None:
        for hook in self.storage.hooks:
            hook(call, None)

    def _create(self, call: Call, sent: Sent) -> tuple[int, Object]:
        given = _object(sent)
        name = given["metadata"].get("name")
        if not name or given["metadata"].get("namespace", call.namespace) != call.namespace:
            raise bad_request("the name or namespace of the provided object does not match the request")
        return 201, self.storage.create(replace(call, name=name), given)

    def _update(self, call: Call, sent: Sent) -> tuple[int, Object]:
        given = _object(sent)
        return 200, self.storage.change(call, lambda _: given, put=True)

    def _patch(self, call: Call, sent: Sent) -> tuple[int, Object]:
        if sent.type == _APPLY:
            return self._apply(call, sent)
        patch = BY_TYPE.get(sent.type)
        if patch is None or (call.resource.custom and "strategic" in sent.type):
            message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(
                BY_TYPE
            )
            raise Refusal(415, "UnsupportedMediaType", message)
        given = _json(sent)
        return 200, self.storage.change(call, lambda before: patch(before, given))

    def _apply(self, call: Call, sent: Sent) -> tuple[int, Object]:
        manager, wanted = call.query.get("fieldManager"), yaml.safe_load(sent.content)
        if not manager:
            raise bad_request("fieldManager is required for apply patch")
        force = call.query.get("force") == "true"
        applied = replace(call, query={**call.query, "applied": "true"})

        def change(before: Object | None) -> Object:
            return managers.apply(call.resource, before, wanted, manager, force=force)

        if self.storage.find(call) is None:
            self.access.check(replace(call, verb="create"))
            return 201, self.storage.create(applied, change(None))
        return 200, self.storage.change(applied, change)

    def _delete(self, call: Call, sent: Sent) -> tuple[int, Object]:
        options = _json(sent) if sent.content and "protobuf" not in sent.type else {}
        return 200, self.storage.delete(call, options.get("preconditions") or {})


def _call_of(sent: Sent, user: str) -> Call:
    of_namespaces, found = _NAMESPACE_PATH.fullmatch(sent.path), _PATH.fullmatch(sent.path)
    if of_namespaces is not None:
        group, version, namespace, plural, name = "", "v1", "", "namespaces", of_namespaces[1]
    elif found is not None:
        group, version, namespace, plural, name = found.groups()
    else:
        raise _nowhere()
    for resource in RESOURCES:
        if (resource.group, resource.version, resource.plural) == (group or "", version, plural):
            verb = _verb(sent, name)
            return Call(
                verb=verb,
                resource=resource,
                namespace=namespace or "",
                name=unquote(name or ""),
                user=user,
                query=sent.query,
            )
    raise _nowhere()


def _verb(sent: Sent, name: str | None) -> str:
    by_method = {"PUT": "update", "PATCH": "patch", "DELETE": "delete"} if name else {"POST": "create"}
    verb = {"GET": "get" if name else "list", **by_method}.get(sent.method)
    if verb is None or sent.query.get("watch") in ("1", "true"):
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    return verb


def _nowhere() -> Refusal:
    return Refusal(404, "NotFound", "the server could not find the requested resource")


def _object(sent: Sent) -> Object:
    if "protobuf" in sent.type:
        return protobuf.read(sent.content)
    found = _json(sent)
    if isinstance(found, dict) and isinstance(found.get("metadata"), dict):
        return found
    raise bad_request("the object provided is unrecognized")


def _json(sent: Sent) -> Any:
    try:
        return json.loads(sent.content)
    except ValueError:
        raise bad_request("the body is no JSON") from None
