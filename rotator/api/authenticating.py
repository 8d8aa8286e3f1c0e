"""Who it is that calls, by a token of ours or a JWT of the identity provider."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rotator.api.callers import Caller
from rotator.api.problems import Problem
from rotator.api.throttle import Throttle
from rotator.domain.failures import Failure
from rotator.domain.tokens import Token, digest_of, looks_like_one
from rotator.ports import Clock, Tokens

REMEMBER_EVERY = timedelta(minutes=1)
"""When a token was used last is written so often; each request would be a write."""
HOW = {"WWW-Authenticate": 'Bearer realm="rotator"'}
LONGEST = 16 * 1024


class Jwts(Protocol):
    """Whoever believes JWTs."""

    def caller(self, text: str, now: datetime) -> Caller | None:
        """Who it is; None for what is not believed. Raises `Problem` where that cannot be decided now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who was believed, and by what, without that itself. `digest`: of a token of ours; empty: by a JWT.

    `lasts`: how long a session by it, where that is less than of others; whatever the clocks say.
    """

    caller: Caller
    digest: str = ""
    lasts: timedelta | None = None


class Authenticator:
    """Turns an Authorization header into a caller. Safe for many threads."""

    def __init__(self, tokens: Callable[[], Tokens], clock: Clock, throttle: Throttle, jwts: Jwts | None) -> None:
        self._tokens = tokens
        self._clock = clock
        self._throttle = throttle
        self._jwts = jwts
        self._lock = threading.Lock()
        self._used: dict[str, datetime] = {}

    def caller(self, authorization: str | None, address: str) -> Caller:
        """Raises `Problem`: 401, in the same words whatever was wrong, and 429 for an address that goes on.

        A token of ours is looked up all the same, for others may be behind the same address, and nobody guesses one.
        """
        wait = self._throttle.wait(address)
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip()
        if wait and not _shared(address) and not looks_like_one(text):
            raise _wait(wait)
        if authorization is None:
            raise _nobody()
        found = self._believed(text) if scheme.lower() == "bearer" and len(text) <= LONGEST else None
        if found is None:
            self._throttle.failed(address)
            raise _wait(wait) if wait else _nobody()
        return found

    def listen(self, address: str) -> None:
        """Raises `Problem` 429 for an address that is not listened to, for it goes on failing."""
        wait = self._throttle.wait(address)
        if wait and not _shared(address):
            raise _wait(wait)

    def failed(self, address: str) -> None:
        """Somebody from there was not believed."""
        self._throttle.failed(address)

    def prove(self, text: str, address: str) -> Proof:
        """Who it is that has this token or JWT, to be asked about again. Raises as `caller`."""
        text = text.strip()
        found = self.caller(f"Bearer {text}", address)
        return Proof(caller=found, digest=digest_of(text) if looks_like_one(text) else "")

    def again(self, proof: Proof) -> Caller | None:
        """Who it is now; None for what is believed no more, or is somebody else's by now. Raises `Failure`."""
        now = self._clock.now()
        if not proof.digest:
            until = proof.caller.until
            return proof.caller if until is not None and now < until else None
        token = self._tokens().find(proof.digest)
        found = self._of(token, now) if token is not None and token.valid(now) else None
        return found if found == proof.caller else None

    def _believed(self, text: str) -> Caller | None:
        now = self._clock.now()
        if looks_like_one(text):
            token = self._tokens().find(digest_of(text))
            return self._of(token, now) if token is not None and token.valid(now) else None
        if self._jwts is not None and text.count(".") == 2:
            return self._jwts.caller(text, now)
        return None

    def _of(self, token: Token, now: datetime) -> Caller:
        with self._lock:
            known = self._used.get(token.name) or token.last_used_at
            write = known is None or now - known >= REMEMBER_EVERY
            if write:
                self._used[token.name] = now
        if write:
            with suppress(Failure):  # a login must not need a journal that takes writes
                self._tokens().used(token.name, now)
        owners = frozenset(token.owners) or None
        return Caller(name=token.name, role=token.role, owners=owners, consumer=token.consumer)


def _shared(address: str) -> bool:
    """Loopback is whoever a proxy or a tunnel brings: one of them must not lock all others out."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _wait(seconds: int) -> Problem:
    message = "too many logins failed from this address"
    return Problem(429, message, f"wait {seconds} s", headers={"Retry-After": str(seconds)})


def _nobody() -> Problem:
    return Problem(
        401, "a valid token is needed", "Authorization: Bearer …; `rotator token new` makes one", headers=HOW
    )
