"""Packages, and which of them somebody had when: what an exposure by a bad package is computed from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.times import quoted

PYPI, NPM = "PyPI", "npm"
"""Ecosystems are called as OSV calls them (https://ossf.github.io/osv-schema/#defined-ecosystems)."""
ECOSYSTEM_OF = {
    "uv.lock": PYPI,
    "poetry.lock": PYPI,
    "pdm.lock": PYPI,
    "pylock.toml": PYPI,
    "requirements.txt": PYPI,
    "site-packages": PYPI,
    "package-lock.json": NPM,
    "pnpm-lock.yaml": NPM,
}
"""Of which ecosystem an inventory of this kind tells everything, be it that there is nothing."""
ECOSYSTEMS = {
    "pypi": PYPI,
    "npm": NPM,
    "cargo": "crates.io",
    "composer": "Packagist",
    "gem": "RubyGems",
    "golang": "Go",
    "hex": "Hex",
    "maven": "Maven",
    "nuget": "NuGet",
    "pub": "Pub",
}
"""The same by the type that a package URL gives them; all others are called by their type. So is `deb`: its URLs name
Debian's binaries, and OSV its sources, under which a binary of another name would never be found."""

EGGS = (".egg", ".egg-info", ".egg-link")
"""How the names of eggs end, which are installed packages of long ago."""
SEES_BENEATH = "it also sees the packages of the Python beneath it, which are not here"
"""What an environment does not tell whose `pyvenv.cfg` `sees_beneath`."""
_BENEATH = re.compile(r"^\s*include-system-site-packages\s*=\s*true\s*$", re.IGNORECASE | re.MULTILINE)


def egg_gap(name: str) -> str:
    """What an egg of this name does not tell: it may hold others, and says of what it needs nothing that is certain."""
    return f"{quoted(name)} is an egg: what is in it is not told for certain"


def sees_beneath(pyvenv_cfg: str | None) -> bool:
    """Whether packages of another Python are seen as well, by the text of `pyvenv.cfg`. None cannot be read: it may."""
    return pyvenv_cfg is None or _BENEATH.search(pyvenv_cfg) is not None


def installed_from(direct_url: str) -> str:
    """Where something installed came from, by its `direct_url.json` (PEP 610): "" for an index, else a word like `git`.

    What cannot be read came from no index that anybody could name.
    """
    try:
        said = json.loads(direct_url)
    except (ValueError, RecursionError):
        return "url"
    if not isinstance(said, dict) or not said:
        return ""
    if isinstance(said.get("vcs_info"), dict):
        return str(said["vcs_info"].get("vcs", "git"))[:20]
    if isinstance(said.get("dir_info"), dict):
        return "editable" if said["dir_info"].get("editable") else "directory"
    return "url"


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A package by its ecosystem and its name there. `of` writes the name the one way that compares equal."""

    ecosystem: str
    name: str

    @classmethod
    def of(cls, ecosystem: str, name: str) -> Package:
        """PyPI's names by PEP 503, all others as they are."""
        canonical = re.sub(r"[-_.]+", "-", name.strip()).lower() if ecosystem == PYPI else name.strip()
        return cls(ecosystem, canonical)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Component:
    """One package in one version, as an inventory names it.

    `version`: its text; "" where the inventory does not tell it, which may then be any. `hashed`: whether the inventory
    pins the files by their hashes; None where its kind cannot say. `elsewhere`: where its files come from when that is
    no index, in a word like `git` or `editable`; then its version is what they say of themselves. `hashes`: those of
    its files, like `sha256:…`, where they are known.
    """

    package: Package
    version: str
    hashed: bool | None = None
    elsewhere: str = ""
    hashes: tuple[str, ...] = ()

    def place(self) -> tuple[Package, str, str, str]:
        """What components are sorted by."""
        return self.package, self.version, self.elsewhere, str(self.hashed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one consumer had, or may have had, from `since` on and before `until` (None: to this day).

    `kind`: the form that it was read from, like `uv.lock`; `origin`: which file; `commit`: in which commit, "" outside
    of a history. `gaps`: what it does not tell, in words with the line; where there are any, what it does not name may
    be there all the same.
    """

    consumer: str
    kind: str
    origin: str
    since: datetime
    components: tuple[Component, ...]
    until: datetime | None = None
    gaps: tuple[str, ...] = ()
    commit: str = ""

    def speaks_of(self, ecosystem: str) -> bool:
        """Whether it would name a package of this ecosystem; a bill of materials is believed only of what is in it."""
        if self.kind in ECOSYSTEM_OF:
            return ECOSYSTEM_OF[self.kind] == ecosystem
        return any(each.package.ecosystem == ecosystem for each in self.components)

    @property
    def label(self) -> str:
        """What it is called in a table: whose it is, or where nobody said so, what it was read from."""
        return self.consumer or self.origin

    def touches(self, start: datetime, end: datetime) -> bool:
        """Whether it holds at some time within [start, end]."""
        return self.since <= end and (self.until is None or self.until > start)
