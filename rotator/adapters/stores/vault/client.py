"""One Vault or OpenBao as this process talks to it: one pool of connections and one token.

Nothing is sent twice but a call that was refused with a token that was not fresh. No redirect is followed and no
variable of the environment is heeded: both could send the token elsewhere.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.adapters.stores.deadline import Deadline
from rotator.adapters.stores.vault.answers import Answer, Need, denied, failure_of
from rotator.adapters.stores.vault.auth import Auth, Token
from rotator.domain.failures import Failure, Permanent, Transient

CONNECTIONS = 64
"""As many as the engine has threads."""

Send = Callable[[Any], Any]
"""Uses an adapter of hvac for one request and returns its response."""


class VaultClient:
    """Safe for many threads. hvac is imported with the first call."""

    def __init__(self, address: str, namespace: str | None, ca: Path | None, auth: Auth) -> None:
        self.address = address
        self._namespace = namespace
        self._ca = ca
        self._auth = auth
        self._token = Token(auth)
        self._lock = threading.Lock()
        self._session: Any = None

    def ask(self, need: Need, deadline: Deadline, send: Send) -> Answer:
        """Send one request and return its answer, which may be a 404.

        Raises Transient, Denied (naming `need`), Conflict and Permanent for every other answer that is not a success.
        """

        def login(mount: str, role_id: str, secret_id: str) -> Answer:
            return self._login(deadline, mount, role_id, secret_id)

        token, fresh = self._token.get(login, self.address)
        answer = self._send(token, deadline, send)
        if answer.status == 403 and answer.errors is not None and not fresh:
            another = self._token.another(token, login, self.address)
            if another is not None:
                token = another
                answer = self._send(token, deadline, send)
        if answer.of_vault:
            return answer
        if answer.status == 403 and answer.errors is not None:
            raise self._why_denied(token, deadline, need)
        raise failure_of(answer, need, self.address)

    def _why_denied(self, token: str, deadline: Deadline, need: Need) -> Failure:
        """A token that may not even look at itself is no valid one: every policy `default` allows that."""
        try:
            answer = self._send(token, deadline, lambda adapter: adapter.get("/v1/auth/token/lookup-self"))
        except Transient:
            return denied(need, self.address)
        return self._auth.refused(need, self.address) if answer.status == 403 else denied(need, self.address)

    def _login(self, deadline: Deadline, mount: str, role_id: str, secret_id: str) -> Answer:
        def send(adapter: Any) -> Any:
            from hvac.api.auth_methods import AppRole

            return AppRole(adapter).login(role_id, secret_id, use_token=False, mount_point=mount)

        return self._send("", deadline, send)

    def _send(self, token: str, deadline: Deadline, send: Send) -> Answer:
        from requests import exceptions

        adapter = self._adapter(token, deadline)
        failure: Failure
        try:
            response = send(adapter)
            return Answer(response.status_code, response.content, _retry_after(response))
        except exceptions.SSLError:
            hint = "set `ca` to the file of its certificate authority"
            failure = Transient(f"vault at {self.address} has a certificate that is not trusted", hint)
        except exceptions.ConnectTimeout:
            failure = self._unreachable("does not answer")
        except exceptions.Timeout:
            failure = Transient(
                f"vault at {self.address} did not answer in time", "look at its load; it is tried again"
            )
        except (exceptions.ConnectionError, exceptions.ChunkedEncodingError):
            failure = self._unreachable("cannot be reached, or broke the connection")
        except (exceptions.RequestException, OSError, ValueError) as error:
            failure = Transient(
                f"the request to vault at {self.address} failed ({type(error).__name__})", "look at `address`"
            )
        # Outside of the handler, because those errors carry the request with the token and the values.
        raise failure

    def _unreachable(self, what: str) -> Transient:
        return Transient(f"vault at {self.address} {what}", f"see that it runs, and that {self.address} is right")

    def _adapter(self, token: str, deadline: Deadline) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(self._ca)
        from hvac.adapters import RawAdapter
        from urllib3 import Timeout

        return RawAdapter(
            base_uri=self.address,
            token=token,
            timeout=Timeout(total=deadline.remaining(f"vault at {self.address}")),
            allow_redirects=False,
            session=self._session,
            namespace=self._namespace,
            ignore_exceptions=True,  # answers are judged by `failure_of`, in one place
        )

    def __repr__(self) -> str:
        return f"VaultClient({self.address!r})"


def _retry_after(response: Any) -> timedelta | None:
    text = str(response.headers.get("Retry-After", ""))
    return timedelta(seconds=int(text)) if text.isdecimal() and len(text) < 6 else None


def _session(ca: Path | None) -> Any:
    """A session with one TLS context for all connections: to read the authorities takes 40 ms each time."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise Permanent(f"{ca} holds no certificate that can be read", "set `ca` to a file in PEM form") from None
    import requests
    from requests.adapters import HTTPAdapter

    class Connections(HTTPAdapter):
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
