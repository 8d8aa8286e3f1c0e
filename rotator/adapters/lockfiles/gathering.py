"""Collects what a file names: canonical names, each component once, and a gap for what nobody could compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from packaging.version import InvalidVersion, Version

from rotator.adapters.lockfiles.form import Document, Found
from rotator.domain.packages import PYPI, Component, Package
from rotator.domain.times import quoted

LONGEST = 512
"""Characters of a name or a version; more is none."""
MOST_GAPS = 200
"""Gaps that are told one by one."""


class Gathering:
    """What was found in one document so far."""

    def __init__(self, document: Document, kind: str) -> None:
        self._document = document
        self._kind = kind
        self._hashed: dict[tuple[Package, str, str], bool | None] = {}
        self._hashes: dict[tuple[Package, str, str], tuple[str, ...]] = {}
        self._gaps: dict[str, None] = {}
        self._looked_for: set[tuple[str, str]] = set()
        self._left_out = 0

    def add(
        self,
        ecosystem: str,
        name: Any,
        version: Any,
        *,
        hashed: bool | None = None,
        hashes: tuple[str, ...] = (),
        elsewhere: str = "",
        line: Callable[[], int | None] = lambda: None,
        of: str | None = None,
        silent: bool = False,
    ) -> None:
        """One component. Without a version, or with one that cannot be compared, it is a gap, too, unless `silent`.

        `line`: where it stands, asked only where that is said; `of`: in which file, if it is one that was taken in.
        What comes from elsewhere and has no version is no gap by itself.
        """
        if not isinstance(name, str) or not self._is_word(name):
            raise self._document.error("a package has no name", "lock it anew", line())
        if version is not None and not isinstance(version, str):
            raise self._document.error(f"the version of {quoted(name)} is no text", "lock it anew", line())
        text = (version or "").strip()
        trouble = None if silent else self._trouble(ecosystem, name, text, elsewhere)
        if trouble is not None:
            self.gap(trouble, line, of)
        text = text if self._is_word(text) else ""
        key = (Package.of(ecosystem, name), text, elsewhere)
        self._hashed[key] = _least(hashed, self._hashed[key]) if key in self._hashed else hashed
        self._hashes[key] = tuple(dict.fromkeys((*self._hashes.get(key, ()), *hashes)))

    def _trouble(self, ecosystem: str, name: str, version: str, elsewhere: str) -> str | None:
        if version and not self._is_word(version):
            return f"the version of {quoted(name)} is none"
        if not version:
            return None if elsewhere else f"{quoted(name)} has no version"
        if ecosystem == PYPI and not _is_version(version):
            return f"{quoted(name)} {quoted(version)} is unmatchable: no version by PEP 440"
        return None

    def gap(self, text: str, line: Callable[[], int | None] | int | None = None, of: str | None = None) -> None:
        """What the document does not tell.

        `line`: where it stands, or what looks for that. Because that may read the whole text, it is asked only for a
        gap that is told, and once: the same text is then the same gap.
        """
        file = of or self._document.name
        if callable(line) and (file, text) in self._looked_for:
            return
        if len(self._gaps) >= MOST_GAPS:
            self._left_out += 1
            return
        if callable(line):
            self._looked_for.add((file, text))
            line = line()
        where = f"{file}:{line}" if line else file
        self._gaps[f"{where}: {text}"] = None

    def found(self, includes: Iterable[str] = ()) -> Found:
        """All of it. A document that names nothing says so in a gap: nothing is not the same as clean."""
        taken_in = tuple(dict.fromkeys(includes))
        if not self._hashed and not self._gaps and not taken_in:
            self.gap("it names no package at all")
        gaps = list(self._gaps)
        if self._left_out:
            gaps.append(f"{self._document.name}: and {self._left_out} more")
        components = (
            Component(
                package=key[0], version=key[1], elsewhere=key[2], hashed=hashed, hashes=tuple(sorted(self._hashes[key]))
            )
            for key, hashed in self._hashed.items()
        )
        return Found(self._kind, tuple(sorted(components, key=Component.place)), tuple(gaps), taken_in)

    @staticmethod
    def _is_word(text: str) -> bool:
        text = text.strip()
        return bool(text) and len(text) <= LONGEST and text.isprintable()


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _least(one: bool | None, other: bool | None) -> bool | None:
    """What may be said of two that are told as one."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
