"""Advisories as OSV writes them (https://ossf.github.io/osv-schema/), and what of them can be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.domain.packages import Package

GIT, SEMVER, ECOSYSTEM = "GIT", "SEMVER", "ECOSYSTEM"
"""How the versions of a range are ordered."""
INTRODUCED, FIXED, LAST_AFFECTED, LIMIT = "introduced", "fixed", "last_affected", "limit"
"""What may happen at a version of a range."""
MALICIOUS = "MAL-"
"""How the ids of records about malicious packages begin."""


@dataclass(frozen=True, slots=True)
class Range:
    """Versions between events. `events`: what happens, and at which version, in any order; `0` is before them all."""

    kind: str
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One package of an advisory. `ecosystem` may have a suffix in OSV, like `Debian:12`; `package` has it not.

    `suffix`: what was behind the colon, "" where there was none.
    """

    package: Package
    suffix: str = ""
    versions: frozenset[str] = frozenset()
    ranges: tuple[Range, ...] = ()

    @property
    def any_version(self) -> bool:
        """Whether it says nothing of versions: then it is the package itself that is meant."""
        return not self.versions and not self.ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One record. `aliases`: ids of the same thing elsewhere, its `upstream` among them.

    `malicious`: whether the record itself says that somebody put bad code there, rather than made a mistake.
    `published`: when it was first told of, None where it does not say; what it is about was there before.
    `modified`: when it was last written. `withdrawn`: since when it does not count any more.
    """

    id: str
    modified: datetime
    aliases: tuple[str, ...] = ()
    summary: str = ""
    malicious: bool = False
    withdrawn: datetime | None = None
    affected: tuple[Affected, ...] = ()
    published: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """All that could be read of one origin. `broken`: by name, why a record could not be used."""

    origin: str
    advisories: tuple[Advisory, ...]
    broken: tuple[tuple[str, str], ...] = ()

    def newest(self, at: datetime) -> datetime | None:
        """When the last change was that it knows of, seen from `at`; None without any.

        What claims to be later than `at` does not count: one record with a wrong year would keep a feed fresh for ever.
        """
        return max((each.modified for each in self.advisories if each.modified <= at), default=None)


def parted(ecosystem: str) -> tuple[str, str]:
    """`Debian:12` as `Debian` and `12`."""
    base, _, suffix = ecosystem.partition(":")
    return base, suffix
