"""How far a look goes, and what it came to: what was looked at, and what was not and why."""

from __future__ import annotations

from dataclasses import dataclass, field

MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a look goes. `file`: bytes of one file or member; `held`: of one that must be held in memory whole.

    `depth`: archives and compressions within each other. `total`: bytes altogether, unpacked. `files`: also members.
    """

    file: int = 2048 * MEBI
    held: int = 256 * MEBI
    total: int = 64 * 1024 * MEBI
    files: int = 2_000_000
    depth: int = 10


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A file, or what is within it: `members` are names from the outside in. `path` is `-` for standard input."""

    path: str
    members: tuple[str, ...] = ()

    def within(self, member: str) -> Where:
        """Something in it."""
        return Where(self.path, (*self.members, member))

    def __str__(self) -> str:
        return "!".join((self.path, *self.members))


@dataclass(slots=True)
class Looked:
    """The sum of a look. `missed`: what could not be looked at, and why, each once; `links` were not followed."""

    files: int = 0
    members: int = 0
    bytes: int = 0
    links: int = 0
    special: int = 0
    processes: int = 0
    missed: dict[str, str] = field(default_factory=dict)

    def miss(self, where: Where | str, why: str) -> None:
        """Remember what was not looked at, the first reason for each."""
        self.missed.setdefault(str(where), why)
