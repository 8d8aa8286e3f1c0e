"""poetry.lock, of which the versions 1 and 2 are known."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document
from rotator.adapters.lockfiles.poetry_like import PoetryLike
from rotator.adapters.lockfiles.toml_text import table

ELSEWHERE = {"git": "git", "url": "url", "file": "path", "directory": "directory"}
"""By the type of a package's source; `legacy` is another index."""


class PoetryLock(PoetryLike):
    """Poetry's lockfile. Since 1.2 each package has its files; before, all of them are in `metadata.files`."""

    kind = "poetry.lock"
    tool = "Poetry"
    version_at = "lock-version"
    known = ("1", "2")

    def named(self, path: PurePath) -> bool:
        return path.name == "poetry.lock"

    def fits(self, document: Document) -> bool:
        metadata = table(document.value.get("metadata"))
        return self.version_at in metadata or ("content-hash" in metadata and "python-versions" in metadata)

    def files_of(self, package: dict[str, Any]) -> str:
        return str(package.get("name"))

    def elsewhere(self, package: dict[str, Any]) -> str:
        found = ELSEWHERE.get(str(table(package.get("source")).get("type")), "")
        return "editable" if found == "directory" and package.get("develop") is True else found
