"""What an audit can say: findings, what could not be judged, and signals of who is behind a package."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rotator.domain.packages import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One record, or one word of another tool, that is about one component.

    `sure`: whether the component is affected; else it could not be told, and `why` says why not. `any_version`: the
    record names no version at all. `fixed`: versions in which it is mended. `source`: who says it.
    """

    package: Package
    version: str
    ids: tuple[str, ...]
    source: str
    sure: bool = True
    why: str = ""
    malicious: bool = False
    any_version: bool = False
    summary: str = ""
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A component that is affected by one thing, with all names of that thing. `where`: the inventories that have it.

    `ours`: one of them is the rotator's own.
    """

    package: Package
    version: str
    ids: tuple[str, ...]
    malicious: bool
    any_version: bool
    summary: str
    fixed: tuple[str, ...]
    sources: tuple[str, ...]
    where: tuple[str, ...]
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """What cannot be said to be clean. `what`: for people; `ids`: records that may be about it."""

    what: str
    why: str
    ids: tuple[str, ...] = ()
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A record about a component that was taken back."""

    package: Package
    version: str
    id: str
    since: datetime
    summary: str


class State(StrEnum):
    """What a signal says. Missing data is `unknown`, which is neither of the others."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


VANISHED, STATUS, YOUNG, YANKED = "vanished", "status", "young", "yanked"
PROVENANCE, START, HASHES, HASH = "provenance", "start", "hashes", "hash"
SIGNALS = {
    VANISHED: "the index no longer lists the version",
    STATUS: "the index says quarantined, archived or deprecated",
    YOUNG: "uploaded a short time ago",
    YANKED: "taken back by its publisher",
    PROVENANCE: "published without attestation, or by another publisher than before",
    START: "a .pth of it runs code at every start of Python",
    HASHES: "the lockfile pins no hashes",
    HASH: "the index has other files than the lockfile",
}
"""Every signal, and what it means when it is bad."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing about who is behind a package, with the evidence in words."""

    name: str
    state: State
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The signals of one component."""

    package: Package
    version: str
    where: tuple[str, ...]
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What another tool found out. `tool`: its name; `origin`: the file."""

    tool: str
    origin: str
    matches: tuple[Match, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    judged: tuple[Judged, ...] = ()
