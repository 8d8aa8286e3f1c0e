"""One Kubernetes API server as this process talks to it, over one pool of connections.

Nothing is sent twice but a request whose token was refused while there is another one by now. No redirect is followed
and no variable of the environment is heeded: both could send the token elsewhere.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.kubernetes.access import Auth, Server
from rotator.adapters.clients.kubernetes.answers import Answer, Need, answer_of, failure_of
from rotator.adapters.clients.kubernetes.tls import context_for
from rotator.domain.failures import Transient

MANAGER = "rotator"
"""Our field manager, and the domain of our labels and annotations."""
MERGE_PATCH = "application/merge-patch+json"
CONNECTIONS = 64
"""As many as the engine has threads."""
MOST_BYTES = 16 * 1024 * 1024
"""Of an answer: a page of a list has 500 entries, each with up to 256 KiB of annotations, ours a few hundred bytes."""
CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request about objects, and what it needs a role to grant."""

    need: Need
    method: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    sends: str = "application/json"
    accepts: str = "application/json"

    @property
    def target(self) -> str:
        """The path and query; names were checked to be names, which need no quoting."""
        resource = self.need.resource
        path = f"{resource.root}/namespaces/{self.need.namespace}/{resource.plural}"
        path += f"/{self.need.name}" if self.need.name else ""
        return path + (f"?{urlencode(self.query)}" if self.query else "")


class KubernetesClient:
    """Safe for many threads. urllib3 is imported with the first call."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._pool: Any = None

    def ask(self, request: Request, deadline: Deadline) -> Answer:
        """Send one request and return its answer: a success, or that there is no such object.

        Raises Transient, Denied (naming what is needed), Conflict and Permanent for every other one.
        """
        server = self._auth.server()
        token = self._auth.token()
        answer = self._send(server, token, request, deadline)
        if answer.status == 401 and answer.of_kubernetes:
            another = self._auth.token(anew=True)
            if another is not None and another != token:
                answer = self._send(self._auth.server(), another, request, deadline)
        if answer.ok or answer.misses(request.need):
            return answer
        if answer.status == 401 and answer.of_kubernetes:
            raise self._auth.refused(request.need, server.address)
        raise failure_of(answer, request.need, server.address)

    def _send(self, server: Server, token: str | None, request: Request, deadline: Deadline) -> Answer:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        where = f"kubernetes at {server.address}"
        headers = {"Accept": request.accepts, "User-Agent": "rotator"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if request.body is not None:
            headers["Content-Type"] = request.sends
        try:
            response = self._pool_of(server).urlopen(
                request.method,
                urlsplit(server.address).path + request.target,
                body=json.dumps(request.body).encode() if request.body is not None else None,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=Timeout(total=deadline.remaining(where)),
                preload_content=False,
                decode_content=False,
            )
            content = _content(response, deadline, where)
            return answer_of(response.status, content, _retry_after(response))
        except (HTTPError, OSError) as error:
            failure = _lost(error, where)
        # Outside of the handler, because those errors may hold half an answer, or the request with the token.
        raise failure

    def _pool_of(self, server: Server) -> Any:
        """The connections to this server; others than before where it, its authority or our certificate changed."""
        with self._lock:
            if self._pool is None or self._server != server:
                self._pool = _pool(server)
                self._server = server
            return self._pool

    def __repr__(self) -> str:
        return f"KubernetesClient({self._auth!r})"


def _pool(server: Server) -> Any:
    from rotator.exchanges import Pool, TlsPool

    parts = urlsplit(server.address)
    assert parts.hostname is not None
    if parts.scheme == "http":
        return Pool(parts.hostname, parts.port, maxsize=CONNECTIONS)
    return TlsPool(
        parts.hostname,
        parts.port or 443,
        maxsize=CONNECTIONS,
        ssl_context=context_for(server),
        server_hostname=server.name,  # the context checks it
    )


def _content(response: Any, deadline: Deadline, where: str) -> bytes:
    """The whole body; reading it to its end gives the connection back."""
    content = bytearray()
    try:
        while chunk := response.read1(CHUNK, decode_content=False):
            content += chunk
            if len(content) > MOST_BYTES:
                raise Transient(f"{where} answered more than {MOST_BYTES} bytes", "look at what is in between")
            deadline.remaining(where)
    except BaseException:
        response.close()  # what is left of the answer must not meet the connection's next user
        raise
    return bytes(content)


def _lost(error: Exception, where: str) -> Transient:
    from urllib3 import exceptions

    if isinstance(error, exceptions.NameResolutionError):
        return Transient(f"{where} has no address", "check the name of the API server")
    if isinstance(error, (exceptions.NewConnectionError, exceptions.ConnectTimeoutError)):
        return Transient(f"{where} cannot be reached", "see that it runs, and that the address is right")
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return Transient(f"{where} did not answer in time", "look at its load; it is tried again")
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in (error, *error.args)):
        hint = "name the file of its certificate authority"
        return Transient(f"{where} has a certificate that is not trusted", hint)
    return Transient(f"{where} broke the connection", "see that it runs, and what is in between")


def _retry_after(response: Any) -> timedelta | None:
    text = str(response.headers.get("Retry-After", ""))
    return timedelta(seconds=int(text)) if text.isdecimal() and len(text) < 6 else None
