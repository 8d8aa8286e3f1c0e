"""pnpm-lock.yaml, lockfileVersion 5, 6 and 9: each writes the keys of its packages another way.

5: `/name/1.0.0_peer@2.0.0`; 6: `/name@1.0.0(peer@2.0.0)`; 9: `name@1.0.0`. What is not of an index names itself.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles import pins
from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.yaml_text import HINT
from rotator.domain.packages import NPM
from rotator.domain.times import quoted

KNOWN = ("5", "6", "9")
_SLASHED = re.compile(r"/(?P<name>(?:@[^/@]+/)?[^/@]+)/(?P<version>[^/_(]+)(?:[_(].*)?")
_AT = re.compile(r"/?(?P<name>(?:@[^/@]+/)?[^/@]+)@(?P<version>[0-9][^/():]*)(?:\(.*)?")


class PnpmLock(Form):
    """pnpm's lockfile; since pnpm 11 it may be two documents, each a lockfile."""

    kind = "pnpm-lock.yaml"
    syntax = Syntax.YAML

    def named(self, path: PurePath) -> bool:
        return path.name == "pnpm-lock.yaml" or (path.name.startswith("pnpm-lock.") and path.suffix == ".yaml")

    def fits(self, document: Document) -> bool:
        documents = document.value
        return bool(documents) and all(isinstance(each, dict) and "lockfileVersion" in each for each in documents)

    def read(self, document: Document) -> Found:
        found = Gathering(document, self.kind)
        for each in document.value:
            self._read_one(found, document, each)
        return found.found()

    @staticmethod
    def _read_one(found: Gathering, document: Document, value: dict[str, Any]) -> None:
        version = str(value["lockfileVersion"])
        major = version.partition(".")[0]
        if major not in KNOWN:
            message = f"a pnpm-lock.yaml of version {quoted(version)}; 5, 6 and 9 are known here"
            raise document.error(message, "lock it with a pnpm of today", document.lines.get(("lockfileVersion",)))
        packages = value.get("packages") or {}
        if not isinstance(packages, dict):
            raise document.error("packages is no table", HINT, document.lines.get(("packages",)))
        for key, each in packages.items():
            line = document.lines.get(("packages", key))
            if not isinstance(each, dict):
                raise document.error(f"{quoted(key)} is no table", HINT, line)
            _add(found, key, each, _SLASHED if major == "5" else _AT, line)


def _add(found: Gathering, key: str, each: dict[str, Any], shape: re.Pattern[str], line: int | None) -> None:
    resolution = each.get("resolution")
    resolution = resolution if isinstance(resolution, dict) else {}
    match = shape.fullmatch(key)
    name = each.get("name") or (match["name"] if match else _before_at(key))
    version = each.get("version") or (match["version"] if match else None)
    elsewhere = _elsewhere(key, resolution) if not match else ""
    if elsewhere == "directory":
        return  # a package of the workspace
    if not name or (elsewhere and not version):
        found.gap(f"{quoted(key)} is from elsewhere, and its {'version' if name else 'name'} is not told", line)
    if name:
        hashes = pins.of_integrity(resolution.get("integrity"))
        found.add(NPM, name, version, hashed=bool(hashes), hashes=hashes, elsewhere=elsewhere, line=lambda: line)


def _before_at(key: str) -> str | None:
    """The name in `name@https://…`, as version 9 writes what is from elsewhere."""
    found = re.match(r"/?((?:@[^/@]+/)?[^/@:]+)@", key)
    return found[1] if found else None


def _elsewhere(key: str, resolution: dict[str, Any]) -> str:
    if resolution.get("type") == "directory":
        return "directory"
    if resolution.get("type") == "git" or "git" in key.partition("/")[0]:
        return "git"
    return "path" if "file:" in key else "url"
