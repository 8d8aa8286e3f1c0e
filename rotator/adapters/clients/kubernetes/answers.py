"""What a Kubernetes API server answers, and which failure it is.

Statuses and reasons: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/. A server, a
webhook and a proxy may all repeat what they were sent, so of their texts nothing is passed on but the name of who
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.adapters.clients.kubernetes.resources import SECRETS, Resource
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient

_DENIER = re.compile(
    r"""(admission webhook "[a-z0-9.-]{1,253}"|ValidatingAdmissionPolicy '[a-z0-9.-]{1,253}').{0,600}? denied """
    r"(?:the )?request"
)
_UNREACHABLE = re.compile(r'failed calling webhook "([a-z0-9.-]{1,253})"')


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs a role to grant: a verb on a namespace's objects of one kind, or on one of them."""

    verb: str
    namespace: str
    name: str = ""
    resource: Resource = SECRETS

    @property
    def subject(self) -> str:
        """As `kubectl auth can-i` wants it."""
        return f"{self.resource.full_name}/{self.name}" if self.name else self.resource.full_name

    @property
    def where(self) -> str:
        """What it is about, for people."""
        return f"{self.namespace}/{self.name}" if self.name else f"namespace {self.namespace}"

    def __str__(self) -> str:
        return f"{self.verb} {self.subject} in namespace {self.namespace}"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A status, and the object that came with it: an empty one where there was none of the API's."""

    status: int
    document: Mapping[str, Any]
    retry_after: timedelta | None = None

    @property
    def ok(self) -> bool:
        """Whether it is a result; a page of HTML with 200 is none."""
        return 200 <= self.status < 300 and bool(self.document)

    @property
    def of_kubernetes(self) -> bool:
        """Whether a refusal is the API server's own."""
        return self.document.get("kind") == "Status"

    @property
    def details(self) -> Mapping[str, Any]:
        """What a refusal is about, as the API server says it to programs."""
        found = self.document.get("details")
        return found if self.of_kubernetes and isinstance(found, dict) else {}

    @property
    def about(self) -> str:
        """The resource that a refusal is about, in the plural."""
        return str(self.details.get("kind", ""))

    def misses(self, need: Need) -> bool:
        """Whether there is no such object; another 404 says nothing of it."""
        return self.status == 404 and self.about == need.resource.plural

    @property
    def message(self) -> str:
        """To be searched, never to be shown."""
        return str(self.document.get("message", ""))

    @property
    def terminating(self) -> bool:
        """Whether the namespace is being deleted."""
        causes = self.details.get("causes")
        found = causes if isinstance(causes, list) else []
        return any(isinstance(each, dict) and each.get("reason") == "NamespaceTerminating" for each in found)

    def __repr__(self) -> str:
        return f"Answer({self.status})"


def answer_of(status: int, content: bytes, retry_after: timedelta | None) -> Answer:
    """Read an answer; what is no JSON object with a kind is not the API's."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    document = found if isinstance(found, dict) and isinstance(found.get("kind"), str) else {}
    return Answer(status, document, retry_after)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that is no result, and what it was asked for."""

    answer: Answer
    need: Need
    address: str

    @property
    def kubernetes(self) -> str:
        return f"kubernetes at {self.address}"


def failure_of(answer: Answer, need: Need, address: str) -> Failure:
    """The failure that an answer which is no result means. Says nothing of what was sent."""
    refusal = _Refusal(answer, need, address)
    if 300 <= answer.status < 400:
        return _redirect(refusal)
    if not answer.of_kubernetes and answer.status not in _FROM_ANYBODY:
        return _no_kubernetes(refusal)
    denier, unreachable = _DENIER.search(answer.message), _UNREACHABLE.search(answer.message)
    if denier is not None and answer.status < 500:
        return _not_admitted(refusal, denier[1])
    if unreachable is not None:
        return _no_webhook(refusal, unreachable[1])
    return _BY_STATUS.get(answer.status, _other)(refusal)


def _not_admitted(refusal: _Refusal, denier: str) -> Failure:
    message = f"{denier} does not let us {refusal.need}"
    return Permanent(message, "ask who runs it to let the rotator's service account through")


def _no_webhook(refusal: _Refusal, webhook: str) -> Failure:
    message = f'{refusal.kubernetes} cannot reach the admission webhook "{webhook}"'
    return Transient(message, "look at the webhook's pods; it is tried again")


def _denied(refusal: _Refusal) -> Failure:
    need, answer = refusal.need, refusal.answer
    if answer.terminating:
        message = f"the namespace {need.namespace} of {refusal.kubernetes} is being deleted"
        return Permanent(message, "publish to another namespace")
    if "exceeded quota" in answer.message:
        message = f"a resource quota of the namespace {need.namespace} does not let us {need}"
        return Permanent(message, f"`kubectl describe quota --namespace {need.namespace}`")
    asked = f"kubectl auth can-i {need.verb} {need.subject} --namespace {need.namespace}"
    hint = f"`{asked}` asks the same; `rotator check --policy` prints the least role"
    return Denied(f"{refusal.kubernetes} does not let us {need}", hint, permission=str(need))


def _absent(refusal: _Refusal) -> Failure:
    need, about = refusal.need, refusal.answer.about
    if about == need.resource.plural:
        return _stale(refusal)
    if about == "namespaces":
        message = f"{refusal.kubernetes} has no namespace {need.namespace}"
        return Permanent(message, f"`kubectl create namespace {need.namespace}`, or mend the reference")
    message = f"{refusal.kubernetes} knows no {need.resource.kind}s there"
    return Permanent(message, "look at `address`: it may lack a path" + _not_installed(need.resource))


def _stale(refusal: _Refusal) -> Failure:
    if refusal.answer.about not in (refusal.need.resource.plural, ""):
        # What the server itself updates beside our object, a quota's count for instance.
        return Transient(f"{refusal.kubernetes} was busy with {refusal.need.where}", "it is tried again")
    return Conflict(f"{refusal.need.where} is not what was read any more", "look again")


def _invalid(refusal: _Refusal) -> Failure:
    where, message = refusal.need.where, refusal.answer.message
    if refusal.need.resource != SECRETS:
        return Permanent(f"{refusal.kubernetes} refuses {where} as invalid", "look at its audit log")
    if "field is immutable when `immutable` is set" in message:
        return immutable(where)
    if "Too long" in message:
        return too_large(where)
    hint = "its type may ask for other fields or another form: `kubectl get secret -o yaml` shows the type"
    return Permanent(f"{refusal.kubernetes} refuses {where} as invalid", hint)


def immutable(where: str) -> Permanent:
    """A Secret that nobody can change any more, but for deleting it."""
    hint = "publish to another Secret, or delete it and make it again without `immutable: true`"
    return Permanent(f"the Secret {where} is immutable", hint)


def too_large(where: str) -> Permanent:
    """https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size"""
    return Permanent(f"the Secret {where} would be larger than 1 MiB", "publish to a Secret of its own")


def _too_large(refusal: _Refusal) -> Failure:
    return too_large(refusal.need.where) if refusal.need.resource == SECRETS else _other(refusal)


def _limited(refusal: _Refusal) -> Failure:
    seconds = refusal.answer.details.get("retryAfterSeconds")
    told = timedelta(seconds=seconds) if isinstance(seconds, int) and 0 < seconds < 100_000 else None
    hint = "raise its priority level's limit, or rotate fewer at once"
    retry_after = refusal.answer.retry_after or told
    return Transient(f"{refusal.kubernetes} limits our rate", hint, retry_after=retry_after, throttled=True)


def _expired(refusal: _Refusal) -> Failure:
    return Transient(f"{refusal.kubernetes} forgot the list that we were reading", "it is tried again")


def _redirect(refusal: _Refusal) -> Failure:
    # Following it would hand the token to whatever host the answer names.
    hint = "set the address to the API server itself, and not to a login page before it"
    return Transient(f"{refusal.kubernetes} sends us elsewhere ({refusal.answer.status})", hint)


def _no_kubernetes(refusal: _Refusal) -> Failure:
    message = f"something that is not kubernetes answered {refusal.answer.status} at {refusal.address}"
    # The API server itself answers in bare text for a group that nobody installed.
    perhaps = _not_installed(refusal.need.resource) if refusal.answer.status == 404 else ""
    return Transient(message, "look at what is in between" + perhaps)


def _not_installed(resource: Resource) -> str:
    """What else may be wrong, for the end of a hint."""
    version = f"{resource.group}/{resource.version}"
    return f", or see whether `kubectl api-versions` has {version}" if resource.group else ""


def _other(refusal: _Refusal) -> Failure:
    answer = refusal.answer
    if answer.status >= 500:
        message = f"{refusal.kubernetes} answered {answer.status}"
        return Transient(message, "look at its log; it is tried again", retry_after=answer.retry_after)
    message = f"{refusal.kubernetes} refuses to {refusal.need} with {answer.status}"
    return Permanent(message, "look at its audit log")


_FROM_ANYBODY = (429, 503)  # a load balancer says these too, and means the same

_BY_STATUS: Mapping[int, Callable[[_Refusal], Failure]] = {
    403: _denied,
    404: _absent,
    409: _stale,
    410: _expired,
    413: _too_large,
    422: _invalid,
    429: _limited,
}
