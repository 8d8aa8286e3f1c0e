"""What an API server checks of Secrets, and of everybody's names, labels and annotations.

https://kubernetes.io/docs/concepts/configuration/secret/ and
https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.servers.kubernetes.objects import SECRETS, Call, Object, bad_request, invalid

LARGEST = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}


def normalise(after: Object) -> None:
    """Fold `stringData` into `data` and give a type, as an API server does before anything else."""
    for key, text in (after.pop("stringData", None) or {}).items():
        after.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
    after.setdefault("type", "Opaque")
    if not after.get("data"):
        after.pop("data", None)


def check_metadata(call: Call, after: Object) -> None:
    """Raises `Refusal` for a name, a label or an annotation that cannot be one."""
    metadata = after["metadata"]
    if not _NAME.fullmatch(metadata["name"]):
        raise invalid(call.resource, metadata["name"], "metadata.name", "Invalid value")
    for key, text in (metadata.get("labels") or {}).items():
        if not _LABEL_VALUE.fullmatch(text):
            raise invalid(call.resource, metadata["name"], f"metadata.labels[{key}]", "must be no more than 63 bytes")
    template = ((after.get("spec") or {}).get("template") or {}).get("metadata") or {}
    for where, each in (("metadata", metadata), ("spec.template.metadata", template)):
        _check_annotations(call, metadata["name"], f"{where}.annotations", each.get("annotations") or {})


def _check_annotations(call: Call, name: str, where: str, annotations: Mapping[str, Any]) -> None:
    if not all(isinstance(text, str) for text in annotations.values()):
        raise bad_request(f"{call.resource.kind} in version {call.resource.version} cannot be handled: no string")
    for key in annotations:
        prefix, slash, last = key.rpartition("/")
        if not _QUALIFIED.fullmatch(last) or (slash and not _NAME.fullmatch(prefix)):
            raise invalid(call.resource, name, where, f"Invalid value: {key!r}")
    if sum(len(text.encode()) for text in annotations.values()) > 256 * 1024:
        raise invalid(call.resource, name, where, "Too long")


def check_secret(name: str, before: Object | None, after: Object) -> None:
    """Raises `Refusal` for a Secret that may not be as it is."""
    data = _decoded(after.get("data") or {})
    for key in data:
        if not _KEY.fullmatch(key):
            raise invalid(SECRETS, name, f"data[{key}]", "Invalid value")
    if sum(map(len, data.values())) > LARGEST:
        raise invalid(SECRETS, name, "data", "Too long: must have at most 1048576 bytes")
    if before is not None:
        _check_change(name, before, after)
    for key in _REQUIRED.get(after["type"], ()):
        if key not in data:
            raise invalid(SECRETS, name, f"data[{key}]", "Required value")
    if after["type"] == "kubernetes.io/dockerconfigjson":
        _check_json(name, data[".dockerconfigjson"])


def _check_change(name: str, before: Object, after: Object) -> None:
    if before["type"] != after["type"]:
        raise invalid(SECRETS, name, "type", "Invalid value: field is immutable")
    if before.get("immutable"):
        if not after.get("immutable"):
            raise invalid(SECRETS, name, "immutable", "field is immutable when `immutable` is set")
        if before.get("data") != after.get("data"):
            raise invalid(SECRETS, name, "data", "field is immutable when `immutable` is set")


def _check_json(name: str, text: bytes) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise invalid(SECRETS, name, "data[.dockerconfigjson]", "<secret contents redacted>") from None


def _decoded(data: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return {key: base64.b64decode(text, validate=True) for key, text in data.items()}
    except (binascii.Error, TypeError, ValueError):
        raise bad_request("Secret in version v1 cannot be handled: illegal base64 data at input byte 0") from None
