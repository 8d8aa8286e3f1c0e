"""The sockets of the stand-in: one with TLS, one without, and both with the same objects behind them."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tests.servers.kubernetes import discovery, managers, protobuf
from tests.servers.kubernetes.access import Access
from tests.servers.kubernetes.authority import Authority
from tests.servers.kubernetes.objects import NAMESPACES, RESOURCES, SECRETS, Call, Fault, Object, Refusal, bad_request
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
        return self.storage.find(self._call("get", namespace, name))

    def put_secret(self, namespace: str, name: str, **members: Any) -> Object:
        """Make or replace a Secret as some other tool would; `stringData`, `type`, `immutable`, `metadata`, …"""
        call = self._call("update", namespace, name)
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
    def _call(verb: str, namespace: str, name: str) -> Call:
        query = {"fieldManager": "somebody"}
        return Call(verb=verb, resource=SECRETS, namespace=namespace, name=name, user="test", query=query)

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


# -- sockets -----------------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: in two the second waits for an acknowledgement that is late
    timeout = 30
    kubernetes: KubernetesServer

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): text for name, text in self.headers.items()}
        sent = Sent(
            method=self.command, target=self.path, headers=headers, content=content, certificate=self._certificate()
        )
        try:
            status, found = self.kubernetes.answer(sent)
            self._reply(status, json.dumps(found).encode(), {"Content-Type": "application/json"})
        except Fault as fault:
            self._reply(fault.status, fault.content, fault.headers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def _certificate(self) -> str | None:
        """The name in the client's certificate, which the handshake has verified."""
        if not isinstance(self.connection, ssl.SSLSocket):
            return None
        names: Any = (self.connection.getpeercert() or {}).get("subject", ())
        return next((str(text) for each in names for key, text in each if key == "commonName"), None)

    def _reply(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *args: object) -> None:
        """A client that goes away is no event."""


@contextmanager
def running(folder: Path, *, host: str = "127.0.0.1") -> Iterator[KubernetesServer]:
    """A stand-in with the namespace `default`; gone afterwards.

    `folder` takes its certificates, `host` is who they say it is.
    """
    authority = Authority(folder)
    secure, plain = (_Listener(("127.0.0.1", 0), _Handler) for _ in range(2))
    # In the thread of the connection, so that a client that says nothing holds nobody up.
    secure.socket = authority.context(host).wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    server = KubernetesServer(
        address=f"https://127.0.0.1:{secure.server_port}",
        plain_address=f"http://127.0.0.1:{plain.server_port}",
        authority=authority,
    )
    server.make_namespace("default")
    threads = []
    for listener in (secure, plain):
        listener.RequestHandlerClass = type("Handler", (_Handler,), {"kubernetes": server})
        threads.append(threading.Thread(target=listener.serve_forever, args=(0.01,)))
        threads[-1].start()
    try:
        yield server
    finally:
        for listener in (secure, plain):
            listener.shutdown()
            listener.server_close()
        for thread in threads:
            thread.join()
