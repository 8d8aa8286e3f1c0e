"""Access tokens of an OAuth 2.0 token endpoint (RFC 6749), fetched when needed and kept until shortly before their end.

tokens = Tokens(Client(login_url, timeout=timeout), path("tenant", "oauth2", "token"), lambda: {"grant_type": …})
client = Client(base_url, timeout=timeout, headers=tokens)
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rotator.domain.failures import Denied, Transient
from rotator.domain.times import quoted
from rotator.sdk.http import Client, Form, bearer

EARLY = timedelta(minutes=2)
"""How long before its end a token is not used any more."""
SHORTEST = timedelta(minutes=5)
"""How long a token lives of which the endpoint does not tell."""
_WORD = re.compile(r"[a-z_]{1,40}")


class Tokens:
    """An `Authority` of the HTTP client. Used by many threads, of which one fetches."""

    def __init__(
        self, client: Client, target: str, form: Callable[[], Mapping[str, str]], permission: str = ""
    ) -> None:
        """`form` is what the endpoint is sent, made anew each time; `permission`, for `Denied`, what it stands for."""
        self._client = client
        self._target = target
        self._form = form
        self._permission = permission
        self._lock = threading.Lock()
        self._token = ""
        self._fetched_at = self._ends_at = 0.0

    def headers(self) -> Mapping[str, str]:
        """The token, which is fetched if there is none. `Denied` when the endpoint refuses the credential."""
        with self._lock:
            if not self._token or time.monotonic() >= self._ends_at:
                self._fetch()
            return bearer(self._token)

    def refused(self) -> bool:
        """Forget the token. Not worth another attempt if it came this very moment: then it is not the token's age."""
        with self._lock:
            fresh = time.monotonic() - self._fetched_at < 1
            self._token = ""
            return not fresh

    def _fetch(self) -> None:
        answer = self._client.send("POST", self._target, Form(self._form()), expect=(200, 400, 401))
        body: Any = answer.body if isinstance(answer.body, dict) else {}
        if answer.status != 200:
            word = body.get("error")
            said = f": {quoted(word)}" if isinstance(word, str) and _WORD.fullmatch(word) else ""
            hint = "give this provider another admin credential"
            raise Denied(f"{self._client.base.name} gives no token{said}", hint, permission=self._permission)
        token, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Transient(f"{self._client.base.name} answered without a token")
        lives = SHORTEST.total_seconds()
        if isinstance(seconds, int | str) and re.fullmatch("[0-9]{1,9}", str(seconds)):
            lives = float(seconds)
        now = time.monotonic()
        self._token, self._fetched_at = token, now
        self._ends_at = now + max(lives - EARLY.total_seconds(), lives / 2)

    def __repr__(self) -> str:
        return "Tokens()"
