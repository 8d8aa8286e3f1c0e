"""What the table `auth` says: where keys come from. Each method opens what it names and nothing else.

    {method: static, access_key_id: AKIA…, secret_access_key: file:…, session_token: file:…}
    {method: profile, profile: rotator, file: /etc/rotator/aws-credentials, credential_process: refused | allowed}
    {method: imds}                                    # an EC2 instance's role, IMDSv2 alone
    {method: irsa, role_arn: arn:…, token_file: /…}   # a pod's service account; EKS sets both by variables
    {method: role, role_arn: arn:…, external_id: …, session_name: …, source: {method: …}}

Not there: the credentials of ECS tasks and of EKS Pod Identity, SSO, and profiles that name a role.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rotator.adapters.clients.resolving import Resolve
from rotator.adapters.stores.aws.access import Source
from rotator.adapters.stores.aws.imds import ADDRESS, Imds
from rotator.adapters.stores.aws.profile import Profile, profile_reach
from rotator.adapters.stores.aws.role import AssumedRole, WebIdentity, web_identity_reach
from rotator.adapters.stores.aws.settings import public_address
from rotator.adapters.stores.aws.static import Static
from rotator.adapters.stores.aws.wire import Wire
from rotator.domain.address import address_in
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError

METHODS = ("irsa", "imds", "profile", "static", "role")
KNOWN = (
    "method",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "profile",
    "file",
    "credential_process",
    "address",
    "role_arn",
    "token_file",
    "external_id",
    "session_name",
    "sts_url",
    "source",
)


def source_in(settings: Settings, key: str, wire: Wire, resolve: Resolve) -> Source:
    """Where the keys of the table at `key` come from. No request. Raises `SettingsError`."""
    auth = settings.table(key, KNOWN)
    method = auth.choice("method", METHODS)
    if method == "static":
        return _static(auth, resolve)
    if method == "profile":
        return _profile(auth)
    if method == "imds":
        auth.only("method", "address")
        return Imds(_imds_address(auth))
    if method == "irsa":
        return _web_identity(auth, wire)
    return _role(auth, wire, resolve)


def reach_in(settings: Settings, key: str, region: str, environment: Mapping[str, str] = os.environ) -> Reach:
    """What that takes beside its references. Raises `SettingsError`."""
    auth = settings.table(key, KNOWN)
    method = auth.choice("method", METHODS)
    if method == "static":
        return Reach()
    if method == "profile":
        return profile_reach(_profile_file(auth), environment)
    if method == "imds":
        return Reach(hosts=host_of(_imds_address(auth)))
    sts = Reach(hosts=host_of(_sts_url(auth) or public_address("sts", region)))
    if method == "irsa":
        return sts + web_identity_reach(_token_file(auth), environment)
    return sts + reach_in(auth, "source", region, environment)


def _imds_address(auth: Settings) -> str:
    link_local = "169.254.169.254"
    return address_in(auth, "address", ADDRESS, near=link_local) if auth.has("address") else ADDRESS


def _static(auth: Settings, resolve: Resolve) -> Source:
    auth.only("method", "access_key_id", "secret_access_key", "session_token")
    token = auth.reference("session_token") if auth.has("session_token") else None
    return Static(auth.text("access_key_id"), auth.reference("secret_access_key"), token, resolve)


def _profile(auth: Settings) -> Source:
    auth.only("method", "profile", "file", "credential_process")
    may_run = auth.choice("credential_process", ("refused", "allowed"), "refused") == "allowed"
    return Profile(auth.text("profile"), _profile_file(auth), may_run=may_run)


def _profile_file(auth: Settings) -> Path:
    return auth.path("file") if auth.has("file") else Path("~/.aws/credentials")


def _web_identity(auth: Settings, wire: Wire) -> Source:
    auth.only("method", "role_arn", "token_file", "session_name", "sts_url")
    role_arn = _role_arn(auth) if auth.has("role_arn") else None
    return WebIdentity(wire, role_arn, _token_file(auth), _session_name(auth), _sts_url(auth))


def _token_file(auth: Settings) -> Path | None:
    return auth.path("token_file") if auth.has("token_file") else None


def _role(auth: Settings, wire: Wire, resolve: Resolve) -> Source:
    auth.only("method", "role_arn", "external_id", "session_name", "sts_url", "source")
    source = source_in(auth, "source", wire, resolve)
    if isinstance(source, AssumedRole):
        raise SettingsError("auth.source is a role itself", "write one of: irsa, imds, profile, static")
    external_id = auth.text("external_id") if auth.has("external_id") else None
    return AssumedRole(wire, source, _role_arn(auth), external_id, _session_name(auth), _sts_url(auth))


def _role_arn(auth: Settings) -> str:
    arn = auth.text("role_arn")
    if not arn.startswith("arn:") or ":role/" not in arn:
        raise SettingsError("auth.role_arn is no ARN of a role", "write it like arn:aws:iam::111122223333:role/rotator")
    return arn


def _session_name(auth: Settings) -> str:
    return auth.text("session_name", "rotator")


def _sts_url(auth: Settings) -> str | None:
    return address_in(auth, "sts_url", "https://sts.eu-west-1.amazonaws.com") if auth.has("sts_url") else None
