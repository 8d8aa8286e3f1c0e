"""poetry.lock, of which the versions 1 and 2 are known."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.toml_text import packages, table, tables
from rotator.domain.packages import PYPI
from rotator.domain.times import quoted

KNOWN = ("1", "2")
ELSEWHERE = {"git": "git", "url": "url", "file": "path", "directory": "directory"}
"""By the type of a package's source; `legacy` is another index."""


class PoetryLock(Form):
    """Poetry's lockfile. Since 1.2 each package has its files; before, all of them are in `metadata.files`."""

    kind = "poetry.lock"
    syntax = Syntax.TOML

    def named(self, path: PurePath) -> bool:
        return path.name == "poetry.lock"

    def fits(self, document: Document) -> bool:
        metadata = table(document.value.get("metadata"))
        return "lock-version" in metadata or ("content-hash" in metadata and "python-versions" in metadata)

    def read(self, document: Document) -> Found:
        metadata = table(document.value["metadata"])
        version = str(metadata.get("lock-version", "none"))
        if version.partition(".")[0] not in KNOWN:
            line = document.line_of("lock-version")
            message = f"a poetry.lock of version {quoted(version)}; 1 and 2 are known here"
            raise document.error(message, "lock it with a Poetry of today", line)
        found = Gathering(document, self.kind)
        all_files = table(metadata.get("files"))
        for number, package in enumerate(packages(document)):
            self._add(found, package, all_files, document.lines.get(number))
        return found.found()

    @staticmethod
    def _add(found: Gathering, package: dict[str, Any], all_files: dict[str, Any], line: int | None) -> None:
        name = package.get("name")
        source = table(package.get("source"))
        elsewhere = ELSEWHERE.get(str(source.get("type")), "")
        if elsewhere == "directory" and package.get("develop") is True:
            elsewhere = "editable"
        files = tables(package.get("files")) or tables(all_files.get(str(name)))
        hashed = bool(files) and all("hash" in each for each in files)
        found.add(PYPI, name, package.get("version"), hashed=hashed, elsewhere=elsewhere, line=lambda: line)
