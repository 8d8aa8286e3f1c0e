"""Who we are to GitHub: a token, or a GitHub App whose installation gives tokens of an hour.

    auth: {method: token, token: file:/run/secrets/github}
    auth: {method: app, client_id: Iv23li…, installation: "123", private_key: file:/run/secrets/github-app.pem}

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
and, for the exchange, https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.adapters.stores.http import Api, Headers, Need, segments
from rotator.adapters.stores.tokens import TokenAt
from rotator.domain.failures import Denied, Transient
from rotator.domain.settings import Settings
from rotator.domain.times import UnreadableError, parse_time

SKEW = 60
"""Seconds that our clock may be ahead of GitHub's."""
JWT_LASTS = 540
"""Seconds; GitHub takes no more than ten minutes."""
RENEWED = timedelta(minutes=5)
"""Before a token's end."""
VERSION = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def auth_from(settings: Settings, base_url: str, resolve: Resolve) -> Headers:
    """What the table `auth` says. No request yet. Raises `SettingsError`."""
    auth = settings.table("auth", ("method", "token", "client_id", "installation", "private_key"))
    if auth.choice("method", ("token", "app")) == "token":
        auth.only("method", "token")
        token = TokenAt(auth.reference("token"), resolve)
        return lambda refused, _: bearer(token.get(anew=refused))
    auth.only("method", "client_id", "installation", "private_key")
    app = AppAuth(base_url, auth.text("client_id"), auth.text("installation"), auth.reference("private_key"), resolve)
    return lambda refused, deadline: bearer(app.token(deadline, anew=refused))


def bearer(token: str) -> dict[str, str]:
    """The headers of a request."""
    return {**VERSION, "Authorization": f"Bearer {token}"}


class AppAuth:
    """The tokens of one installation of a GitHub App. Safe for many threads: one of them fetches."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        installation: str,
        private_key: str,
        resolve: Resolve,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url
        self._client_id = client_id
        self._installation = installation
        self._private_key = private_key
        self._resolve = resolve
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def token(self, deadline: Deadline, *, anew: bool = False) -> str:
        """The installation's token; another one before it ends, or with `anew`. Raises `Denied` and `Transient`."""
        with self._lock:
            if anew or self._clock() > self._until - RENEWED.total_seconds():
                self._token, self._until = self._fetch(deadline)
            return self._token

    def _fetch(self, deadline: Deadline) -> tuple[str, float]:
        api = Api(self._base_url, lambda *_: bearer(self._jwt()))
        path = segments("app", "installations", self._installation, "access_tokens")
        need = Need(
            f"make a token of installation {self._installation}",
            "a GitHub App that is installed there",
            "check installation, and that the App was not uninstalled",
        )
        body = api.ask("POST", path, need, deadline, expect=(201,)).body
        token, ends = (body.get("token"), body.get("expires_at")) if isinstance(body, Mapping) else (None, None)
        until = _instant(ends)
        if not isinstance(token, str) or not token or until is None:
            raise Transient(f"{api.host} gave no token of the installation", "look at what is in between")
        return token, until.timestamp()

    def _jwt(self) -> str:
        """A claim of being the App, signed with its key (RS256)."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(resolved(self._resolve, self._private_key).encode(), None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, RSAPrivateKey):
            hint = "put the PEM file there that GitHub made for the App"
            raise Denied(f"what is at {self._private_key} is no RSA key", hint, permission="a GitHub App's key")
        now = int(self._clock())
        claims = {"iat": now - SKEW, "exp": now + JWT_LASTS, "iss": self._client_id}
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{_url_safe(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def __repr__(self) -> str:
        return f"AppAuth({self._client_id!r}, {self._installation!r})"


def _part(value: Mapping[str, object]) -> str:
    return _url_safe(json.dumps(value, separators=(",", ":")).encode())


def _url_safe(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _instant(text: object) -> datetime | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except UnreadableError:
        return None
