"""uv.lock, of which version 1 is known (https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile)."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles import pins
from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.toml_text import HINT, packages, table, tables
from rotator.domain.packages import PYPI
from rotator.domain.times import quoted

KNOWN = 1
ELSEWHERE = {
    "registry": "",
    "git": "git",
    "url": "url",
    "path": "path",
    "directory": "directory",
    "editable": "editable",
}
"""By the name of a package's source. One that is `virtual` is a project without code of its own: not installed."""


class UvLock(Form):
    """uv's lockfile: the packages of a project or a workspace for all platforms and extras."""

    kind = "uv.lock"
    syntax = Syntax.TOML

    def named(self, path: PurePath) -> bool:
        return path.name == "uv.lock"

    def fits(self, document: Document) -> bool:
        value = document.value
        sources = [each.get("source") for each in tables(value.get("package"))]
        ours = "requires-python" in value or any(isinstance(source, dict) for source in sources)
        return isinstance(value.get("version"), int) and ours  # Cargo's has a version and packages, too

    def read(self, document: Document) -> Found:
        version = document.value["version"]
        if version != KNOWN:
            line = document.line_of("version")
            raise document.error(f"a uv.lock of version {version}; {KNOWN} is known here", "lock it with that", line)
        found = Gathering(document, self.kind)
        for number, package in enumerate(packages(document)):
            self._add(found, document, package, document.lines.get(number))
        return found.found()

    @staticmethod
    def _add(found: Gathering, document: Document, package: dict[str, Any], line: int | None) -> None:
        source = table(package.get("source"))
        if "virtual" in source:
            return
        kind = next((each for each in ELSEWHERE if each in source), None)
        if kind is None:
            raise document.error(f"the source of {quoted(package.get('name'))} is not known", HINT, line)
        files = [*tables([package.get("sdist")]), *tables(package.get("wheels"))]
        hashed, hashes = pins.of_files(files)
        found.add(
            PYPI,
            package.get("name"),
            package.get("version"),
            hashed=hashed,
            hashes=hashes,
            elsewhere=ELSEWHERE[kind],
            line=lambda: line,
        )
