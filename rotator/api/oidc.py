"""JWTs of an identity provider (OpenID Connect), believed by its public keys.

The keys come from the URL of the config and from nowhere else: what a token says of where its key is, is not read. Only
algorithms with a public and a private half are believed, and a key only for algorithms of its own kind.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import jwt

from rotator.api.callers import Caller
from rotator.api.fetching import FAILED, fetched
from rotator.api.problems import Problem
from rotator.config.api_listening import Oidc

ALGORITHMS: Final[Mapping[str, frozenset[str]]] = {
    "RSA": frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    "EC": frozenset(("ES256", "ES384", "ES512")),
    "OKP": frozenset(("EdDSA",)),
}
"""By the kind of key. Never `none`, and never HS*: with those everybody who has the public key could sign."""
CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
Jwk = Mapping[str, Any]
"""A public key as it was published (RFC 7517)."""
LEEWAY: Final = timedelta(seconds=60)
DAY: Final = 24 * 60 * 60
FRESH: Final = timedelta(minutes=10)
"""So long the keys are believed before they are fetched again."""
STALE: Final = timedelta(hours=1)
"""So long, while they cannot be fetched."""
AGAIN: Final = timedelta(seconds=30)
"""Between two fetches because of an unknown key: whoever invents ids must not send us there each time."""
FETCHES: Final = 3
"""At once: one that hangs must not be the last."""
WAITING: Final = 8
"""Callers that wait for a fetch; for the others counts what is known, for whoever waits holds a thread of the API."""
REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub")
LONGEST_NAME = 120
"""Characters of what a person is called, which anybody may choose."""
LONGEST_SUB = 255  # of OpenID Connect Core 1.0, section 2


class Believer:
    """Believes the JWTs of one issuer. Safe for many threads."""

    def __init__(self, oidc: Oidc, boottime: Callable[[], float], *, timeout: timedelta = timedelta(seconds=5)) -> None:
        """`boottime`: as the clock has it; keys age by it, for the time of day may be set back."""
        self._oidc = oidc
        self._boottime = boottime
        self._keys = Keys(oidc.jwks, timeout)

    def caller(self, text: str, now: datetime) -> Caller | None:
        """Who it is; None for what is not believed. Raises `Problem` 503 without keys, 403 for nobody of ours."""
        claims = self._claims(text, self._oidc.audience, now)
        return None if claims is None else replace(self._who(claims), until=_end(claims, now))

    def signed_on(self, text: str, client: str, nonce: str, now: datetime) -> Caller | None:
        """Who it is by an ID token (OpenID Connect Core 1.0, section 3.1.3.7) that answers a request of ours. As above.

        `client`: what the provider calls us. `nonce`: of that request.
        """
        claims = self._claims(text, client, now)
        if claims is None or claims.get("nonce") != nonce or not _is_for(claims, client):
            return None
        return replace(self._who(claims), until=_end(claims, now))

    def _claims(self, text: str, audience: str, now: datetime) -> dict[str, Any] | None:
        try:
            header = jwt.get_unverified_header(text)
        except jwt.PyJWTError:
            return None
        if "crit" in header or not isinstance(header.get("kid"), str):
            return None
        key = self._keys.find(header["kid"], self._boottime())
        algorithm = str(header.get("alg"))
        if key is None or algorithm not in _allowed(key):
            return None
        try:
            found: dict[str, Any] = jwt.decode(
                text,
                jwt.PyJWK(dict(key), algorithm=algorithm),
                algorithms=[algorithm],
                audience=audience,
                issuer=self._oidc.issuer,
                leeway=LEEWAY,
                options={"require": list(REQUIRED), "verify_iat": True, "strict_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return found

    def _who(self, claims: Mapping[str, Any]) -> Caller:
        if len(str(claims["sub"])) > LONGEST_SUB:
            raise Problem(403, "your token's sub is too long to be one", f"at most {LONGEST_SUB} characters")
        words = frozenset(_words(claims.get(self._oidc.claim)))
        held = [role for role, named in self._oidc.roles.items() if words & named]
        if not held:
            raise Problem(403, "nobody gave you a role here", "ask for one of the groups that the config names")
        owners: frozenset[str] | None = None
        if self._oidc.owners_claim and not words & self._oidc.everything:
            owners = frozenset(_words(claims.get(self._oidc.owners_claim)))
            if not owners:
                raise Problem(403, "your token names no owner", f"the claim {self._oidc.owners_claim} must name one")
        subject = f"{claims['iss']} {claims['sub']}"
        return Caller(name=f"oidc:{_name(claims)}", role=held[-1], owners=owners, subject=subject)


class Keys:
    """The issuer's public keys by id, fetched when they are needed, by a thread that nobody has to wait for."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        """`timeout`: of a whole fetch."""
        self._url = url
        self._timeout = timeout
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(WAITING)
        self._fetches = threading.BoundedSemaphore(FETCHES)
        self._known: dict[str, Jwk] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._missed = False  # the last fetch that ended brought nothing
        self._done = threading.Event()
        self._done.set()

    def find(self, kid: str, now: float) -> Jwk | None:
        """The key of this id; fetched anew where it is not known, though not each time. Raises `Problem` 503.

        None: the issuer has no such key, as it said when it was asked last.

        `now`: in seconds that never jump.
        """
        with self._lock:
            old = self._fetched is None or now - self._fetched >= FRESH.total_seconds()
            wanted = old or kid not in self._known
            if wanted:
                self._begin(now)
            done = self._done
        if wanted and self._room.acquire(blocking=False):
            try:
                done.wait(self._timeout.total_seconds())
            finally:
                self._room.release()
        with self._lock:
            key = self._known.get(kid)
            stale = self._fetched is None or now - self._fetched >= STALE.total_seconds()
            missed = self._missed or not done.is_set()
        if stale or (key is None and missed):
            raise Problem(503, "the identity provider cannot be asked now", "`rotator token break-glass` on the host")
        return key

    def _begin(self, now: float) -> None:
        """A fetch, unless there was one just now, or too many hang."""
        soon = self._tried is not None and now - self._tried < max(AGAIN, self._timeout).total_seconds()
        if soon or not self._fetches.acquire(blocking=False):
            return
        self._tried, self._done = now, threading.Event()
        threading.Thread(target=self._fetch, args=(now, self._done), name="oidc keys", daemon=True).start()

    def _fetch(self, now: float, done: threading.Event) -> None:
        """What cannot be read changes none of the keys."""
        found: dict[str, Jwk] = {}
        try:
            found = self._published()
        except FAILED:
            pass  # as if nothing had been published
        finally:
            with self._lock:
                if self._fetched is None or now > self._fetched:
                    self._missed = not found
                    if found:
                        self._known, self._fetched = found, now
            self._fetches.release()
            done.set()

    def _published(self) -> dict[str, Jwk]:
        """Raises `FAILED`."""
        status, data = fetched("GET", self._url, self._timeout.total_seconds())
        return _keys(json.loads(data)) if status == HTTPStatus.OK else {}


def _keys(document: Any) -> dict[str, Jwk]:
    """By id; one that is there twice is nobody's, and what is no public signing key is left out."""
    found: dict[str, Jwk] = {}
    twice: set[str] = set()
    listed = document.get("keys") if isinstance(document, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or not isinstance(each.get("kid"), str):
            continue
        if each.get("use", "sig") != "sig" or "d" in each or not _allowed(each):
            continue
        twice |= {each["kid"]} & found.keys()
        found[each["kid"]] = each
    return {kid: key for kid, key in found.items() if kid not in twice}


def _allowed(key: Jwk) -> frozenset[str]:
    """The algorithms that a key is for: those of its kind, and if it names one, that alone."""
    kind, curve, own = (str(key.get(name)) for name in ("kty", "crv", "alg"))
    allowed = ALGORITHMS.get(kind, frozenset())
    if kind == "EC":
        allowed &= {CURVES.get(curve, "")}
    return allowed & {own} if "alg" in key else allowed


def _end(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When it is believed no more; nobody is believed for longer than a day by one JWT."""
    return datetime.fromtimestamp(min(int(claims["exp"]), int(now.timestamp()) + DAY), UTC) + LEEWAY


def _is_for(claims: Mapping[str, Any], client: str) -> bool:
    """Whether it was asked for by this client: of an ID token for several it must say so."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    return bool(claims.get("azp", None if several else client) == client)


def _words(claim: Any) -> Sequence[str]:
    if isinstance(claim, str):
        return claim.split()
    return [each for each in claim if isinstance(each, str)] if isinstance(claim, list) else []


def _name(claims: Mapping[str, Any]) -> str:
    """For the trail: first what no other one is, whole, then what a person is called, as far as there is room."""
    shown = claims.get("email") or claims.get("preferred_username")
    known = _printable(str(claims["sub"]))
    called = f" ({_printable(shown)[:LONGEST_NAME]})" if isinstance(shown, str) else ""
    return known + called


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "·" for each in text)
