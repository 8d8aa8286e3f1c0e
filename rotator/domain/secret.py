"""The value of a key, in a type that cannot be printed by accident."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rotator.domain import held

HIDDEN = held.HIDDEN
SECRET_TEXT = MappingProxyType({"rotator.secret": True})
"""Metadata of a dataclass's field that holds plain text and a secret in it: the codec treats it as a `Secret`."""


class Secret:
    """The parts of one key's value, by name: `{"secret": …}`, `{"user": …, "password": …}`.

    Neither `str`, `repr`, `format`, pickling nor copying shows a part; `reveal` and `parts` are the only ways to the
    text, and what calls them is easy to find. Two secrets are equal when all their parts are.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, str]) -> None:
        if not parts or not all(isinstance(text, str) for part in parts.items() for text in part):
            raise TypeError("a secret is a non-empty mapping of names to text")
        self._parts = dict(parts)
        held.HELD.parts(self._parts)

    def reveal(self, part: str) -> str:
        """The text of one part; KeyError when there is no such part."""
        return self._parts[part]

    def parts(self) -> dict[str, str]:
        """All parts in clear text: for a driver's request and the wire, for nothing else."""
        return dict(self._parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, sorted; these are no secret."""
        return tuple(sorted(self._parts))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __reduce__(self) -> str:
        raise TypeError("a secret is never pickled")


@dataclass(frozen=True, slots=True, repr=False)
class Fingerprinter:
    """Compares values without holding them: HMAC-SHA256 under a key derived from the installation's, truncated.

    64 bits: enough that two of an installation's few thousand values do not meet by chance, too few to be a
    verifier of the value for somebody who has no HMAC key.
    """

    key: bytes

    def of(self, value: Secret, part: str) -> str:
        """The fingerprint of a value by its secret part, 16 hexadecimal digits."""
        return self.of_text(value.reveal(part))

    def of_text(self, text: str) -> str:
        """The fingerprint of what may be the secret part of a value."""
        # What UTF-8 cannot say must not fail: `UnicodeEncodeError` holds the whole text.
        data = text.encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, data, hashlib.sha256).hex()[:16]

    def __repr__(self) -> str:
        return "Fingerprinter()"
