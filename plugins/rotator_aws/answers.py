"""What AWS answers to a query, and which failure it is.

Codes: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and each operation's own page,
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html. A refusal because of a policy of the organisation
is told by its words (IAM User Guide, "Troubleshoot access denied error messages"): there is no code for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from xml.etree.ElementTree import Element

from rotator.sdk import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient, quoted

GONE = "NoSuchEntity"
UNKNOWN_KEY = frozenset(
    {
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
    }
)
"""AWS takes the key that signed for nobody's, or the signature for another key's."""
USELESS_KEY = UNKNOWN_KEY | {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "OptInRequired",
}
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "429"})
RACES = frozenset({"ConcurrentModification", "EntityTemporarilyUnmodifiable"})
SKEWED = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestExpiredException"})
OF_THE_ORGANISATION = ("service control policy", "resource control policy", "permissions boundary")


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. `code` is AWS's word for what went wrong, empty where nothing did, its status where none was."""

    status: int
    code: str = ""
    message: str = ""
    result: Element | None = field(default=None)
    retry_after: timedelta | None = None
    redirect: str = ""

    @property
    def ok(self) -> bool:
        return self.result is not None

    @property
    def of_aws(self) -> bool:
        """Whether AWS gave a reason; a page of HTML gives none."""
        return not self.code.isdecimal()

    @property
    def skewed(self) -> bool:
        """Whether it is the clock that AWS does not believe; said as a wrong signature, told by its words."""
        late = any(text in self.message for text in ("Signature expired", "Signature not yet current"))
        return late or self.code in SKEWED

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.code!r})"


def failure_of(answer: Answer, need: str, where: str, *, once: bool) -> Failure:
    """What an answer that is no result means. `need` is action and resource; `once`: it would have made a key."""
    known = _refusal(answer, need, where, once=once)
    if known is not None:
        return known
    said = f": {quoted(answer.message)}" if answer.message else ""
    if answer.redirect:
        return Permanent(f"{where} redirects to {quoted(answer.redirect)}", "no redirect is followed with credentials")
    if answer.of_aws and answer.status < 500:
        return Permanent(f"{where} refuses {need} with {quoted(answer.code)}{said}", "look at CloudTrail")
    spoke = f"{where} answered {quoted(answer.code)}"
    if not answer.of_aws:
        spoke = f"something that is not AWS answered {answer.status} for {where}"
    if once:
        return Ambiguous(f"{spoke}, so there may be a key", "look at the user's keys")
    return Transient(spoke, "it is tried again", retry_after=answer.retry_after)


def _refusal(answer: Answer, need: str, where: str, *, once: bool) -> Failure | None:
    """The refusals that AWS gives a code of their own: nothing was done."""
    if answer.skewed:
        hint = "set this machine's clock: AWS takes signatures of the last and next five minutes"
        return Transient(f"{where} does not believe our clock", hint)
    if answer.code in THROTTLED:
        return Transient(f"{where} throttles", "rotate fewer at once", retry_after=answer.retry_after, throttled=True)
    if answer.code in USELESS_KEY:
        hint = "give this provider another admin credential: this key is wrong, inactive, deleted or over"
        return Denied(f"{where} refuses the admin key", hint, permission=need)
    if answer.code in DENIED:
        if once and any(text in answer.message for text in OF_THE_ORGANISATION):
            hint = "no credential of this account may; the organisation's policy must let this user have keys"
            return Permanent(f"a policy of the organisation forbids {need}", hint)
        return Denied(f"{where} does not let us {need}", f"grant {need} to the admin key", permission=need)
    if answer.code in RACES:
        return Conflict(f"somebody else changes the user at the same time; {where} says {answer.code}")
    if answer.code == "LimitExceeded":
        return CapFull("the user has as many keys as AWS allows", "delete a key that is not needed")
    if answer.code == GONE:
        return Permanent(f"{where} knows no such user: {quoted(answer.message)}", "look at user: of the principal")
    return None
