"""pdm.lock, of which the versions 3 and 4 are known."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.toml_text import packages, table, tables
from rotator.domain.packages import PYPI
from rotator.domain.times import quoted

KNOWN = ("3", "4")


class PdmLock(Form):
    """PDM's lockfile. Later ones have a package's files beside it, earlier ones all in `metadata.files`."""

    kind = "pdm.lock"
    syntax = Syntax.TOML

    def named(self, path: PurePath) -> bool:
        return path.name == "pdm.lock" or (path.name.startswith("pdm.") and path.suffix == ".lock")

    def fits(self, document: Document) -> bool:
        return "lock_version" in table(document.value.get("metadata"))

    def read(self, document: Document) -> Found:
        metadata = table(document.value["metadata"])
        version = str(metadata["lock_version"])
        if version.partition(".")[0] not in KNOWN:
            line = document.line_of("lock_version")
            message = f"a pdm.lock of version {quoted(version)}; 3 and 4 are known here"
            raise document.error(message, "lock it with a PDM of today", line)
        found = Gathering(document, self.kind)
        all_files = table(metadata.get("files"))
        for number, package in enumerate(packages(document)):
            self._add(found, package, all_files, document.lines.get(number))
        return found.found()

    @staticmethod
    def _add(found: Gathering, package: dict[str, Any], all_files: dict[str, Any], line: int | None) -> None:
        name, version = package.get("name"), package.get("version")
        files = tables(package.get("files")) or tables(all_files.get(f"{name} {version}"))
        hashed = bool(files) and all("hash" in each for each in files)
        found.add(PYPI, name, version, hashed=hashed, elsewhere=_elsewhere(package), line=lambda: line)


def _elsewhere(package: dict[str, Any]) -> str:
    if package.get("editable") is True:
        return "editable"
    return next((each for each in ("git", "url", "path") if each in package), "")
