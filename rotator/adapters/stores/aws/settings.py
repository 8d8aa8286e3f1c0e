"""The `aws` store's settings that are words of AWS's."""

from __future__ import annotations

import re

from rotator.adapters.stores.aws.secret_names import ALLOWED
from rotator.adapters.stores.settings import Settings, SettingsError

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


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
