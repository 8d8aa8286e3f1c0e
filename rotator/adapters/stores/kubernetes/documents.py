"""Secrets as documents: what is ours in one, what its type allows, and how ours are named and marked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.adapters.clients.kubernetes.answers import immutable, too_large
from rotator.adapters.clients.kubernetes.client import MANAGER
from rotator.adapters.clients.kubernetes.resources import is_name, is_namespace
from rotator.adapters.stores.names import components
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Permanent, Transient
from rotator.domain.times import quoted

REF, KIND, OF = f"{MANAGER}/ref", f"{MANAGER}/kind", f"{MANAGER}/of"
WRITE = f"{MANAGER}/write"
"""An annotation that is new with every write: the API server gives no new version to an object that did not change."""
MADE = f"{MANAGER}/made"
"""An annotation of Secrets that we made ourselves, and so may delete when nothing is left in them."""

LARGEST_SECRET = 1024 * 1024
"""Bytes of all values: https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size"""

_FIELD = re.compile(r"[A-Za-z0-9._-]{1,253}")

_FIELDS_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/service-account-token": (),
    "bootstrap.kubernetes.io/token": (),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/basic-auth": ("username", "password"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key", "ca.crt"),
}
"""https://kubernetes.io/docs/concepts/configuration/secret/#secret-types; any other type is somebody's own.

The cluster writes tokens of service accounts itself and would overwrite ours; a bootstrap token lets machines join.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a Secret is."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def spot_of(ref: str, namespace: str | None, private: str) -> Spot:
    """Read `namespace/name`, or `name` where there is a default namespace. Raises Permanent."""
    parts = components(ref, private)
    if len(parts) == 1 and namespace is not None:
        parts = components(f"{namespace}/{ref}", private)
    if len(parts) != 2 or not is_namespace(parts[0]) or not is_name(parts[1]):
        hint = "write namespace/name, in lower-case letters, digits, dashes and dots"
        raise Permanent(f"{quoted(ref)} is no reference to a Secret", hint)
    return Spot(namespace=parts[0], name=parts[1])


def private_name(spot: Spot, kind: PlaceKind, of: str) -> str:
    """The name of the Secret that holds a pending or previous value. Raises Permanent where there is no `of`."""
    if not 0 < len(of) <= 1024:
        raise Permanent(f"{quoted(of)} is too long to be a name, or empty", "a key's id has at most 1024 characters")
    text = json.dumps([str(spot), kind.value, of])
    return f"{MANAGER}-{kind.value}-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def label_of(spot: Spot) -> str:
    """A reference as a label's value, which has at most 63 characters and no slash."""
    return hashlib.sha256(str(spot).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A Secret as the API server gave it."""

    spot: Spot
    object: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Grows with every change of anything in the cluster, so a Secret that is made again never has an old one."""
        return str(self._metadata.get("resourceVersion") or "")

    @property
    def uid(self) -> str:
        """Another one for a Secret that is made again."""
        return str(self._metadata.get("uid") or "")

    @property
    def made_by_us(self) -> bool:
        """Whether it is here only because of us."""
        annotations = self._metadata.get("annotations")
        return isinstance(annotations, dict) and MADE in annotations

    @property
    def data(self) -> Mapping[str, str]:
        """Everybody's fields, in base64."""
        found = self.object.get("data")
        return found if isinstance(found, dict) else {}

    def texts(self, names: Collection[str]) -> dict[str, str]:
        """These fields, as far as they are there. Raises Permanent for one that is no text."""
        return {name: self._text(name) for name in names if name in self.data}

    def check_takes(self, fields: Mapping[str, str]) -> None:
        """Raise Permanent, or Transient for a Secret that is about to vanish, unless it can take these fields."""
        if self.object.get("immutable") is True:
            raise immutable(str(self.spot))
        if self._metadata.get("deletionTimestamp"):
            hint = (
                f"`kubectl get secret {self.spot.name} --namespace {self.spot.namespace} -o yaml` shows its finalizers"
            )
            raise Transient(f"the Secret {self.spot} is being deleted", hint)
        kind = str(self.object.get("type") or "Opaque")
        allowed = _FIELDS_OF_TYPE.get(kind)
        other = [name for name in fields if allowed is not None and name not in allowed]
        if other:
            hint = f"it has {', '.join(allowed or ()) or 'none of ours'}; publish to a Secret of type Opaque"
            raise Permanent(f"the Secret {self.spot} is of type {kind}, which has no field {other[0]}", hint)
        others = sum(len(text) * 3 // 4 for name, text in self.data.items() if name not in fields)
        if others + sum(len(text.encode()) for text in fields.values()) > LARGEST_SECRET:
            raise too_large(str(self.spot))

    @property
    def _metadata(self) -> Mapping[str, Any]:
        found = self.object.get("metadata")
        return found if isinstance(found, dict) else {}

    def _text(self, name: str) -> str:
        try:
            return base64.b64decode(self.data[name], validate=True).decode()
        except (binascii.Error, ValueError, TypeError):
            message = f"the field {name} of the Secret {self.spot} holds bytes that are no text"
        raise Permanent(message, "publish to another field, or remove what is there")


def check_names(fields: Collection[str]) -> None:
    """Raise Permanent unless each can be a key of a Secret."""
    for name in fields:
        if not _FIELD.fullmatch(name) or name in (".", "..") or name.startswith(".."):
            hint = "write letters, digits, dots, dashes and underscores"
            raise Permanent(f"{quoted(name)} cannot be a field of a Secret", hint)


def encoded(fields: Mapping[str, str]) -> dict[str, str]:
    """Values as a Secret has them."""
    return {name: base64.b64encode(text.encode()).decode() for name, text in fields.items()}


def new_secret(spot: Spot, place: Place, ref: Spot, fields: Mapping[str, str]) -> dict[str, Any]:
    """A Secret that does not exist yet; a private one says whose it is, `ref` being what it is private to."""
    metadata: dict[str, Any] = {"name": spot.name, "namespace": spot.namespace, "annotations": fresh_annotations()}
    metadata["annotations"][MADE] = "true"
    metadata["labels"] = {"app.kubernetes.io/managed-by": MANAGER}
    if place.kind is not PlaceKind.CURRENT:
        metadata["labels"] |= {KIND: place.kind.value, REF: label_of(ref)}
        metadata["annotations"] |= {REF: str(ref), OF: place.of}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded(fields)}


def fresh_annotations() -> dict[str, str]:
    """What makes a write a change even if every value stays."""
    return {WRITE: secrets.token_hex(8)}
