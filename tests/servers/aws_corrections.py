"""What moto 5.2.5 does otherwise than AWS documents, put right in this process.

The pages are those of the operations in https://docs.aws.amazon.com/secretsmanager/latest/apireference/ unless one is
named. Without the first three a test of a cutover sees what no consumer of AWS would:

1. UpdateSecretVersionStage moves AWSCURRENT, and a reader who names no label still gets the old version
2. a ClientRequestToken that is known is taken with other content, too, as long as its version is AWSPENDING
3. an inactive access key authenticates
4. refusals of authentication are XML, which no client of a JSON protocol can read
5. policies are judged by action alone, and `?` in an ARN is no wildcard (IAM User Guide, reference_policies_elements)
6. a secret that waits for its deletion can be written, labelled and created again
7. more than 65,536 bytes fit into a secret
8. PutSecretValue takes all labels off the version that becomes AWSPREVIOUS
9. AssumeRoleWithWebIdentity wants a signature, and looks at no token
10. sessions never end
11. a request to IAM is judged as if it were about everything, whatever user it names
12. a signature is never too old or too young: AWS takes those of the last and next five minutes (IAM User Guide,
    "Troubleshoot signing requests"), and says SignatureDoesNotMatch, "Signature expired"
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import AccessDeniedError, JsonRESTError, _RESTError
from moto.iam import access_control
from moto.iam.responses import IamResponse
from moto.secretsmanager import models
from moto.secretsmanager.exceptions import InvalidParameterException, InvalidRequestException, ResourceExistsException
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.sts.responses import TokenResponse

LARGEST = 65536
SUFFIX = "-ZZZZZZ"
"""Of a secret that is not there: AWS judges the request by an ARN that it makes up, as users report."""


class World:
    """What tests set."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As in the beginning."""
        self.ended: set[str] = set()  # ids of access keys whose session is over
        self.web_tokens: dict[str, str] = {}  # texts of tokens, and as which code they are refused; "" is accepted
        self.frozen: list[Any] | None = None
        self.ahead = timedelta(0)  # of AWS's clock, compared to ours

    def freeze(self) -> None:
        """Remember what ListSecrets knows."""
        found = [
            each
            for region in models.secretsmanager_backends["123456789012"].values()
            for each in region.secrets.values()
        ]
        self.frozen = copy.deepcopy(found)

    def thaw(self) -> None:
        """Let ListSecrets know everything again."""
        self.frozen = None


WORLD = World()
Backend = models.SecretsManagerBackend
_applied: list[bool] = []


def apply() -> None:
    """Put it right, once in a process."""
    from moto import settings

    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # authentication is on from the first request
    if _applied:
        return
    _applied.append(True)
    _replace(Backend, "update_secret_version_stage", _update_secret_version_stage)
    _replace(Backend, "put_secret_value", _put_secret_value)
    _replace(Backend, "create_secret", _create_secret)
    _replace(Backend, "list_secrets", _list_secrets)
    _replace(access_control.IAMUserAccessKey, "__init__", _user_key)
    _replace(access_control.AssumedRoleAccessKey, "__init__", _session_key)
    access_control.IAMPolicyStatement._match = staticmethod(_match)  # type: ignore[method-assign, assignment]
    SecretsManagerResponse._determine_resource = _resource  # type: ignore[attr-defined]
    IamResponse._determine_resource = _user_arn  # type: ignore[method-assign]
    _replace(access_control.IAMRequestBase, "check_signature", _check_date)
    _replace(SecretsManagerResponse, "_authenticate_and_authorize_normal_action", _authenticate_json)
    _replace(TokenResponse, "_authenticate_and_authorize_normal_action", _authenticate_sts)


def _replace(owner: Any, name: str, by: Callable[..., Any]) -> None:
    """Put a function in a method's place; it is given the original first."""
    original = getattr(owner, name)

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        return by(original, self, *arguments, **named)

    setattr(owner, name, method)


# -- secrets -----------------------------------------------------------------------------------------------------------


def _update_secret_version_stage(original: Any, self: Any, **given: Any) -> Any:
    secret, stage = self.secrets.get(given["secret_id"]), given["version_stage"]
    _must_not_wait_for_deletion(secret)
    origin, target = given["remove_from_version_id"], given["move_to_version_id"]
    if secret is not None and target and not origin:
        holders = [each for each, found in secret.versions.items() if stage in found["version_stages"]]
        if holders:
            text = f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to"
            raise InvalidParameterException(
                f"{text} version {holders[0]}, so you must explicitly reference that version."
            )
    if secret is not None and target and target not in secret.versions:
        raise InvalidParameterException(f"Not a valid version: {target}")
    answer = original(self, **given)
    if stage == "AWSCURRENT" and target:
        secret.set_default_version_id(target)
    return answer


def _put_secret_value(original: Any, self: Any, **given: Any) -> Any:
    secret = self.secrets.get(given["secret_id"])
    _must_not_wait_for_deletion(secret)
    _must_fit(given["secret_string"])
    known = secret.versions.get(given["client_request_token"]) if secret is not None else None
    wanted = (given["secret_string"] or None, given["secret_binary"] or None)
    if known and (known.get("secret_string"), known.get("secret_binary")) != wanted:
        raise ResourceExistsException("You can't modify an existing version, you can only create a new version.")
    others = {each: list(found["version_stages"]) for each, found in secret.versions.items()} if secret else {}
    answer = original(self, **given)
    for each, before in others.items():
        kept = [label for label in before if not label.startswith("AWS") and label not in given["version_stages"]]
        stages = secret.versions[each]["version_stages"]
        stages.extend(label for label in kept if label not in stages)
    return answer


def _create_secret(original: Any, self: Any, **given: Any) -> Any:
    secret = self.secrets.get(given["name"])
    if secret is not None and secret.is_deleted():
        text = "You can't create this secret because a secret with this name is already scheduled for deletion."
        raise InvalidRequestException(text)
    _must_fit(given["secret_string"])
    return original(self, **given)


def _list_secrets(original: Any, self: Any, **given: Any) -> Any:
    if WORLD.frozen is None:
        return original(self, **given)
    now = self.secrets
    try:
        self.secrets = models.SecretsStore({each.name: each for each in WORLD.frozen})
        return original(self, **given)
    finally:
        self.secrets = now


def _must_not_wait_for_deletion(secret: Any) -> None:
    if secret is not None and secret.is_deleted():
        text = "You can't perform this operation on the secret because it was marked for deletion."
        raise InvalidRequestException(text)


def _must_fit(text: str | None) -> None:
    if text is not None and len(text.encode()) > LARGEST:
        raise JsonRESTError("ValidationException", "1 validation error detected: Value at 'secretString' is too long")


# -- who may -----------------------------------------------------------------------------------------------------------


def _user_key(original: Any, self: Any, account_id: str, partition: str, access_key_id: str, headers: Any) -> None:
    original(self, account_id, partition, access_key_id, headers)
    for user in self.backend.users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status == "Inactive":
                raise access_control.CreateAccessKeyFailure(reason="InvalidId")


def _session_key(original: Any, self: Any, account_id: str, partition: str, access_key_id: str, headers: Any) -> None:
    if access_key_id in WORLD.ended:
        raise JsonRESTError("ExpiredTokenException", "The security token included in the request is expired")
    original(self, account_id, partition, access_key_id, headers)


def _resource(self: Any) -> str:
    """The ARN that a request is judged by."""
    name = self._get_param("SecretId") or self._get_param("Name")
    if not name:
        return "*"
    secret = self.backend.secrets.get(name)
    if secret is not None:
        return str(secret.arn)
    return f"arn:aws:secretsmanager:{self.region}:{self.current_account}:secret:{name}{SUFFIX}"


def _user_arn(self: Any) -> str:
    """The ARN that a request to IAM is judged by, where it names a user."""
    user = self.backend.users.get(self._get_param("UserName"))
    return "*" if user is None else str(user.arn)


def _check_date(original: Any, self: Any) -> None:
    original(self)
    signed = datetime.strptime(self._headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    late = datetime.now(UTC) + WORLD.ahead - signed
    if abs(late) > timedelta(minutes=5):
        word = "expired" if late > timedelta(0) else "not yet current"
        raise _RESTError("SignatureDoesNotMatch", f"Signature {word}: {signed:%Y%m%dT%H%M%SZ} is not of these minutes")


def _authenticate_json(original: Any, self: Any, resource: str = "*") -> None:
    try:
        original(self, resource)
    except AccessDeniedError as denied:
        action = f"secretsmanager:{self._get_action()}"
        text = f"{denied.message} on resource: {resource} because no identity-based policy allows the {action} action"
        failure = JsonRESTError("AccessDeniedException", text)
    except _RESTError as refused:
        codes = {"InvalidClientTokenId": "UnrecognizedClientException"}
        codes["SignatureDoesNotMatch"] = "InvalidSignatureException"
        failure = JsonRESTError(codes.get(refused.error_type, refused.error_type), refused.message)
    else:
        return
    raise failure


def _authenticate_sts(original: Any, self: Any, resource: str = "*") -> None:
    if self._get_action() != "AssumeRoleWithWebIdentity":
        original(self, resource)
        return
    code = WORLD.web_tokens.get(self.querystring["WebIdentityToken"][0], "InvalidIdentityToken")
    if code:
        raise _RESTError(code, "No OpenIDConnect provider vouches for it")


def _match(pattern: str, text: str) -> re.Match[str] | None:
    regex = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return re.fullmatch(regex, text)
