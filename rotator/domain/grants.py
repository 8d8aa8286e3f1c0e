"""Who may read which credential, and by what way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """As whom a consumer runs. `reads`: credentials by name, `STORE:REF` where `*` is anything, or `tag:TAG`."""

    name: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One way to a credential. `path`: from the consumer to what the identity reads, or to the credential itself."""

    credential: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return " → ".join(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """All ways of one consumer, by credential. `unknown`: identities of which nobody says what they read."""

    grants: tuple[Grant, ...]
    unknown: tuple[str, ...] = ()

    @property
    def credentials(self) -> tuple[str, ...]:
        """Their names, each once."""
        return tuple(dict.fromkeys(grant.credential for grant in self.grants))
