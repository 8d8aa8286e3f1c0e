"""How versions are ordered: PyPI's by PEP 440, npm's and whatever calls itself so by Semantic Versioning 2.0."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from packaging.version import Version

from rotator.domain.advisories import ECOSYSTEM, SEMVER
from rotator.domain.packages import NPM, PYPI

LONGEST = 256
"""Characters of a version; a longer text is none."""

_NUMBER = r"(0|[1-9][0-9]{0,17})"
_SEMVER = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)

Key = Any
"""What can be compared with others that were made by the same kind of version."""


def kind_of(ecosystem: str, range_kind: str = ECOSYSTEM) -> str | None:
    """The ecosystem by whose rules the versions of a range are ordered; None: by none that are known here."""
    if range_kind == SEMVER:
        return NPM
    return ecosystem if range_kind == ECOSYSTEM and ecosystem in (NPM, PYPI) else None


@lru_cache(maxsize=65_536)
def key(kind: str, text: str) -> Key | None:
    """The version for comparing; None when it is none by those rules."""
    if len(text) > LONGEST:
        return None
    if kind == NPM:
        return _semver(text)
    try:
        return Version(text)
    except ValueError:
        return None


def forms(kind: str, text: str) -> tuple[Key, ...]:
    """The version, and what it was built from: `2.1.0+cpu` is somebody's build of `2.1.0`. Empty when it is none."""
    version = key(kind, text)
    if version is None:
        return ()
    if isinstance(version, Version) and version.local is not None:
        return version, Version(version.public)
    return (version,)


def _semver(text: str) -> Key | None:
    found = _SEMVER.fullmatch(text.strip())
    if found is None:
        return None
    numbers = tuple(int(found[at]) for at in (1, 2, 3))
    if found[4] is None:
        return (*numbers, 1, ())
    return (*numbers, 0, tuple(_identifier(each) for each in found[4].split(".")))


def _identifier(text: str) -> tuple[int, int, str]:
    """Numbers come before words, and count as numbers."""
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
