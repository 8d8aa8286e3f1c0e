"""pdm.lock, of which the versions 3 and 4 are known."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document
from rotator.adapters.lockfiles.poetry_like import PoetryLike
from rotator.adapters.lockfiles.toml_text import table


class PdmLock(PoetryLike):
    """PDM's lockfile. Later ones have a package's files beside it, earlier ones all in `metadata.files`."""

    kind = "pdm.lock"
    tool = "PDM"
    version_at = "lock_version"
    known = ("3", "4")

    def named(self, path: PurePath) -> bool:
        return path.name == "pdm.lock" or (path.name.startswith("pdm.") and path.suffix == ".lock")

    def fits(self, document: Document) -> bool:
        return self.version_at in table(document.value.get("metadata"))

    def files_of(self, package: dict[str, Any]) -> str:
        return f"{package.get('name')} {package.get('version')}"

    def elsewhere(self, package: dict[str, Any]) -> str:
        if package.get("editable") is True:
            return "editable"
        return next((each for each in ("git", "url", "path") if each in package), "")
