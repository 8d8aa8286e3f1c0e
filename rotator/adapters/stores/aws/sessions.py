"""Keys of a session, as STS, the metadata service and credential processes write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rotator.adapters.stores.aws.access import Keys


def session_keys(found: Mapping[str, Any], token: str = "SessionToken") -> Keys:  # noqa: S107 - a member's name
    """The keys; `token` is the name of the member that holds the session's. Raises KeyError, TypeError, ValueError."""
    expires = found.get("Expiration")
    if isinstance(expires, str):
        expires = datetime.fromisoformat(expires)
    if isinstance(expires, datetime) and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    session = found.get(token)
    texts = (found["AccessKeyId"], found["SecretAccessKey"], *(() if session is None else (session,)))
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], session, expires)
