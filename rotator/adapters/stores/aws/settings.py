"""The `aws` store's settings that are words of AWS's."""

from __future__ import annotations

import re

from rotator.adapters.stores.aws.secret_names import ALLOWED
from rotator.domain.settings import Settings, SettingsError

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


_SUFFIXES = {
    "cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
}  # fmt: skip
"""What hosts end with where it is not amazonaws.com, by how the region begins (`partitions.json` of botocore 1.44)."""


def public_address(service: str, region: str) -> str:
    """Where a service of a region is, if the settings name no other address."""
    suffix = next((each for start, each in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
    return f"https://{service}.{region}.{suffix}"


def region_in(given: Settings) -> str:
    """The region, which is never guessed: the same name is another secret in another region."""
    region = given.text("region")
    if not _REGION.fullmatch(region):
        raise SettingsError("region is no name of a region", "write it like eu-west-1")
    return region


def private_in(given: Settings) -> str:
    """How the names of private secrets begin."""
    private = given.text("private", "rotator").strip("/")
    if not ALLOWED.fullmatch(private) or any(part in ("", ".", "..") for part in private.split("/")):
        raise SettingsError("private is no beginning of a secret's name", "write it like rotator or team/rotator")
    return private


def kms_key_in(given: Settings) -> str | None:
    """The ARN of a key, as a policy needs it; None where none is named."""
    if not given.has("kms_key"):
        return None
    key = given.text("kms_key")
    if not key.startswith("arn:") or ":kms:" not in key:
        hint = "write it like arn:aws:kms:eu-west-1:111122223333:key/1234abcd-…"
        raise SettingsError("kms_key is no ARN of a key", hint)
    return key
