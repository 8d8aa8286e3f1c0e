"""A token and how long it lives, as Vault grants, prolongs and tells it.

https://developer.hashicorp.com/vault/docs/concepts/tokens#token-time-to-live-periodic-tokens-and-explicit-max-ttls
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.adapters.stores.vault.answers import Answer, Need, failure_of
from rotator.domain.failures import Transient

Send = Callable[[Any], Any]
"""Uses an adapter of hvac for one request and returns its response."""


@dataclass(frozen=True, slots=True)
class Channel:
    """How one call of the port asks for tokens: `where` names the server in messages, `send` takes (token, request).

    `remaining` gives the seconds that the call has left and raises Transient when there are none.
    """

    where: str
    send: Callable[[str, Send], Answer]
    remaining: Callable[[], float]


@dataclass(frozen=True, slots=True, repr=False)
class Lease:
    """A token, known to live `ttl` seconds from `since` (of `time.monotonic`); None: for ever, or nobody knows."""

    token: str
    since: float
    ttl: float | None = None
    renewable: bool = False

    def due(self, now: float) -> bool:
        """Whether two thirds of its life are over, so that there is time to have it prolonged."""
        return self.ttl is not None and now >= self.since + self.ttl * 2 / 3

    def over(self, now: float) -> bool:
        """Whether Vault has forgotten it by now."""
        return self.ttl is not None and now >= self.since + self.ttl

    def __repr__(self) -> str:
        return f"Lease(ttl={self.ttl!r}, renewable={self.renewable!r})"


def unlimited(token: str) -> Lease:
    """The lease of a token of which nothing is known."""
    return Lease(token, time.monotonic())


def granted(answer: Answer, since: float, what: str, where: str) -> Lease:
    """The lease in the answer to a login that was sent at `since`. Raises Transient when there is none."""
    auth = _table(answer.body().get("auth"))
    token = auth.get("client_token")
    if not isinstance(token, str) or not token:
        raise Transient(f"{where} gave no token for the {what}", "look at its log")
    return Lease(token, since, _seconds(auth.get("lease_duration")), auth.get("renewable") is True)


def renewed(lease: Lease, channel: Channel) -> Lease | None:
    """The same token with a longer life; None when Vault prolongs it no more, or never did.

    A life that comes out shorter than the last one was cut at the token's maximum: it is not asked for again.
    """
    if not lease.renewable or lease.ttl is None:
        return None
    since = time.monotonic()
    answer = channel.send(lease.token, lambda http: _tokens(http).renew_self())
    if not answer.ok:
        _raise_if_transient(answer, "update", "auth/token/renew-self", channel)
        return None
    auth = _table(answer.body().get("auth"))
    ttl = _seconds(auth.get("lease_duration")) or 0.0
    goes_on = auth.get("renewable") is True and ttl >= lease.ttl - 1  # whole seconds, rounded down
    return Lease(lease.token, since, ttl, goes_on) if ttl else None


def look_up(token: str, channel: Channel) -> Mapping[str, Any] | None:
    """What Vault tells of a token to its holder; None when it does not take it, or the token may not look at itself.

    Every policy `default` allows that.
    """
    answer = channel.send(token, lambda http: _tokens(http).lookup_self())
    if not answer.ok or not answer.of_vault:
        _raise_if_transient(answer, "read", "auth/token/lookup-self", channel)
        return None
    return answer.data


def told(token: str, since: float, found: Mapping[str, Any]) -> Lease:
    """The lease that a look tells of. A standby may tell too short a life, never too long a one."""
    if found.get("expire_time") is None:  # a life of 0 s is told of a token that never dies, and of one that does now
        return Lease(token, since)
    return Lease(token, since, float(_seconds(found.get("ttl")) or 0), found.get("renewable") is True)


def _raise_if_transient(answer: Answer, capability: str, path: str, channel: Channel) -> None:
    failure = failure_of(answer, Need(capability, path), channel.where)
    if isinstance(failure, Transient):
        raise failure


def _tokens(http: Any) -> Any:
    from hvac.api.auth_methods import Token

    return Token(http)


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
