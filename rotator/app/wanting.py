"""The packages and versions that somebody asks about: `litellm==1.82.8`, `npm:left-pad@1.3.0`, `litellm`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from rotator.adapters.lockfiles.purl import parse_purl
from rotator.config.errors import ConfigError, nearest
from rotator.domain.packages import ECOSYSTEMS, PYPI, Component, Package
from rotator.domain.times import quoted

HINT = "write it like litellm==1.82.8, litellm>=1.82.7,<1.83, litellm or npm:left-pad@1.3.0"
_PYPI = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(.*)", re.DOTALL)
_LONGEST = 300
_OTHERS = ("apk", "conan", "conda", "cran", "deb", "docker", "generic", "github", "oci", "rpm", "swift")
"""Types of package URLs that a bill of materials may have and that are called so here, too."""


class Bad(Protocol):
    """A package of which some versions are asked for, or known to be bad."""

    @property
    def package(self) -> Package: ...

    def meets(self, component: Component) -> bool | None:
        """Whether it is meant; None where nobody can say."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package, and which versions: a `range` by PEP 440, one `exact` version as text, or any where both are None."""

    package: Package
    range: SpecifierSet | None = None
    exact: str | None = None
    text: str = ""

    def meets(self, component: Component) -> bool | None:
        """Whether it is meant; None where its version cannot be compared, so that nobody can say."""
        if component.package != self.package:
            return False
        if self.range is None and self.exact is None:
            return True
        if not component.version:
            return None
        if self.exact is not None:
            return _plain(component.version) == _plain(self.exact)
        assert self.range is not None
        try:
            return self.range.contains(Version(component.version), prereleases=True)
        except InvalidVersion:
            return self._by_text(component.version)

    def _by_text(self, version: str) -> bool | None:
        """What is no version may be the very text that was asked for."""
        assert self.range is not None
        asked = {each.version for each in self.range if each.operator in ("==", "===")}
        return True if version in asked else None


def read_wanted(text: str) -> Wanted:
    """Read what was typed; PyPI's where no ecosystem is named. Raises `ConfigError`."""
    typed = text.strip()
    if len(typed) > _LONGEST or not typed.isprintable():
        raise ConfigError(f"{quoted(text)} names no package", HINT)
    kind, rest = _of_url(typed) if typed.lower().startswith("pkg:") else _of_words(typed)
    if not rest or not rest.isprintable():
        raise ConfigError(f"{quoted(text)} names no package", HINT)
    if kind not in (*ECOSYSTEMS, *_OTHERS):
        near = nearest(kind, ECOSYSTEMS)
        hint = f"did you mean {near}?" if near else "known: " + ", ".join((*ECOSYSTEMS, *_OTHERS))
        raise ConfigError(f"there is no ecosystem {quoted(kind)}", hint)
    ecosystem = ECOSYSTEMS.get(kind, kind)
    return _of_pypi(rest, text) if ecosystem == PYPI else _of_another(ecosystem, rest, text)


def _of_words(typed: str) -> tuple[str, str]:
    """The ecosystem as a package URL calls it, and the package with its versions."""
    if not re.match(r"[a-z]+[:/]", typed):
        return "pypi", typed
    kind, _, rest = re.split(r"([:/])", typed, maxsplit=1)
    return kind, rest


def _of_url(typed: str) -> tuple[str, str]:
    """The same of a package URL, as an inventory with such URLs is read."""
    url = parse_purl(typed)
    kind = typed[len("pkg:") :].lstrip("/").partition("/")[0].lower()
    if url is None:
        return kind, ""
    return kind, f"{url.name}@{url.version}" if url.version else url.name


def _of_pypi(rest: str, text: str) -> Wanted:
    found = _PYPI.fullmatch(rest)
    if found is None:
        raise ConfigError(f"{quoted(text)} names no package", HINT)
    package, versions = Package.of(PYPI, found[1]), found[2].strip()
    if versions.startswith("@"):
        versions = f"=={versions[1:].strip()}"
    if not versions:
        return Wanted(package, text=text)
    try:
        return Wanted(package, range=SpecifierSet(versions), text=text)
    except InvalidSpecifier:
        exact = re.fullmatch(r"={2,3}\s*([^\s,;=<>!~]+)", versions)
    if exact is None:
        raise ConfigError(f"{quoted(versions)} says no versions", HINT)
    return Wanted(package, exact=exact[1], text=text)


def _of_another(ecosystem: str, rest: str, text: str) -> Wanted:
    """Elsewhere a version is compared as text alone, so a range of them is refused."""
    at = rest.rfind("@")
    name, version = (rest, None) if at <= 0 else (rest[:at], rest[at + 1 :])
    wrong = re.search(r"[\s<>=~^|*,]", rest)
    if wrong or version == "" or not name:
        raise ConfigError(f"{quoted(text)} is no package with one version", "write it like npm:left-pad@1.3.0")
    return Wanted(Package.of(ecosystem, name), exact=version, text=text)


def _plain(version: str) -> str:
    """Without what changes nothing: a leading `v`, and the build behind a `+`."""
    return version.strip().removeprefix("v").partition("+")[0]
