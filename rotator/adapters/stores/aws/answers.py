"""What AWS answers, and which failure it is.

Codes: https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html and each operation's own page,
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.times import quoted

NOT_FOUND = "ResourceNotFoundException"
EXISTS = "ResourceExistsException"
BAD_PARAMETER = "InvalidParameterException"
BAD_REQUEST = "InvalidRequestException"
EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
UNKNOWN_KEY = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidClientTokenIdException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "AuthFailure",
    }
)
"""AWS takes the keys for nothing at all; nothing was done."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs a policy to grant: an action, `secretsmanager:PutSecretValue`, on an ARN."""

    action: str
    resource: str

    @property
    def operation(self) -> str:
        """The action without its service."""
        return self.action.partition(":")[2]

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. `code` is AWS's word for what went wrong, empty where nothing did."""

    status: int
    code: str = ""
    message: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: timedelta | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked to."""
        return not self.code

    @property
    def of_aws(self) -> bool:
        """Whether AWS gave a reason; a page of HTML gives none, and its code is its status."""
        return not self.code.isdecimal()

    @property
    def skewed(self) -> bool:
        """Whether it is the clock that AWS does not believe."""
        late = any(text in self.message for text in ("Signature expired", "Signature not yet current"))
        return late or self.code in ("RequestExpired", "RequestTimeTooSkewed", "RequestExpiredException")

    @property
    def deleted(self) -> bool:
        """Whether the secret waits for its deletion."""
        return self.code == BAD_REQUEST and any(text in self.message for text in ("for deletion", "marked deleted"))

    @property
    def about_kms(self) -> bool:
        """Whether it is the secret's encryption key that may not be used."""
        denied = self.code.startswith("AccessDenied") and ("KMS" in self.message or "kms:" in self.message)
        return denied or self.code.startswith("KMS") or self.code in ("EncryptionFailure", "DecryptionFailure")

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.code!r})"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that is no result, what it was asked for, and of which server."""

    answer: Answer
    need: Need
    where: str

    @property
    def said(self) -> str:
        return f": {quoted(self.answer.message)}" if self.answer.message else ""


def failure_of(answer: Answer, need: Need, where: str) -> Failure:
    """The failure that an answer which is no result means. Says nothing of what was sent."""
    refusal = _Refusal(answer, need, where)
    if answer.skewed:
        hint = "set this machine's clock: AWS takes signatures of the last and next five minutes"
        return Transient(f"{where} does not believe our clock", hint)
    if answer.about_kms:
        return _kms(refusal)
    if answer.deleted:
        return _scheduled(refusal)
    if answer.code in _BY_CODE:
        return _BY_CODE[answer.code](refusal)
    if answer.status >= 500 or not answer.of_aws:
        return _unavailable(refusal)
    return Permanent(f"{where} refuses {need} with {answer.code}{refusal.said}", "look at CloudTrail")


def refused_keys(need: Need, where: str, hint: str) -> Denied:
    """The keys are wrong, inactive or deleted."""
    return Denied(f"{where} refuses our keys", hint, permission=str(need))


def _denied(refusal: _Refusal) -> Failure:
    hint = f"grant {refusal.need} in a policy; `rotator check --policy` prints the least one"
    return Denied(f"{refusal.where} does not let us {refusal.need}", hint, permission=str(refusal.need))


def _kms(refusal: _Refusal) -> Failure:
    action = "kms:Decrypt" if refusal.need.operation == "GetSecretValue" else "kms:GenerateDataKey and kms:Decrypt"
    message = f"{refusal.where} may not use the KMS key of {refusal.need.resource} for us"
    hint = f"allow {action} in the key's policy and in ours, and see that the key is enabled"
    return Denied(message, hint, permission=f"{action} on the KMS key of {refusal.need.resource}")


def _scheduled(refusal: _Refusal) -> Failure:
    hint = "`aws secretsmanager restore-secret --secret-id NAME`, or publish to another reference"
    return Permanent(f"{refusal.need.resource} is scheduled for deletion", hint)


def _changed(refusal: _Refusal) -> Failure:
    return Conflict(f"{refusal.need.resource} is not what was read any more", "look again")


def _throttled(refusal: _Refusal) -> Failure:
    hint = "rotate fewer at once; AWS takes 50 changes of secrets a second"
    return Transient(f"{refusal.where} limits our rate", hint, retry_after=refusal.answer.retry_after, throttled=True)


def _quota(refusal: _Refusal) -> Failure:
    if refusal.need.operation == "CreateSecret":
        hint = "remove secrets that nobody needs, or have the quota raised"
        return Permanent(f"{refusal.where} has no room for another secret{refusal.said}", hint)
    hint = "somebody writes it too often: AWS keeps 100 versions, and every one of the last 24 hours"
    return Transient(f"{refusal.need.resource} has as many versions or labels as AWS allows", hint)


def _unavailable(refusal: _Refusal) -> Failure:
    if not refusal.answer.of_aws:
        message = f"something that is not AWS answered {refusal.answer.status} for {refusal.where}"
        return Transient(message, "look at what is in between")
    hint = "it is tried again"
    return Transient(f"{refusal.where} answered {refusal.answer.code}", hint, retry_after=refusal.answer.retry_after)


_BY_CODE: Mapping[str, Callable[[_Refusal], Failure]] = {
    "AccessDeniedException": _denied,
    "AccessDenied": _denied,
    NOT_FOUND: _changed,
    EXISTS: _changed,
    "ThrottlingException": _throttled,
    "Throttling": _throttled,
    "ThrottledException": _throttled,
    "TooManyRequestsException": _throttled,
    "RequestLimitExceeded": _throttled,
    "429": _throttled,
    "LimitExceededException": _quota,
    "InternalServiceError": _unavailable,
    "InternalServiceErrorException": _unavailable,
    "InternalFailure": _unavailable,
    "ServiceUnavailable": _unavailable,
    "IDPCommunicationError": _unavailable,
}
