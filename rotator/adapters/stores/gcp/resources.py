"""How references and places are called in Secret Manager, and how a version of a place is written down.

A secret's id has letters, digits, `_` and `-`, at most 255 of them, and no slash
(https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create): a slash of a reference is
written `--`, and what could be mistaken for one is refused, so that no two references are one secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.adapters.stores.names import components, name_of
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent
from rotator.domain.times import quoted

LONGEST_ID = 255
PRIVATE = "rotator-"
"""What the ids of our own secrets begin with: a role for consumers must leave these out."""

REF, OF = "rotator-ref", "rotator-of"
"""Annotations of our own secrets: whose value it is, since the id holds digests alone."""

KIND = "rotator-kind"
"""Their label, for people who look for them: `gcloud secrets list --filter=labels.rotator-kind:*`."""

_PART = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*")
_TOKEN = re.compile(r"(0|[1-9][0-9]{0,17})@([\x21-\x7e]{1,200})")


@dataclass(frozen=True, slots=True)
class Token:
    """The version of a place: the number of a version, 0 for none, and the etag of the secret that it was read with."""

    number: int
    etag: str

    @classmethod
    def read(cls, text: str, ref: str) -> Token:
        """What `str` gave. Raises Conflict for anything else: no place has such a version."""
        match = _TOKEN.fullmatch(text)
        if not match:
            raise changed(ref)
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.number}@{self.etag}"


@dataclass(frozen=True, slots=True)
class Resources:
    """Names within one project, or within one of its locations for regional secrets."""

    project: str
    location: str | None = None

    @property
    def parent(self) -> str:
        """Where secrets are made and listed."""
        place = f"/locations/{self.location}" if self.location else ""
        return f"projects/{self.project}{place}"

    def secret(self, place: Place) -> str:
        """The secret of a place. Raises Permanent for a reference that cannot be one."""
        ident = secret_id(place.ref)
        if place.kind is not PlaceKind.CURRENT:
            ident = f"{private_prefix(place.ref)}-{place.kind.value}-{_digest(name_of(place.of))}"
        return f"{self.parent}/secrets/{ident}"


def secret_id(ref: str) -> str:
    """The id of what consumers read. Raises Permanent."""
    parts = components(ref, PRIVATE)
    ident = "--".join(parts)
    if not all(_PART.fullmatch(part) for part in parts) or len(ident) > LONGEST_ID:
        hint = "use letters, digits, _ and single hyphens between them; the slash of team/service is written -- there"
        raise Permanent(f"{quoted(ref)} cannot be the id of a secret", hint)
    if ident.startswith(PRIVATE):
        raise Permanent(f"{quoted(ref)} lies where the rotator keeps its own values", "publish to another reference")
    return ident


def private_prefix(ref: str) -> str:
    """What the ids of all pending and previous places of a reference begin with."""
    return f"{PRIVATE}{_digest(secret_id(ref))}"


def marks_of(place: Place) -> Mapping[str, str]:
    """The annotations of a secret of ours."""
    return {REF: place.ref, OF: name_of(place.of)}


def number_of(version: str) -> int:
    """The number at the end of a version's resource name."""
    return int(version.rpartition("/")[2])


def changed(ref: str) -> Conflict:
    """The place is not what was read."""
    return Conflict(f"{quoted(ref)} is not what was read any more", "look again")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
