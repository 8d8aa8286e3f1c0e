"""What was made in an account, as IAM's own lists tell: users, roles, identity providers, access keys of every user.

IAM tells when, and never who: that is in CloudTrail alone, which needs another service and is not read. A list of
OpenID Connect providers has no times, so each is told without one. Needs iam:ListUsers, iam:ListRoles,
iam:ListAccessKeys, iam:ListSAMLProviders and iam:ListOpenIDConnectProviders on every resource, which the least policy
for rotating does not have. (https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rotator.sdk import Made, MadeKind, Transient

from .iam import Iam, User, instant
from .wire import text_at

MOST_USERS = 100
"""Whose keys are looked through, at a request each."""
LISTS = (
    # action, where its members are, what they are, the member that identifies
    ("ListUsers", "Users", MadeKind.USER, "Arn"),
    ("ListRoles", "Roles", MadeKind.ROLE, "Arn"),
    ("ListSAMLProviders", "SAMLProviderList", MadeKind.FEDERATION, "Arn"),
    ("ListOpenIDConnectProviders", "OpenIDConnectProviderList", MadeKind.FEDERATION, "Arn"),
)
SERVICE_ROLES = "/aws-service-role/"
"""The path of roles that AWS makes for its own services."""


def made_since(iam: Iam, since: datetime) -> tuple[Made, ...]:
    """What is there and was made since then. Raises what IAM's lists raise."""
    users: list[str] = []
    found = [made for made in _listed(iam, users) if made.at is None or made.at >= since]
    for name in users[:MOST_USERS]:
        found += _keys(iam, name, since)
    if len(users) > MOST_USERS:
        more = f"access keys of {len(users) - MOST_USERS} users more"
        found.append(Made(kind=MadeKind.OTHER, id=more, name="not looked at: see the credential report"))
    return tuple(found)


def _listed(iam: Iam, users: list[str]) -> Iterator[Made]:
    for action, members, kind, identity in LISTS:
        for row in iam.account(action, f"{action}Result/{members}/member"):
            name = text_at(row, kind.value.capitalize() + "Name")
            if kind is MadeKind.USER:
                users.append(name)
            if not text_at(row, identity):
                raise Transient(f"IAM answers {action} without an {identity}")
            if text_at(row, "Path").startswith(SERVICE_ROLES):
                continue
            yield Made(kind=kind, id=text_at(row, identity), name=name, at=instant(row, "CreateDate"), there=True)


def _keys(iam: Iam, name: str, since: datetime) -> Iterator[Made]:
    for row in iam.members(User("", name), "ListAccessKeys", "ListAccessKeysResult/AccessKeyMetadata/member"):
        at = instant(row, "CreateDate")
        if at is None or at >= since:
            key_id = text_at(row, "AccessKeyId")
            yield Made(kind=MadeKind.KEY, id=key_id, where=name, at=at, there=True)
