"""A credential as the config declares it: where its keys live, where its value is published, who reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cache

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
        """The value whose rendering these fields are, or None when they are no such rendering.

        Text that can be read in several ways is read with the earlier parts as short as possible: ask whether
        `extract(render(value))` is `value` before publishing it. Takes time linear in the text, whoever wrote it.
        """
        parts: dict[str, str] = {}
        for name in sorted(self.fields, key=lambda each: len(_pieces(self.fields[each])[1])):
            found = _read(self.fields[name], fields.get(name, ""), parts)
            if found is None:
                return None
            parts = found
        return Secret(parts) if parts else None

    def parts(self) -> frozenset[str]:
        """The parts that the templates mention."""
        return frozenset(part for text in self.fields.values() for part in _PART.findall(text))


_READINGS = 1000
"""How many ways to split a text are tried where a template mentions a part twice; more is nobody's honest value."""


@cache
def _pieces(template: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text before the first part, and each part with the text behind it."""
    first, *rest = _PART.split(template)
    return first, tuple(zip(rest[::2], rest[1::2], strict=True))


def _read(template: str, text: str, known: Mapping[str, str]) -> dict[str, str] | None:
    """The template read backwards, with what is known of the parts already; None when the text is no rendering."""
    first, pieces = _pieces(template)
    if not text.startswith(first):
        return None
    return _Reading(text).onwards(pieces, len(first), dict(known))


class _Reading:
    """One text read by a template. No regular expression: strangers write documents, and backtracking takes years."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._readings = 0

    def onwards(self, pieces: tuple[tuple[str, str], ...], at: int, known: dict[str, str]) -> dict[str, str] | None:
        """The parts of these pieces as they stand from `at` to the very end."""
        if not pieces:
            return known if at == len(self._text) else None
        (part, behind), rest = pieces[0], pieces[1:]
        if part in known:
            mention = known[part] + behind
            return self.onwards(rest, at + len(mention), known) if self._text.startswith(mention, at) else None
        # An earlier end leaves the others most room, so a later one helps only where a part is mentioned again.
        ends = self._ends(behind, at + 1, last=not rest)
        repeats = len({part, *known, *(each for each, _ in rest)}) < 1 + len(known) + len(rest)
        for end in ends:
            self._readings += 1
            found = self.onwards(rest, end + len(behind), {**known, part: self._text[at:end]})
            if found is not None or not repeats or self._readings >= _READINGS:
                return found
        return None

    def _ends(self, behind: str, start: int, *, last: bool) -> Iterator[int]:
        """Where a part that begins before `start` may end: at the end of everything, or wherever `behind` follows."""
        if last:
            end = len(self._text) - len(behind)
            if end >= start and self._text.endswith(behind):
                yield end
            return
        while (end := self._text.find(behind, start)) >= 0:
            yield end
            start = end + 1


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
    lifetime: timedelta | None = None  # after which the provider lets the key end by itself
    consumers: tuple[str, ...] = ()

    def publication(self, store: str, ref: str) -> Publication:
        """The entry for a store and ref; Permanent when the config no longer has it."""
        for each in self.publish:
            if (each.store, each.ref) == (store, ref):
                return each
        raise Permanent(f"{self.name} is no longer published to {store}:{ref}", "put the place back into the config")
