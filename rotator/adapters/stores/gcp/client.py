"""Secret Manager as this process talks to it: one transport of the SDK and one token.

The SDK's transports are used without its client: the client reads GOOGLE_API_USE_CLIENT_CERTIFICATE (and then runs a
program), GOOGLE_API_USE_MTLS_ENDPOINT and GOOGLE_CLOUD_UNIVERSE_DOMAIN, and wraps calls in retries
(google-cloud-secret-manager 2.32.0). Nothing is sent twice but a call that was refused with a token that was not fresh.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp.answers import UNAUTHENTICATED, Need, Refusal, failure_of
from rotator.adapters.stores.gcp.auth import Auth
from rotator.adapters.stores.gcp.rest import Ask, RefusedError, asking, lost, new_session
from rotator.domain.failures import Denied, Transient

PERMISSIONS: Mapping[str, str] = {
    "access_secret_version": "secretmanager.versions.access",
    "add_secret_version": "secretmanager.versions.add",
    "create_secret": "secretmanager.secrets.create",
    "delete_secret": "secretmanager.secrets.delete",
    "destroy_secret_version": "secretmanager.versions.destroy",
    "disable_secret_version": "secretmanager.versions.disable",
    "get_secret": "secretmanager.secrets.get",
    "get_secret_version": "secretmanager.versions.get",
    "list_secret_versions": "secretmanager.versions.list",
    "list_secrets": "secretmanager.secrets.list",
    "update_secret": "secretmanager.secrets.update",
}
"""What each method needs (https://docs.cloud.google.com/secret-manager/docs/access-control)."""

EARLY = 60.0
"""Seconds before its end from which a token is not used any more."""

SDK = "google.cloud.secretmanager_v1.services.secret_manager_service"


class GcpClient:
    """Safe for many threads. The SDK is imported with `load`, which the store calls before time runs."""

    def __init__(self, endpoint: str, transport: str, auth: Auth) -> None:
        """`transport`: rest or grpc."""
        self.endpoint = endpoint
        self._kind = transport
        self._auth = auth
        self._token = _Token(auth)
        self._lock = threading.Lock()
        self._session: Any = None
        self._transport: Any = None
        self._types: Any = None

    def load(self) -> None:
        """Import the SDK and make its transport. Twice: nothing."""
        with self._lock:
            if self._transport is None:
                from google.cloud import secretmanager_v1

                _silence()
                self._session = new_session()
                self._types = secretmanager_v1
                self._transport = _rest(self.endpoint, self._session) if self._kind == "rest" else _grpc(self.endpoint)

    def ask(self, method: str, request: Mapping[str, Any], deadline: Deadline) -> Any:
        """Send one request and return its result. Raises what `ask_expecting` does."""
        return self.ask_expecting((), method, request, deadline)

    def ask_expecting(
        self, expected: Collection[str], method: str, request: Mapping[str, Any], deadline: Deadline
    ) -> Any | Refusal:
        """Send one request; its result, or the refusal where its code is expected.

        Raises Transient, Denied (naming the permission), Conflict and Permanent for every other refusal.
        """
        need = Need(PERMISSIONS[method], _resource(request))
        ask = asking(self._session, deadline)
        token, fresh = self._token.get(ask)
        answer = self._send(method, request, token, deadline)
        if _unauthenticated(answer) and not fresh:
            another = self._token.another(token, ask)
            answer = self._send(method, request, another, deadline) if another else answer
        if _unauthenticated(answer):
            raise self._auth.refused(need, self.endpoint)
        if isinstance(answer, Refusal):
            failure = failure_of(answer, need, self.endpoint)
            # Trouble with the key is not what a method expects of the state of a version.
            if answer.code not in expected or isinstance(failure, Denied):
                raise failure
        return answer

    def _send(self, method: str, request: Mapping[str, Any], token: str, deadline: Deadline) -> Any | Refusal:
        kind = "".join(part.capitalize() for part in method.split("_"))
        message = getattr(self._types, f"{kind}Request")(request)
        timeout = deadline.remaining(f"secret manager at {self.endpoint}")
        metadata = (("authorization", f"Bearer {token}"),)
        stub = getattr(self._transport, method)
        if self._kind == "grpc":
            return self._send_grpc(stub, message, timeout, metadata)
        return self._send_rest(stub, message, timeout, metadata)

    def _send_rest(self, stub: Any, message: Any, timeout: float, metadata: Any) -> Any | Refusal:
        from google.protobuf.json_format import ParseError

        try:
            return stub(message, timeout=timeout, metadata=metadata)
        except RefusedError as refused:
            return refused.refusal
        except ParseError:
            return Refusal("HTTP 200")
        except (OSError, ValueError) as error:
            failure = lost(error, f"secret manager at {self.endpoint}")
        raise failure  # out here, because those errors carry the request with the token and the value

    def _send_grpc(self, stub: Any, message: Any, timeout: float, metadata: Any) -> Any | Refusal:
        import grpc

        try:
            return stub(message, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            code, text = error.code().name, error.details() or ""
        if code == "DEADLINE_EXCEEDED":
            raise Transient(f"secret manager at {self.endpoint} did not answer in time", "it is tried again")
        return Refusal(code, text)

    def __repr__(self) -> str:
        return f"GcpClient({self.endpoint!r})"


class _Token:
    """The token in use, shared by all threads: only one of them fetches."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._text: str | None = None
        self._until = float("inf")

    def get(self, ask: Ask) -> tuple[str, bool]:
        """The token, and whether it was fetched just now."""
        with self._lock:
            if self._text is not None and time.monotonic() < self._until:
                return self._text, False
            return self._fetch(ask), True

    def another(self, than: str, ask: Ask) -> str | None:
        """Another token than the one that was refused; None when there is no other."""
        with self._lock:
            text = self._fetch(ask) if self._text in (None, than) else self._text
            return text if text != than else None

    def _fetch(self, ask: Ask) -> str:
        self._text = None
        grant = self._auth.fetch(ask)
        lifetime = float("inf") if grant.lifetime is None else max(grant.lifetime - EARLY, grant.lifetime / 2)
        self._text, self._until = grant.token, time.monotonic() + lifetime
        return grant.token

    def __repr__(self) -> str:
        return "Token()"


def _unauthenticated(answer: Any) -> bool:
    return isinstance(answer, Refusal) and answer.code == UNAUTHENTICATED


def _resource(request: Mapping[str, Any]) -> str:
    return str(request.get("name") or request.get("parent") or request["secret"]["name"])


def _silence() -> None:
    """At DEBUG the SDK logs whole requests with values and token; GOOGLE_SDK_PYTHON_LOGGING_SCOPE asks it to."""
    for name in ("transports.rest", "transports.grpc", "client"):
        logging.getLogger(f"{SDK}.{name}").setLevel(logging.WARNING)


def _rest(endpoint: str, session: Any) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    made = SecretManagerServiceRestTransport(host=endpoint, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    made._session = session  # its own heeds proxies and .netrc of the environment and follows redirects with the value
    return made


def _grpc(endpoint: str) -> Any:
    import certifi
    import grpc
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    options = (("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0))
    parts = urlsplit(endpoint)
    if parts.scheme == "http":
        channel = grpc.insecure_channel(parts.netloc, options)
    else:
        # Else GRPC_DEFAULT_SSL_ROOTS_FILE_PATH says whom to trust.
        trusted = grpc.ssl_channel_credentials(Path(certifi.where()).read_bytes())
        channel = grpc.secure_channel(parts.netloc if parts.port else f"{parts.netloc}:443", trusted, options)
    return SecretManagerServiceGrpcTransport(channel=channel)
