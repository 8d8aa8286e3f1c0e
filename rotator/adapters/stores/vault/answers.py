"""What Vault and OpenBao answer, and which failure it is.

Statuses and texts: https://developer.hashicorp.com/vault/api-docs#http-status-codes, and OpenBao 2.7.2 as it answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.times import quoted


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs a policy to grant: a capability on a path, as policies write it."""

    capability: str
    path: str

    def __str__(self) -> str:
        return f"{self.capability} on {self.path}"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A status and a body, and of the headers what we heed."""

    status: int
    content: bytes
    retry_after: timedelta | None = None
    index: str = ""
    location: str = ""

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked to."""
        return 200 <= self.status < 300

    @property
    def of_vault(self) -> bool:
        """Whether it is a result: a success, or a 404 that tells of a version or of none. A page of HTML is neither."""
        if self.ok:
            return not self.content or bool(self.body())
        return self.status == 404 and (self.errors == "" or bool(self.data))

    def body(self, parse_float: Callable[[str], Any] | None = None) -> Mapping[str, Any]:
        """The JSON object; an empty one where there is none."""
        try:
            found = json.loads(self.content, parse_float=parse_float) if self.content else {}
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def data(self) -> Mapping[str, Any]:
        """The member `data`; empty where there is none."""
        found = self.body().get("data")
        return found if isinstance(found, dict) else {}

    @property
    def errors(self) -> str | None:
        """Its reasons as one text, empty where it gives none; None where the body is not Vault's at all."""
        found = self.body().get("errors")
        return " ".join(str(each) for each in found) if isinstance(found, list) else None

    def __repr__(self) -> str:
        return f"Answer({self.status})"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that is no result, and what it was asked for."""

    answer: Answer
    need: Need
    vault: str

    @property
    def said(self) -> str:
        return f": {quoted(self.answer.errors)}" if self.answer.errors else ""


def failure_of(answer: Answer, need: Need, where: str) -> Failure:
    """The failure that an answer which is no result means. `where` names the server. Says nothing of what was sent."""
    refusal = _Refusal(answer, need, where)
    if 300 <= answer.status < 400:
        return _redirect(refusal)
    if answer.errors is None and answer.status not in _FROM_ANYBODY:
        return _no_vault(refusal)
    errors = (answer.errors or "").lower()
    for text, failure in _BY_TEXT.items():
        if text in errors:
            return failure(refusal)
    return _BY_STATUS.get(answer.status, _other)(refusal)


def denied(need: Need, where: str) -> Denied:
    """No policy of a valid token grants it."""
    hint = f"grant {need} in a policy; `rotator check --policy` prints the least one"
    return Denied(f"{where} does not let us {need}", hint, permission=str(need))


def _denied(refusal: _Refusal) -> Failure:
    return denied(refusal.need, refusal.vault)


def _stale(refusal: _Refusal) -> Failure:
    return Conflict(f"{refusal.need.path} is not what was read any more", "look again")


def _preparing(refusal: _Refusal) -> Failure:
    return Transient(f"{refusal.vault} is still preparing the engine of {refusal.need.path}", "it is tried again")


def _no_mount(refusal: _Refusal) -> Failure:
    hint = "set `mount` to a KV version 2 engine"
    return Permanent(f"{refusal.vault} has no engine mounted for {refusal.need.path}", hint)


def _no_versions(refusal: _Refusal) -> Failure:
    message = f"{refusal.vault} has no KV version 2 engine for {refusal.need.path}"
    return Permanent(message, "set `mount` to one; of a version 1 engine `vault kv enable-versioning MOUNT` makes one")


def _no_namespace(refusal: _Refusal) -> Failure:
    return Permanent(f"{refusal.vault} has no such namespace", "set `namespace` to its whole path, like team/a")


def _too_large(refusal: _Refusal) -> Failure:
    hint = "publish to a document of its own, or raise max_entry_size of its storage"
    return Permanent(f"the document {refusal.need.path} is too large for vault", hint)


def _limited(refusal: _Refusal) -> Failure:
    retry_after, hint = refusal.answer.retry_after, "raise its rate limit quota, or rotate fewer at once"
    return Transient(f"{refusal.vault} limits our rate", hint, retry_after=retry_after, throttled=True)


def _standby(refusal: _Refusal) -> Failure:
    hint = "wait for the election, or look at the cluster"
    return Transient(f"{refusal.vault} is a standby without an active node", hint)


def _redirect(refusal: _Refusal) -> Failure:
    # Following it would hand the token to whatever host the answer names.
    where = f", to {quoted(refusal.answer.location)}" if refusal.answer.location else ""
    message = f"{refusal.vault} sends us elsewhere{where} ({refusal.answer.status}), as a standby does in an election"
    hint = "it is tried again; if it stays so, set `address` to the active node or the load balancer itself"
    return Transient(message, hint)


def _sealed(refusal: _Refusal) -> Failure:
    return Transient(f"{refusal.vault} is sealed", "unseal it: `vault operator unseal`")


def _uninitialised(refusal: _Refusal) -> Failure:
    return Transient(f"{refusal.vault} is not initialised", "`vault operator init`, then unseal it")


def _unavailable(refusal: _Refusal) -> Failure:
    message = f"{refusal.vault} is not available (503)"
    return Transient(message, "look at its log", retry_after=refusal.answer.retry_after)


def _no_vault(refusal: _Refusal) -> Failure:
    where = refusal.vault.removeprefix("vault ")
    message = f"something that is not vault answered {refusal.answer.status} {where}"
    return Transient(message, "look at what is in between")


def _other(refusal: _Refusal) -> Failure:
    status = refusal.answer.status
    if status >= 500:
        return Transient(f"{refusal.vault} answered {status}{refusal.said}", "look at its log; it is tried again")
    message = f"{refusal.vault} refuses to {refusal.need} with {status}{refusal.said}"
    return Permanent(message, "look at its audit log")


_FROM_ANYBODY = (429, 503)  # a load balancer says these too, and means the same

_BY_TEXT: Mapping[str, Callable[[_Refusal], Failure]] = {
    "check-and-set parameter did not match": _stale,
    "upgrading from non-versioned": _preparing,
    "no handler for route": _no_mount,
    "namespace not found": _no_namespace,
    "unsupported path": _no_versions,
    "value being too large": _too_large,
    "active cluster node not found": _standby,
    "vault is sealed": _sealed,
}
_BY_STATUS: Mapping[int, Callable[[_Refusal], Failure]] = {
    403: _denied,
    405: _no_versions,
    412: _standby,
    413: _too_large,
    429: _limited,
    472: _standby,
    473: _standby,
    501: _uninitialised,
    503: _unavailable,
}
