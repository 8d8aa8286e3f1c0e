"""A credential as the config declares it: where its keys live, where its value is published, who reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rotator.domain.failures import Permanent
from rotator.domain.policy import Policy
from rotator.domain.secret import Secret

_PART = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The identity at a provider under which a credential's keys live.

    `settings` are the driver's own words for it (`service_account`, `roles`, …). `exclusive`: every live key of it
    is this credential's.
    """

    name: str
    exclusive: bool = False
    settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.exclusive))


class PlaceKind(StrEnum):
    """Which of a credential's values a place holds."""

    CURRENT = "current"  # what consumers read
    PENDING = "pending"  # one per rotation, where consumers cannot read
    PREVIOUS = "previous"  # one per key, where consumers cannot read


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one value is within a store: `of` names the rotation of a pending and the key of a previous place.

    `fields` are the names that are ours in the document at `ref`; the others belong to somebody else.
    """

    ref: str
    kind: PlaceKind
    of: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One entry of `publish`: a store, a reference in it, and templates by field, e.g. `{"url": "pg://{user}:…"}`."""

    store: str
    ref: str
    fields: Mapping[str, str]

    def __hash__(self) -> int:
        return hash((self.store, self.ref))

    @property
    def place(self) -> Place:
        """The place that consumers read."""
        return Place(ref=self.ref, kind=PlaceKind.CURRENT, fields=tuple(self.fields))

    def pending(self, rotation: str) -> Place:
        """The place of a rotation's new value until it is promoted."""
        return Place(ref=self.ref, kind=PlaceKind.PENDING, of=rotation)

    def previous(self, key_id: str) -> Place:
        """The place of an old key's value until its death is proven."""
        return Place(ref=self.ref, kind=PlaceKind.PREVIOUS, of=key_id)

    def render(self, value: Secret) -> dict[str, str]:
        """The fields as consumers will read them."""
        return {name: _PART.sub(lambda m: value.reveal(m[1]), text) for name, text in self.fields.items()}

    def extract(self, fields: Mapping[str, str]) -> Secret | None:
        """The value whose rendering these fields are, or None when they are no such rendering."""
        parts: dict[str, str] = {}
        for name, template in self.fields.items():
            found = _pattern(template).fullmatch(fields.get(name, ""))
            if found is None:
                return None
            for part, text in found.groupdict().items():
                if parts.setdefault(part, text) != text:
                    return None
        return Secret(parts) if parts else None

    def parts(self) -> frozenset[str]:
        """The parts that the templates mention."""
        return frozenset(part for text in self.fields.values() for part in _PART.findall(text))


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(template: str) -> re.Pattern[str]:
    """The template read backwards: each part once as a group, later mentions as references to it."""
    if template not in _PATTERNS:
        seen: set[str] = set()
        text, end = "", 0
        for found in _PART.finditer(template):
            part = found[1]
            text += re.escape(template[end : found.start()])
            text += f"(?P={part})" if part in seen else f"(?P<{part}>(?s:.+?))"
            seen.add(part)
            end = found.end()
        _PATTERNS[template] = re.compile(text + re.escape(template[end:]))
    return _PATTERNS[template]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A logical secret under management: one config entry, one row."""

    name: str
    provider: str
    principal: Principal
    publish: tuple[Publication, ...]
    policy: Policy
    owner: str = ""
    tags: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()  # what the key may do
    consumers: tuple[str, ...] = ()

    def publication(self, store: str, ref: str) -> Publication:
        """The entry for a store and ref; Permanent when the config no longer has it."""
        for each in self.publish:
            if (each.store, each.ref) == (store, ref):
                return each
        raise Permanent(f"{self.name} is no longer published to {store}:{ref}", "put the place back into the config")
