"""REST and gRPC on sockets of loopback, over one service."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import grpc
from google.cloud import secretmanager_v1 as api
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import rest_base
from google.protobuf import empty_pb2, json_format

from tests.servers.api import Listener
from tests.servers.secret_manager.iam import PERMISSIONS
from tests.servers.secret_manager.service import LostError, RefusedError, SecretManager

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
STATUS = {
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "FAILED_PRECONDITION": 400,
    "INTERNAL": 500,
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "UNAUTHENTICATED": 401,
    "UNAVAILABLE": 503,
}


def _message(answer: Any) -> Any:
    """The protobuf message in one of proto-plus."""
    return answer if isinstance(answer, empty_pb2.Empty) else type(answer).pb(answer)


@contextmanager
def serve_grpc(service: SecretManager) -> Iterator[str]:
    """Serve until the end of the context; gives the address. An answer that is lost is UNAVAILABLE here."""

    def handler(method: str) -> Any:
        kind = getattr(api, f"{method}Request")

        def handle(request: Any, context: Any) -> Any:
            metadata = dict(context.invocation_metadata())
            try:
                return service.call(method, request, metadata.get("authorization", ""))
            except RefusedError as refused:
                context.abort(getattr(grpc.StatusCode, refused.code), refused.text)
            except LostError:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=kind.deserialize, response_serializer=lambda a: _message(a).SerializeToString()
        )

    with futures.ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool)
        handlers = {method: handler(method) for method in PERMISSIONS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a method's HTTP annotations."""

    verb: str
    path: re.Pattern[str]
    method: str
    fields: tuple[str, ...]
    body: str | None


def _routes() -> Iterator[Route]:
    base = rest_base._BaseSecretManagerServiceRestTransport
    for method in PERMISSIONS:
        for option in getattr(base, f"_Base{method}")._get_http_options():
            path, fields = "", []
            for literal, name, template in re.findall(r"([^{]*)(?:\{([\w.]+)=([^}]*)\})?", option["uri"]):
                path += re.escape(literal)
                if name:
                    fields.append(name)
                    path += f"({template.replace('*', '[^/:]+')})"
            yield Route(option["method"].upper(), re.compile(path), method, tuple(fields), option.get("body"))


ROUTES = tuple(_routes())


def _parsed(route: Route, parts: tuple[str, ...], query: str, content: bytes) -> Any:
    request = getattr(api, f"{route.method}Request")()
    message = _message(request)
    if route.body:
        given = json.loads(content or b"{}")
        json_format.ParseDict(given if route.body == "*" else {route.body: given}, message)
    asked = {name: texts[0] for name, texts in parse_qs(query).items() if not name.startswith("$")}
    json_format.ParseDict(asked, message)
    for name, text in zip(route.fields, parts, strict=True):
        target = message
        *path, leaf = name.split(".")
        for each in path:
            target = getattr(target, each)
        setattr(target, leaf, text)
    return request


def _answer(service: SecretManager, verb: str, path: str, content: bytes, authorization: str) -> Any:
    url = urlsplit(path)
    for route in ROUTES:
        match = route.path.fullmatch(unquote(url.path)) if route.verb == verb else None
        if match:
            request = _parsed(route, match.groups(), url.query, content)
            return service.call(route.method, request, authorization)
    raise RefusedError("NOT_FOUND", f"no route {verb} {url.path}")


def _handler(service: SecretManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one segment for an answer, else it waits 40 ms for an acknowledgement

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                given = self.headers.get("Authorization", "")
                answer = _answer(service, self.command, self.path, content, given)
            except RefusedError as refused:
                code = STATUS[refused.code]
                error = {"code": code, "message": refused.text, "status": refused.code}
                self.reply(code, json.dumps({"error": error}))
            except LostError:
                self.close_connection = True
            else:
                self.reply(200, json_format.MessageToJson(_message(answer)))

        def reply(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    return Handler


@contextmanager
def serve_rest(service: SecretManager) -> Iterator[str]:
    """Serve until the end of the context; gives the address."""
    server = Listener(("127.0.0.1", 0), _handler(service))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
