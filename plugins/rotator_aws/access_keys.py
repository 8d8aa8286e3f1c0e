"""Access keys of an IAM user: two at most, without room for a mark, used by consumers as a pair.

    providers:
      aws: {driver: aws_iam, admin: file:/run/secrets/aws-admin, region: eu-west-1}    # base_url, sts_url, usage
    credentials:
      uploader: {provider: aws, principal: {user: apps/uploader, exclusive: true}, …}

The admin credential is `ID:SECRET`, or a JSON object with `access_key_id`, `secret_access_key` and perhaps
`session_token`. It signs at IAM; a managed key signs at STS of the region, and nowhere else.

What AWS does, and where that is said:

- A user has at most two access keys, inactive ones counted; a third is LimitExceeded. A key has no name and no tag, so
  a lost mint is found among the keys of an exclusive principal alone (API_CreateAccessKey, IAM quotas).
- The secret is in the answer to CreateAccessKey and nowhere else, ever.
- An inactive key and a deleted one are refused in the same words, InvalidClientTokenId; a wrong secret is
  SignatureDoesNotMatch, which is also AWS's word for a clock that is wrong. GetCallerIdentity needs no permission, even
  against an explicit denial (API_GetCallerIdentity), so that it never answers "forbidden" by itself.
- IAM is eventually consistent (IAM User Guide, "Troubleshoot IAM"): how long is documented nowhere; the windows here
  are a guess on the safe side. The region's STS is asked, where consumers' requests are judged as well.
- GetAccessKeyLastUsed may lag, and tells service and region of the last use alone. Of a key that does not exist any
  more AWS is said to answer AccessDenied; not confirmed. So a denial is believed of a key that a second list has still:
  one that vanished in between is none of the list. Where that list lags, too, the rotation parks until `resume`.
- Sessions that were made with a key (GetSessionToken, AssumeRole) outlive its deletion, up to 36 hours, unless the
  user is denied `aws:TokenIssueTime` before now. The proof of death is of the key, not of those.

There is no plain HTTP probe: each request is signed.

The console's page: from memory, not checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self
from xml.etree.ElementTree import Element

from rotator.sdk import (
    UNMARKED,
    Ambiguous,
    Capabilities,
    Denied,
    Disabling,
    Key,
    KeyState,
    Made,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    Settings,
    Transient,
    Verdict,
    quoted,
)
from rotator.sdk.http import BaseUrl

from .admin import KEY_ID, SigningKey, admin_key
from .answers import DENIED, GONE, UNKNOWN_KEY, failure_of
from .iam import STATUSES, Iam, Region, User, Windows, instant, policy, state_of
from .trail import made_since
from .wire import Query, text_at

DEFAULT_REGION = "us-east-1"
STS_VERSION = "2011-06-15"
NOBODYS = "AKIA0000000000000000"
"""An id that no key can have: they are base 32, which has no zero. Acting on it tells what we may, and no more."""


class AccessKeys:
    """IAM with one admin key; a `Provider`."""

    def __init__(self, iam: Iam, sts: Query, *, usage: bool, windows: Windows) -> None:
        self._iam = iam
        self._sts = sts
        self._usage = usage
        self._windows = windows

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        region, base_url, sts_url = _addresses(read)
        usage = read.flag("usage", True)
        windows = Windows.read(read)
        read.finish()
        iam = Iam.opened(region, base_url, admin_key(admin, name), timeout)
        return cls(iam, Query(sts_url, "sts", region.name, STS_VERSION, timeout), usage=usage, windows=windows)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """IAM and the region's STS."""
        region, base_url, sts_url = _addresses(Settings(settings))
        hosts = (BaseUrl.parse(base_url or f"https://{region.iam}").name, BaseUrl.parse(sts_url).name)
        return Reach(hosts=tuple(dict.fromkeys(hosts)))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every user but for the policy. Raises `Permanent` for a principal that is no user."""
        user = User.of(principal)
        return Capabilities(
            strategy=UNMARKED,
            parts=("access_key_id", "secret_access_key"),
            secret_part="secret_access_key",  # noqa: S106 - the part's name
            cap=2,
            disabling=Disabling.REVERSIBLE,
            usage=self._usage,
            identifies=True,
            trail=True,
            least_permission=_policy(user.arn(self._iam.partition), usage=self._usage),
            console_url=f"https://console.aws.amazon.com/iam/home#/users/details/{user.name}?section=security_credentials",
            propagation=self._windows.propagation,
            death_window=self._windows.death,
            list_lag=self._windows.list_lag,
        )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One CreateAccessKey. `Permanent` where the organisation forbids keys, and where there is no such user."""
        answer = self._iam.ask(User.of(principal), "CreateAccessKey", once=True)
        made = answer.result.find("{*}CreateAccessKeyResult/{*}AccessKey") if answer.result is not None else None
        key = SigningKey(text_at(made, "AccessKeyId"), text_at(made, "SecretAccessKey"))
        if not key.sound:
            raise Ambiguous(
                "IAM answered without a key that can be used, so there may be one", "look at the user's keys"
            )
        return Minted(key_id=key.key_id, value=_value(key), created_at=_made_at(made))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """The user's keys, and one more request for each where use is asked for."""
        user = User.of(principal)
        return tuple(key for row in self._rows(user) if (key := self._key(user, row)) is not None)

    def _rows(self, user: User) -> Iterator[Element]:
        return self._iam.members(user, "ListAccessKeys", "ListAccessKeysResult/AccessKeyMetadata/member")

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """GetCallerIdentity, signed with the value. A secret that is not its id's is `INVALID` as well."""
        key = _key_of(value)
        answer = self._sts.ask(key, "GetCallerIdentity", {})
        if answer.ok:
            return Verdict.WORKS
        if answer.code in UNKNOWN_KEY and not answer.skewed:
            return Verdict.INVALID
        if answer.code in DENIED:
            return Verdict.FORBIDDEN
        raise failure_of(answer, "sts:GetCallerIdentity", self._sts.base.name, once=False)

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The id is a part of the value; it is told if AWS takes the pair."""
        return value.reveal("access_key_id") if self.verify(principal, value).authentic else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One request; NoSuchEntity is done already. What cannot be an id is nobody's, and nothing is sent."""
        user = User.of(principal)
        if not KEY_ID.fullmatch(key_id):
            return
        if state is KeyState.DELETED:
            self._iam.ask(user, "DeleteAccessKey", accept=(GONE,), AccessKeyId=key_id)
        else:
            self._iam.ask(user, "UpdateAccessKey", accept=(GONE,), AccessKeyId=key_id, Status=STATUSES[state])

    def check_admin(self, principal: Principal) -> None:
        """Look at the user's keys, and act on a key that cannot exist: AWS asks for the permission first.

        Whether CreateAccessKey is allowed can be told by making a key alone, so it is not.
        """
        user = User.of(principal)
        self.keys(principal)
        self._iam.ask(user, "UpdateAccessKey", accept=(GONE,), AccessKeyId=NOBODYS, Status="Inactive")
        self._iam.ask(user, "DeleteAccessKey", accept=(GONE,), AccessKeyId=NOBODYS)

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        """The account's users, roles, identity providers and access keys that were made since then, by IAM's lists."""
        return made_since(self._iam, since)

    def _key(self, user: User, row: Element) -> Key | None:
        """None for one that has vanished since it was listed."""
        key_id = text_at(row, "AccessKeyId")
        if not KEY_ID.fullmatch(key_id):
            raise Transient("IAM lists a key without an id")
        try:
            used = self._last_used(user, key_id) if self._usage else None
        except Denied:
            if any(text_at(each, "AccessKeyId") == key_id for each in self._rows(user)):
                raise
            return None
        by = (text_at(used, "ServiceName"), text_at(used, "Region"))
        return Key(
            id=key_id,
            state=state_of(row),
            created_at=instant(row, "CreateDate"),
            last_used_at=instant(used, "LastUsedDate"),
            last_used_by=quoted(" in ".join(by)) if text_at(used, "LastUsedDate") and all(by) else "",
        )

    def _last_used(self, user: User, key_id: str) -> Element | None:
        answer = self._iam.ask(user, "GetAccessKeyLastUsed", accept=(GONE,), AccessKeyId=key_id)
        if answer.result is None:
            return None
        return answer.result.find("{*}GetAccessKeyLastUsedResult/{*}AccessKeyLastUsed")


def _addresses(read: Settings) -> tuple[Region, str | None, str]:
    """`base_url` is IAM's, and where it is set also that of STS, unless `sts_url` says another."""
    region = Region.read(read, DEFAULT_REGION)
    base_url = read.text("base_url") if read.has("base_url") else None
    return region, base_url, read.text("sts_url", base_url or f"https://{region.host('sts')}")


def _policy(arn: str, *, usage: bool) -> str:
    """Of GetAccessKeyLastUsed it is said that it wants every resource; not confirmed."""
    names = ("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey")
    actions = {f"iam:{each}": arn for each in names} | ({"iam:GetAccessKeyLastUsed": "*"} if usage else {})
    return json.dumps({"Version": "2012-10-17", "Statement": policy(actions)}, indent=2)


def _made_at(made: Element | None) -> Any:
    try:
        return instant(made, "CreateDate")
    except Transient:
        return None  # the key is there and its value is known: nothing else matters now


def _value(key: SigningKey) -> Secret:
    return Secret({"access_key_id": key.key_id, "secret_access_key": key.secret})


def _key_of(value: Secret) -> SigningKey:
    if not {"access_key_id", "secret_access_key"} <= set(value.names):
        raise Permanent("the value is no access key", "publish both {access_key_id} and {secret_access_key}")
    key = SigningKey(value.reveal("access_key_id"), value.reveal("secret_access_key"))
    if not key.sound:
        raise Permanent("the value does not look like an access key", "look who wrote it into the store")
    return key
