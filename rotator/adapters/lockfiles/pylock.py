"""pylock.toml (https://packaging.python.org/en/latest/specifications/pylock-toml/), by `packaging`'s own reader."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePath

from packaging.pylock import Package, Pylock, PylockValidationError, is_valid_pylock_path

from rotator.adapters.lockfiles import pins
from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.toml_text import HINT
from rotator.domain.packages import PYPI


class PylockToml(Form):
    """The standard's lockfile, written by several tools."""

    kind = "pylock.toml"
    syntax = Syntax.TOML

    def named(self, path: PurePath) -> bool:
        return is_valid_pylock_path(Path(path))

    def fits(self, document: Document) -> bool:
        return "lock-version" in document.value

    def read(self, document: Document) -> Found:
        if str(document.value["lock-version"]).partition(".")[0] != "1":
            line = document.line_of("lock-version")
            raise document.error("a pylock.toml of a version that is not 1", "lock it with a tool of today", line)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a later 1.x, which is to be readable
                lock = Pylock.from_dict(document.value)
        except PylockValidationError as error:
            where = f"{error.context}: " if error.context else ""
            raise document.error(f"no pylock.toml as the standard has it: {where}{error.message}", HINT) from None
        found = Gathering(document, self.kind)
        for number, package in enumerate(lock.packages):
            self._add(found, package, document.lines.get(number))
        return found.found()

    @staticmethod
    def _add(found: Gathering, package: Package, line: int | None) -> None:
        version = None if package.version is None else str(package.version)
        files = [each.hashes for each in (*(package.wheels or ()), package.sdist, package.archive) if each is not None]
        of_each = [pins.pins([f"{name}:{digest}" for name, digest in each.items()]) for each in files]
        found.add(
            PYPI,
            str(package.name),
            version,
            hashed=bool(files) and all(of_each),
            hashes=tuple(each for found in of_each for each in found),
            elsewhere=_elsewhere(package),
            line=lambda: line,
        )


def _elsewhere(package: Package) -> str:
    if package.directory is not None:
        return "editable" if package.directory.editable else "directory"
    if package.vcs is not None:
        return package.vcs.type
    return "url" if package.archive is not None else ""
