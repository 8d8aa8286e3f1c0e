"""Payloads as documents: a JSON object in UTF-8, of which the fields of others stay byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from rotator.adapters.stores import json_text
from rotator.domain.failures import Permanent
from rotator.domain.times import quoted

LARGEST = 64 * 1024
"""Bytes of a payload (https://docs.cloud.google.com/secret-manager/quotas)."""

EMPTY = b"{}"

T = TypeVar("T")


def fields_of(payload: bytes, ref: str) -> Mapping[str, str]:
    """All members; one that is no text is given as its JSON text. Raises Permanent where it is no JSON object."""
    return _object(ref, lambda: json_text.values(payload.decode()))


def edited(payload: bytes | None, changes: Mapping[str, str | None], ref: str) -> bytes:
    """The payload with these members set, or removed where the change is None; `EMPTY` when nothing is left.

    Raises Permanent where it is no JSON object, or is too large with them.
    """
    after = _object(ref, lambda: json_text.edited(None if payload is None else payload.decode(), changes))
    return _fitting(after.encode() if after is not None else EMPTY, ref)


def made_of(fields: Mapping[str, str], ref: str) -> bytes:
    """A document of ours. Raises Permanent where it is too large."""
    return _fitting(json.dumps(dict(fields)).encode(), ref)


def _object(ref: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except (Permanent, UnicodeDecodeError):
        pass  # raised below: beneath this handler the error would carry what was read as its context
    hint = "the rotator keeps fields in a JSON object: publish to a secret of its own, or make it one"
    raise Permanent(f"{quoted(ref)} holds no JSON object", hint)


def _fitting(payload: bytes, ref: str) -> bytes:
    if len(payload) <= LARGEST:
        return payload
    message = f"{quoted(ref)} would have {len(payload)} bytes, and a version of a secret holds {LARGEST}"
    raise Permanent(message, "publish to a secret of its own")
