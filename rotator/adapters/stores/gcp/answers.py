"""What Secret Manager refuses, in one form for both transports, and which failure it is.

Codes: https://docs.cloud.google.com/apis/design/errors#handling_errors. Over REST the code stands in the body, because
400 means several of them; gRPC brings it along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.times import quoted

NOT_FOUND, EXISTS, PRECONDITION = "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"
UNAUTHENTICATED = "UNAUTHENTICATED"

_KMS = re.compile(r"\bkms\b|cloudkms|cryptokey", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs IAM to grant: a permission on a resource."""

    permission: str
    resource: str

    def __str__(self) -> str:
        return f"{self.permission} on {self.resource}"


@dataclass(frozen=True, slots=True, repr=False)
class Refusal:
    """An answer that is no result: the canonical code, or "HTTP 502" of somebody in between, and the server's text."""

    code: str
    text: str = ""
    retry_after: timedelta | None = None

    @classmethod
    def of_http(cls, status: int, content: bytes, retry_after: str | None) -> Refusal:
        """From an answer over REST."""
        seconds = retry_after or ""
        wait = timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 6 else None
        try:
            error = json.loads(content)["error"]
            return cls(str(error["status"]), str(error.get("message", "")), wait)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls({429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}.get(status, f"HTTP {status}"), "", wait)

    def __repr__(self) -> str:
        return f"Refusal({self.code!r})"


def failure_of(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    """The failure that a refusal means. Says nothing of what was sent."""
    if _KMS.search(refusal.text):
        return _kms(need)
    return _BY_CODE.get(refusal.code, _other)(refusal, need, endpoint)


def _kms(need: Need) -> Failure:
    permission = f"cloudkms.cryptoKeyVersions.useToEncrypt and useToDecrypt on the KMS key of {need.resource}"
    hint = (
        "enable the key, and grant roles/cloudkms.cryptoKeyEncrypterDecrypter on it to Secret Manager's service agent"
    )
    return Denied(f"secret manager cannot use the Cloud KMS key of {need.resource}", hint, permission=permission)


def _denied(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    if "SERVICE_DISABLED" in refusal.text or "has not been used in project" in refusal.text:
        hint = "gcloud services enable secretmanager.googleapis.com"
        return Denied(
            f"the API at {endpoint} is not enabled in the project of {need.resource}", hint, permission=str(need)
        )
    hint = f"grant {need}, or make it if it does not exist; `rotator check --policy` prints the least roles"
    return Denied(f"secret manager does not let us use {need}", hint, permission=str(need))


def _stale(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    return Conflict(f"{need.resource} was changed by somebody else at the same time", "look again")


def _missing(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    return Permanent(f"{need.resource} does not exist", "check `project`, `location` and the reference")


def _precondition(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    hint = "an organisation policy may forbid it: set `location` to a region that it allows, or look at the secret"
    return Permanent(f"{need.resource} does not allow it: {quoted(refusal.text)}", hint)


def _invalid(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    # Its text may repeat what was sent.
    return Permanent(f"secret manager takes no such request for {need.resource}", "check `project` and the reference")


def _limited(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    hint = "a secret takes two changes a second; rotate fewer at once, or raise the project's quota"
    message = f"secret manager limits our rate at {endpoint}"
    return Transient(message, hint, retry_after=refusal.retry_after, throttled=True)


def _unavailable(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    message = f"secret manager at {endpoint} failed ({refusal.code})"
    return Transient(message, "it is tried again", retry_after=refusal.retry_after)


def _other(refusal: Refusal, need: Need, endpoint: str) -> Failure:
    message = f"something that is not secret manager answered {quoted(refusal.code)} at {endpoint}"
    return Transient(message, "look at what is in between")


_BY_CODE: Mapping[str, Callable[[Refusal, Need, str], Failure]] = {
    "ABORTED": _stale,
    "CANCELLED": _unavailable,
    "DATA_LOSS": _unavailable,
    "DEADLINE_EXCEEDED": _unavailable,
    "INTERNAL": _unavailable,
    "INVALID_ARGUMENT": _invalid,
    "OUT_OF_RANGE": _invalid,
    "PERMISSION_DENIED": _denied,
    "RESOURCE_EXHAUSTED": _limited,
    "UNAVAILABLE": _unavailable,
    "UNIMPLEMENTED": _other,
    "UNKNOWN": _unavailable,
    EXISTS: _stale,
    NOT_FOUND: _missing,
    PRECONDITION: _precondition,
}
