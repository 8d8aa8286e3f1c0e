"""Long-term API keys of Amazon Bedrock: service-specific credentials of an IAM user, two at most, without a mark.

    providers:
      bedrock: {driver: bedrock, admin: file:/run/secrets/aws-admin, region: eu-west-1}    # base_url, bedrock_url
    credentials:
      agents: {provider: bedrock, principal: {user: bedrock/agents, exclusive: true}, …}

What AWS does, and where that is said:

- A user has at most two for each service, inactive ones counted (API_CreateServiceSpecificCredential). The secret is in
  the answer to its making alone; ResetServiceSpecificCredential, which replaces it at once, is never used.
- `CredentialAgeDays` is the lifetime, 1 to 36600 days; a shorter one is a day, and parts of a day are rounded up.
- Making the first one in the console attaches the policy AmazonBedrockLimitedAccess to the user; IAM's API does not,
  so the user needs a policy (Bedrock User Guide, "API keys"). `bedrock:CallWithBearerToken` governs their use.
- `verify` lists foundation models. A key that is nobody's is 403 with "Authentication failed: Please make sure your API
  Key is valid" (seen in issues of anomalyco/opencode and others; no page has it), a living one that may not list them
  is 403 with other words: so no status alone is a proof, and there is no plain HTTP probe. Whether an inactive key is
  refused in the first words is not confirmed; a rotation whose proof sees others ends stuck and says so.
- Use is told by CloudTrail alone. The value is never told again, so AWS does not say whose it is.
- Short-term keys are made by whoever has credentials, without IAM: they are none of these.

Nothing here was tried on AWS.

The console's page: from memory, not checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    UNMARKED,
    Ambiguous,
    Capabilities,
    Disabling,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    Settings,
    Transient,
    Verdict,
)
from rotator.sdk.http import BaseUrl, Client, bearer

from .admin import admin_key
from .answers import GONE
from .iam import STATUSES, Iam, Region, User, Windows, instant, policy, state_of
from .wire import text_at

SERVICE = "bedrock.amazonaws.com"
MODELS = "/foundation-models"
INVALID = "Please make sure your API Key is valid"
LONGEST_AGE = 36_600
NOBODYS = "ACCA0000000000000000"
"""An id that no credential can have: they are base 32, which has no zero. Acting on it tells what we may, no more."""
_ID = re.compile(r"[A-Za-z0-9_]{20,128}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class BedrockKeys:
    """IAM with one admin key, and Bedrock of one region; a `Provider`."""

    def __init__(self, iam: Iam, bedrock: Client, windows: Windows) -> None:
        self._iam = iam
        self._bedrock = bedrock
        self._windows = windows

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        region, base_url, bedrock_url = _addresses(read)
        windows = Windows.read(read)
        read.finish()
        iam = Iam.opened(region, base_url, admin_key(admin, name), timeout)
        return cls(iam, Client(bedrock_url, timeout=timeout), windows)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """IAM and the region's Bedrock."""
        region, base_url, bedrock_url = _addresses(Settings(settings))
        return Reach(hosts=(BaseUrl.parse(base_url or f"https://{region.iam}").name, BaseUrl.parse(bedrock_url).name))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every user but for the policy. Raises `Permanent` for a principal that is no user."""
        user = User.of(principal)
        return Capabilities(
            strategy=UNMARKED,
            cap=2,
            disabling=Disabling.REVERSIBLE,
            expiry=True,
            propagation=self._windows.propagation,
            death_window=self._windows.death,
            list_lag=self._windows.list_lag,
            least_permission=_policy(user.arn(self._iam.partition)),
            console_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
        )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One CreateServiceSpecificCredential."""
        age = {} if request.lifetime is None else {"CredentialAgeDays": str(_days(request.lifetime))}
        action = "CreateServiceSpecificCredential"
        answer = self._iam.ask(User.of(principal), action, once=True, ServiceName=SERVICE, **age)
        path = f"{{*}}{action}Result/{{*}}ServiceSpecificCredential"
        made = answer.result.find(path) if answer.result is not None else None
        key_id, secret = text_at(made, "ServiceSpecificCredentialId"), text_at(made, "ServiceCredentialSecret")
        if not _ID.fullmatch(key_id) or not _PRINTABLE.fullmatch(secret):
            raise Ambiguous("IAM answered without a usable key, so there may be one", "look at the user's keys")
        return Minted(key_id=key_id, value=Secret({"secret": secret}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """The user's credentials for Bedrock, those for other services left out."""
        action = "ListServiceSpecificCredentials"
        path = f"{action}Result/ServiceSpecificCredentials/member"
        rows = self._iam.members(User.of(principal), action, path, ServiceName=SERVICE)
        found = [(text_at(row, "ServiceSpecificCredentialId"), row) for row in rows]
        if not all(_ID.fullmatch(key_id) for key_id, _ in found):
            raise Transient("IAM lists a credential without an id")
        return tuple(
            Key(
                id=key_id,
                state=state_of(row),
                created_at=instant(row, "CreateDate"),
                expires_at=instant(row, "ExpirationDate"),
            )
            for key_id, row in found
        )

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """List the foundation models. `INVALID` by Bedrock's words alone: it says 403 to much else."""
        shown = bearer(value.reveal("secret"))
        answer = self._bedrock.get(MODELS, headers=shown, expect=(200, 401, 403))
        if answer.status == 200:
            return Verdict.WORKS
        if answer.status == 401:
            raise Permanent(f"{self._bedrock.base.name} takes no API keys", "look at bedrock_url")
        body = answer.body if isinstance(answer.body, dict) else {}
        said = body.get("Message") or body.get("message")
        return Verdict.INVALID if isinstance(said, str) and INVALID in said else Verdict.FORBIDDEN

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """AWS does not tell."""
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One request; NoSuchEntity is done already. What cannot be an id is nobody's, and nothing is sent."""
        user = User.of(principal)
        if not _ID.fullmatch(key_id):
            return
        if state is KeyState.DELETED:
            self._iam.ask(user, "DeleteServiceSpecificCredential", accept=(GONE,), ServiceSpecificCredentialId=key_id)
        else:
            status, action = STATUSES[state], "UpdateServiceSpecificCredential"
            self._iam.ask(user, action, accept=(GONE,), ServiceSpecificCredentialId=key_id, Status=status)

    def check_admin(self, principal: Principal) -> None:
        """Look at the user's credentials, and act on one that cannot exist: AWS asks for the permission first.

        Whether making one is allowed can be told by making one alone, so it is not.
        """
        self.keys(principal)
        for state in (KeyState.DISABLED, KeyState.DELETED):
            self.set_state(principal, NOBODYS, state)


def _addresses(read: Settings) -> tuple[Region, str | None, str]:
    """`base_url` is IAM's. A region has to be named: Bedrock is asked there."""
    region = Region.read(read, None)
    base_url = read.text("base_url") if read.has("base_url") else None
    return region, base_url, read.text("bedrock_url", f"https://{region.host('bedrock')}")


def _days(lifetime: timedelta) -> int:
    whole, rest = divmod(lifetime, timedelta(days=1))
    return min(max(whole + bool(rest), 1), LONGEST_AGE)


def _policy(arn: str) -> str:
    """With the condition that keeps it from credentials of other services."""
    names = ("Create", "Delete", "List", "Update")
    actions = {f"iam:{each}ServiceSpecificCredential{'s' if each == 'List' else ''}": arn for each in names}
    condition = {"StringEquals": {"iam:ServiceSpecificCredentialServiceName": SERVICE}}
    statements: list[Any] = [
        *policy({each: on for each, on in actions.items() if "Create" not in each}),
        *(
            {**each, "Condition": condition}
            for each in policy({each: on for each, on in actions.items() if "Create" in each})
        ),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
