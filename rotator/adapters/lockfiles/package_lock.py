"""package-lock.json and npm-shrinkwrap.json, lockfileVersion 1 to 3.

Source: the documentation of npm 11, package-lock.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles import pins
from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.json_text import HINT
from rotator.domain.packages import NPM
from rotator.domain.times import quoted

FOLDER = "node_modules/"


class PackageLock(Form):
    """npm's lockfile: a tree of dependencies in version 1, a table of folders since 2."""

    kind = "package-lock.json"
    syntax = Syntax.JSON

    def named(self, path: PurePath) -> bool:
        return path.name in ("package-lock.json", "npm-shrinkwrap.json", ".package-lock.json")

    def fits(self, document: Document) -> bool:
        return isinstance(document.value, dict) and "lockfileVersion" in document.value

    def read(self, document: Document) -> Found:
        version = document.value["lockfileVersion"]
        found = Gathering(document, self.kind)
        if version == 1 and not isinstance(version, bool):
            self._tree(found, document)
        elif version in (2, 3):
            self._folders(found, document)
        else:
            line = document.line_of('"lockfileVersion"')
            message = f"a package-lock.json of version {quoted(version)}; 1, 2 and 3 are known here"
            raise document.error(message, "write it with an npm of today", line)
        return found.found()

    @staticmethod
    def _tree(found: Gathering, document: Document) -> None:
        for key, each in _walk(document, document.value.get("dependencies", {})):
            said, name = each.get("version"), key
            elsewhere, version = _elsewhere(said), said
            if isinstance(said, str) and said.startswith("npm:"):
                name, _, version = said[4:].rpartition("@")
                elsewhere = ""
            elif elsewhere:
                version = None
            hashes = pins.of_integrity(each.get("integrity"))
            hashed = None if each.get("bundled") else bool(hashes)
            line = _liner(document, f'"{key}"')
            if elsewhere and elsewhere != "path":
                found.gap(f"{quoted(name)} is from {elsewhere}, and its version is not told", line)
            found.add(NPM, name, version, hashed=hashed, hashes=hashes, elsewhere=elsewhere, line=line)

    @staticmethod
    def _folders(found: Gathering, document: Document) -> None:
        packages = document.value.get("packages")
        if not isinstance(packages, dict):
            raise document.error("there is no table packages", HINT)
        for path, each in packages.items():
            if FOLDER not in path:
                continue  # the project itself, or a package of its workspace
            line = _liner(document, f'"{path}"')
            if not isinstance(each, dict):
                raise document.error(f"{quoted(path)} is no table", HINT, line())
            if each.get("link"):
                continue
            hashes = pins.of_integrity(each.get("integrity"))
            hashed = None if each.get("inBundle") else bool(hashes)
            name = each.get("name") or path.rpartition(FOLDER)[2]
            elsewhere = _elsewhere(each.get("resolved"))
            if elsewhere and not each.get("version"):
                found.gap(f"{quoted(name)} is from {elsewhere}, and its version is not told", line)
            version = each.get("version")
            found.add(NPM, name, version, hashed=hashed, hashes=hashes, elsewhere=elsewhere, line=line)


def _walk(document: Document, tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All entries of a tree, without recursion: it is as deep as somebody made it."""
    ahead = [tree]
    while ahead:
        level = ahead.pop()
        if not isinstance(level, dict):
            raise document.error("dependencies are no table", HINT, document.line_of('"dependencies"'))
        for name, each in level.items():
            if not isinstance(each, dict):
                raise document.error(f"{quoted(name)} is no table", HINT, document.line_of(f'"{name}"'))
            yield name, each
            if "dependencies" in each:
                ahead.append(each["dependencies"])


def _elsewhere(where: Any) -> str:
    """What a version or `resolved` says of where the files are; the URL of a tarball is an index's own."""
    if not isinstance(where, str):
        return ""
    if where.startswith("file:"):
        return "path"
    if where.startswith(("git+", "git:", "git@", "github:", "gitlab:", "bitbucket:", "gist:")):
        return "git"
    if where.startswith(("http:", "https:")):
        return "" if "/-/" in where else "url"
    return ""


def _liner(document: Document, needle: str) -> Any:
    return lambda: document.line_of(needle)
