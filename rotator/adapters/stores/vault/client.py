"""One Vault or OpenBao as this process talks to it: one pool of connections and one token.

Nothing is sent twice but a call that was refused with a token that was not fresh. No redirect is followed and no
variable of the environment is heeded: both could send the token elsewhere.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rotator.adapters.clients.content import whole_answers
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.vault.answers import Answer, Need, denied, failure_of
from rotator.adapters.stores.vault.auth import Auth
from rotator.adapters.stores.vault.indexes import HEADER, Indexes
from rotator.adapters.stores.vault.lease import Channel, Send, look_up
from rotator.adapters.stores.vault.token import Token
from rotator.domain.failures import Failure, Permanent, Transient

CONNECTIONS = 64
"""As many as the engine has threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to send requests. `auth_namespace`: where tokens are made, if that is another one; empty: the root."""

    address: str
    namespace: str | None = None
    auth_namespace: str | None = None
    ca: Path | None = None

    @property
    def named(self) -> str:
        """As messages name it."""
        return f"vault at {self.address}" + (f", namespace {self.namespace}," if self.namespace else "")


class VaultClient:
    """Safe for many threads. hvac is imported with the first call."""

    def __init__(self, server: Server, auth: Auth) -> None:
        self._server = server
        self._auth = auth
        self._token = Token(auth)
        self._indexes = Indexes()
        self._lock = threading.Lock()
        self._session: Any = None

    @property
    def where(self) -> str:
        """The server, as messages name it."""
        return self._server.named

    def ask(self, need: Need, deadline: Deadline, send: Send, about: str = "") -> Answer:
        """Send one request and return its answer, which may be a 404.

        `about`: the reference that it is about, whose earlier writes a standby must know. Raises Transient, Denied
        (naming `need`), Conflict and Permanent for every other answer that is not a success.
        """
        channel = self._channel(deadline)
        token, fresh = self._token.get(channel)
        answer = self._send(token, deadline, send, about)
        if answer.status == 403 and answer.errors is not None and not fresh:
            another = self._token.instead_of(token, channel)
            if another is None:
                raise self._auth.refused(need, self.where)
            if another == token:
                raise denied(need, self.where)
            token, answer = another, self._send(another, deadline, send, about)
        if answer.of_vault:
            self._indexes.learn(about, answer.index, written=need.capability not in ("read", "list"))
            return answer
        if answer.status == 403 and answer.errors is not None:
            raise self._why_denied(token, channel, need)
        raise failure_of(answer, need, self.where)

    def own_token(self, deadline: Deadline) -> Mapping[str, Any] | None:
        """What Vault tells of a token that only a person can replace; None where it tells nothing, or none must."""
        if not self._auth.replaced_by_hand:
            return None
        channel = self._channel(deadline)
        return look_up(self._token.get(channel)[0], channel)

    def _why_denied(self, token: str, channel: Channel, need: Need) -> Failure:
        """A token that may not even look at itself is no valid one: every policy `default` allows that."""
        if look_up(token, channel) is None:
            return self._auth.refused(need, self.where)
        return denied(need, self.where)

    def _channel(self, deadline: Deadline) -> Channel:
        def send(token: str, act: Send) -> Answer:
            return self._send(token, deadline, act, namespace=self._server.auth_namespace)

        return Channel(self.where, send, lambda: deadline.remaining(self.where))

    def _send(
        self, token: str, deadline: Deadline, send: Send, about: str = "", namespace: str | None = None
    ) -> Answer:
        from requests import exceptions

        namespace = self._server.namespace if namespace is None else namespace
        adapter = self._adapter(token, deadline, namespace, self._indexes.headers(about))
        failure: Failure
        try:
            response = send(adapter)
            return _answer(response)
        except exceptions.SSLError:
            hint = "set `ca` to the file of its certificate authority"
            failure = Transient(f"{self.where} has a certificate that is not trusted", hint)
        except exceptions.ConnectTimeout:
            failure = self._unreachable("does not answer")
        except exceptions.Timeout:
            failure = Transient(f"{self.where} did not answer in time", "look at its load; it is tried again")
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
            failure = self._unreachable("cannot be reached, or broke the connection")
        except (exceptions.RequestException, OSError, ValueError) as error:
            failure = Transient(f"the request to {self.where} failed ({type(error).__name__})", "look at `address`")
        # Outside of the handler, because those errors carry the request with the token and the values.
        raise failure

    def _unreachable(self, what: str) -> Transient:
        return Transient(f"{self.where} {what}", f"see that it runs, and that {self._server.address} is right")

    def _adapter(self, token: str, deadline: Deadline, namespace: str | None, headers: Mapping[str, str]) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(self._server.ca)
        from urllib3 import Timeout

        return _adapter_class()(
            headers,
            base_uri=self._server.address,
            token=token,
            timeout=Timeout(total=deadline.remaining(self.where)),
            allow_redirects=False,
            session=self._session,
            namespace=namespace,
            ignore_exceptions=True,  # answers are judged by `failure_of`, in one place
        )

    def __repr__(self) -> str:
        return f"VaultClient({self._server.address!r})"


def _answer(response: Any) -> Answer:
    headers = response.headers
    text = str(headers.get("Retry-After", ""))
    retry_after = timedelta(seconds=int(text)) if text.isdecimal() and len(text) < 6 else None
    origin = urlsplit(str(headers.get("Location", "")))
    location = f"{origin.scheme}://{origin.netloc}" if origin.netloc else ""
    return Answer(response.status_code, response.content, retry_after, str(headers.get(HEADER, "")), location)


@cache
def _adapter_class() -> Any:
    from hvac.adapters import RawAdapter

    class Adapter(RawAdapter):  # type: ignore[misc] # hvac has no types
        """hvac's, which sends some headers more."""

        def __init__(self, headers: Mapping[str, str], **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self._headers = headers

        def request(self, method: str, url: str, headers: Any = None, **kwargs: Any) -> Any:
            return super().request(method, url, headers={**(headers or {}), **self._headers}, **kwargs)

    return Adapter


def _session(ca: Path | None) -> Any:
    """A session with one TLS context for all connections: to read the authorities takes 40 ms each time."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise Permanent(f"{ca} holds no certificate that can be read", "set `ca` to a file in PEM form") from None
    import requests

    class Connections(whole_answers()):  # type: ignore[misc] # a class that is made when requests is imported
        """Verifies by the context alone."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

        def build_connection_pool_key_attributes(self, request: Any, *_: Any, **__: Any) -> Any:
            host, _settings = super().build_connection_pool_key_attributes(request, True)
            return host, {}

        def cert_verify(self, *args: Any, **kwargs: Any) -> None:
            pass

    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, Connections(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0))
    return session
