"""What poetry.lock and pdm.lock share: their version, and files beside a package or all of them in `metadata.files`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from rotator.adapters.lockfiles import pins
from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.toml_text import packages, table, tables
from rotator.domain.packages import PYPI
from rotator.domain.times import quoted


class PoetryLike(Form):
    """`tool`: who writes it; `version_at`: where `metadata` says which version it is; `known`: which can be read."""

    syntax = Syntax.TOML
    tool: ClassVar[str]
    version_at: ClassVar[str]
    known: ClassVar[tuple[str, str]]

    def read(self, document: Document) -> Found:
        metadata = table(document.value["metadata"])
        version = str(metadata.get(self.version_at, "none"))
        if version.partition(".")[0] not in self.known:
            line = document.line_of(self.version_at)
            message = f"a {self.kind} of version {quoted(version)}; {' and '.join(self.known)} are known here"
            raise document.error(message, f"lock it with a {self.tool} of today", line)
        found = Gathering(document, self.kind)
        all_files = table(metadata.get("files"))
        for number, package in enumerate(packages(document)):
            self._add(found, package, all_files, document.lines.get(number))
        return found.found()

    def _add(self, found: Gathering, package: dict[str, Any], all_files: dict[str, Any], line: int | None) -> None:
        files = tables(package.get("files")) or tables(all_files.get(self.files_of(package)))
        hashed, hashes = pins.of_files(files)
        name, version, elsewhere = package.get("name"), package.get("version"), self.elsewhere(package)
        found.add(PYPI, name, version, hashed=hashed, hashes=hashes, elsewhere=elsewhere, line=lambda: line)

    @abstractmethod
    def files_of(self, package: dict[str, Any]) -> str:
        """Under which name `metadata.files` has the package's."""

    @abstractmethod
    def elsewhere(self, package: dict[str, Any]) -> str:
        """Where its files come from, as `Component.elsewhere` has it."""
