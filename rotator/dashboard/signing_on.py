"""Signing in at the identity provider: the code flow of OpenID Connect, with PKCE (RFC 7636), state and nonce.

Between the two requests nothing is kept here: what has to come back is in a cookie of the browser that went, sealed by
this process. So nobody fills a memory of ours, and nobody else's answer fits. It counts once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from rotator.api.authenticating import Proof
from rotator.api.callers import Caller
from rotator.api.fetching import FAILED, fetched
from rotator.api.oidc import Believer
from rotator.api.origins import name_of
from rotator.api.problems import Problem
from rotator.config.api_listening import Oidc
from rotator.config.errors import ConfigError
from rotator.config.oidc_sign_in import SignIn
from rotator.config.references import Reference
from rotator.dashboard.exchanging import Failing, Room, Spent
from rotator.domain.failures import Failure
from rotator.ports import Clock

LASTS: Final = timedelta(minutes=10)
"""So long somebody may take at the provider."""
ASKED_AGAIN: Final = timedelta(hours=1)
"""So long a session lasts: then the provider is asked again whether it is still so."""
REMEMBERED: Final = timedelta(days=30)
"""So long a browser that somebody signed in with has room of its own."""
TOLD_EVERY: Final = timedelta(minutes=10)
"""That our own secret cannot be had is told so often, however many try."""
TIMEOUT: Final = 5.0
AGAIN: Final = "sign in again; when that goes on, paste a token of `rotator token new`"


@dataclass(frozen=True, slots=True)
class _Began:
    """What has to come back, and `to` where somebody goes then. `at`: when, in seconds of the epoch.

    `former`: the key of the session that the browser had; it does not send that session when it comes back.
    """

    state: str
    nonce: str
    verifier: str
    to: str
    at: int
    former: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What a browser came back with, and `to` where it goes on. `former`: the session that it had."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str
    to: str
    former: str


class SignOn:
    """Sends people to the provider and takes them back. Safe for many threads."""

    def __init__(
        self,
        oidc: Oidc,
        sign_in: SignIn,
        resolved: Callable[[Reference], str],
        clock: Clock,
        alert: Callable[[str], None],
    ) -> None:
        """`resolved`: a secret by its reference; raises `ConfigError`, `Failure`. `alert`: hears of that."""
        self._sign_in = sign_in
        self._issuer = oidc.issuer
        self._believer = Believer(oidc, clock.boottime)
        self._resolved = resolved
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._alert = alert
        self._told: float | None = None
        self._strangers, self._known = Room(), Room()
        self._failing = Failing(clock)
        self._spent = Spent()

    def elsewhere(self, host: str) -> str:
        """Where to begin instead, for what a browser keeps at one name of ours comes back to that one; empty: here."""
        there = urlsplit(self._sign_in.redirect_uri)
        return "" if name_of(host) == name_of(there.netloc) else f"{there.scheme}://{there.netloc}"

    def begin(self, to: str, former: str = "") -> tuple[str, str]:
        """Where the browser is to go, and what it is to keep. Twice: another one. `former`: the session it has."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        began = _Began(state, nonce, verifier, to, int(self._clock.now().timestamp()), former)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(began.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self._sign_in.client_id,
            "redirect_uri": self._sign_in.redirect_uri,
            "scope": " ".join(self._sign_in.scopes),
            "state": began.state,
            "nonce": began.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        where = self._sign_in.authorization_endpoint
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", self._sealed(began)

    def back(self, kept: str, answer: Mapping[str, str]) -> Came:
        """What came with a browser that went. `kept`: by it; `answer`: the provider's. Raises `Problem`. Twice, too."""
        began = self._unsealed(kept)
        if began is None or not hmac.compare_digest(answer.get("state", "").encode(), began.state.encode()):
            raise Problem(403, "this sign-in did not begin in this browser, or too long ago", "sign in again")
        if answer.get("iss", self._issuer) != self._issuer:  # RFC 9207
            raise Problem(403, "another identity provider answered", AGAIN)
        if "error" in answer or not answer.get("code"):
            raise Problem(403, f"the identity provider refused: {answer.get('error', 'it says not why')}", AGAIN)
        if not self._spent.spend(began.state):
            raise Problem(403, "this sign-in came back before", "sign in again")
        return Came(code=answer["code"], verifier=began.verifier, nonce=began.nonce, to=began.to, former=began.former)

    def who(self, came: Came, known: str = "") -> Proof:
        """Who it is, as the provider says. Twice: it says nothing. Raises `Problem`.

        `known`: what a browser has of `recognition`; it may fail once with it.
        """
        stranger = not self._knows(known)
        if stranger:
            self._failing.refuse()
        try:
            with (self._strangers if stranger else self._known).taken():
                text = self._exchanged(came.code, came.verifier)
                caller = self._believer.signed_on(text, self._sign_in.client_id, came.nonce, self._clock.now())
            if caller is None:
                raise Problem(403, "what the identity provider says of you is not believed", AGAIN)
        except Problem as problem:
            if problem.status == HTTPStatus.FORBIDDEN and stranger:
                self._failing.one()
            elif problem.status == HTTPStatus.FORBIDDEN:
                self._spent.spend(known)
            raise
        return Proof(caller=self._for_a_session(caller), lasts=ASKED_AGAIN)

    def recognition(self) -> str:
        """For a browser that somebody signed in with. It opens nothing."""
        text = f"{secrets.token_hex(16)}-{int(self._clock.now().timestamp())}"
        return f"{text}.{self._seal(f'known {text}')}"

    def _knows(self, known: str) -> bool:
        text, _, seal = known.partition(".")
        sealed = hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), self._seal(f"known {text}").encode())
        if not sealed or known in self._spent:
            return False
        return self._clock.now().timestamp() - int(text.partition("-")[2]) < REMEMBERED.total_seconds()

    def _exchanged(self, code: str, verifier: str) -> str:
        """The ID token for a code, which the provider gives once."""
        ours, headers = self._sign_in, {"Accept": "application/json"}
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": ours.redirect_uri,
            "client_id": ours.client_id,
            "code_verifier": verifier,
        }
        if ours.client_secret is not None:
            pair = ":".join(quote(each, safe="") for each in (ours.client_id, self._secret(ours.client_secret)))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        body = urlencode(fields)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            status, data = fetched("POST", ours.token_endpoint, TIMEOUT, body=body, headers=headers)
            found: Any = json.loads(data) if data else None
        except FAILED:
            raise _not_now() from None
        text = found.get("id_token") if isinstance(found, dict) else None
        if status != 200 or not isinstance(text, str):
            raise Problem(403, "the identity provider did not say who you are", AGAIN)
        return text

    def _secret(self, reference: Reference) -> str:
        """Ours. Where it cannot be had, whoever keeps this running hears why, and whoever signs in does not."""
        try:
            return self._resolved(reference)
        except (ConfigError, Failure) as error:
            now = self._clock.boottime()
            if self._told is None or now - self._told >= TOLD_EVERY.total_seconds():
                self._told = now
                self._alert(f"{error.message}: {error.hint}" if error.hint else error.message)
        raise _not_now()

    def _for_a_session(self, caller: Caller) -> Caller:
        """An ID token lasts minutes or a day; it was for this moment, and the session is ours."""
        return replace(caller, until=self._clock.now() + ASKED_AGAIN)

    def _sealed(self, began: _Began) -> str:
        said = [began.state, began.nonce, began.verifier, began.to, began.at, began.former]
        text = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
        return f"{text}.{self._seal(text)}"

    def _unsealed(self, kept: str) -> _Began | None:
        text, _, seal = kept.partition(".")
        if not hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), self._seal(text).encode()):
            return None
        began = _Began(*json.loads(base64.urlsafe_b64decode(text)))
        age = self._clock.now().timestamp() - began.at
        return began if -1 <= age < LASTS.total_seconds() else None

    def _seal(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _not_now() -> Problem:
    return Problem(503, "the identity provider cannot be asked now", AGAIN, headers={"Retry-After": "5"})
